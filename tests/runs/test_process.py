"""Test the check whether a process is alive."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradtui.runs import process

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")


def test_this_process_is_alive() -> None:
    assert process.is_alive(os.getpid(), process.start_ticks(os.getpid()))
    assert process.is_alive(os.getpid(), None)


@needs_proc
def test_reused_pid_is_another_process() -> None:
    started = process.start_ticks(os.getpid())
    assert started is not None
    assert not process.is_alive(os.getpid(), started - 1)


@pytest.mark.parametrize("pid", [0, -1])
def test_missing_pid_is_no_process(pid: int) -> None:
    assert not process.is_alive(pid, None)


def test_process_that_was_waited_for_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert not process.is_alive(child.pid, None)
    assert process.start_ticks(child.pid) is None


@needs_proc
def test_zombie_process_is_not_alive() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    while Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)
    try:
        assert not process.is_alive(child, process.start_ticks(child))
    finally:
        os.waitpid(child, 0)


@needs_proc
def test_process_name_may_have_blanks_and_brackets(tmp_path: Path) -> None:
    odd = tmp_path / "od) d ("
    odd.symlink_to("/bin/sleep")
    child = subprocess.Popen([odd, "60"])
    try:
        while "od) d (" not in Path(f"/proc/{child.pid}/stat").read_text():
            time.sleep(0.01)
        started = process.start_ticks(child.pid)
        assert started is not None
        assert process.is_alive(child.pid, started)
        assert started >= process.start_ticks(os.getpid())
    finally:
        child.kill()
        child.wait()


@needs_proc
def test_the_machine_is_the_same_for_a_child() -> None:
    code = "from gradtui.runs.process import machine; print(machine())"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == process.machine() != ""
