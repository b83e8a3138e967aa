"""Signals stop `gradtui run` and its trainer."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from gradtui import open_run
from gradtui.runs.process import is_alive
from gradtui.runs.reader import Run
from tests.support.command_line import start, strictly

FOR_EVER = ["run", "--set", "net.0.repeat=2", "--steps", "100000000", "--json"]


@pytest.fixture
def training(home: Path) -> Iterator[Popen[str]]:
    """A command that trains for days; nothing of it outlives the test, even one that fails."""
    process = start(home, *FOR_EVER)
    yield process
    process.kill()
    process.wait()
    for file in (home / "runs").glob("*/run.json"):
        meta = open_run(file.parent).meta
        if meta is not None and is_alive(meta.pid, meta.pid_started):
            os.kill(meta.pid, signal.SIGKILL)


def run_of(home: Path) -> Run:
    """Its run, once it has recorded steps."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        folders = list((home / "runs").glob("*/run.json"))
        if folders and open_run(folders[0].parent).steps > 0:
            return open_run(folders[0].parent)
        time.sleep(0.05)
    raise AssertionError("it never trained")


def test_ctrl_c_ends_the_training_and_the_report_is_printed(home: Path, training: Popen[str]) -> None:
    run = run_of(home)
    training.send_signal(signal.SIGINT)
    output, complaint = training.communicate(timeout=60)
    assert (training.returncode, complaint) == (130, "")
    report = strictly(output)
    assert report["status"] == run.status.state == "stopped"
    assert report["steps"] == run.steps > 0
    assert len(report["layers"]) == 3


def test_sigterm_asks_and_the_next_signal_kills_a_trainer_that_does_not_listen(
    home: Path, training: Popen[str]
) -> None:
    run = run_of(home)
    assert run.meta is not None
    control = run.folder / "control.jsonl"
    control.touch()
    os.kill(run.meta.pid, signal.SIGSTOP)
    training.send_signal(signal.SIGTERM)
    while "stop" not in control.read_text():
        time.sleep(0.05)
    training.send_signal(signal.SIGINT)
    output, complaint = training.communicate(timeout=60)
    assert training.returncode == 143
    assert strictly(output)["status"] == "failed"
    assert "died at step" in complaint
    assert not is_alive(run.meta.pid, run.meta.pid_started)
