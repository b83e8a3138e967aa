"""What a watched script prints is kept with its run, and its streams are what they would be without gradtui."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import gradtui
from gradtui.monitor.launch import output_log
from gradtui.monitor.launch.output_log import OutputLog
from gradtui.runs.library import list_runs
from tests.support.command_line import GRADTUI, environment

SCRIPT = """
import os, sys, torch
model = torch.nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for step in range(3):
    model(torch.ones(3, 4)).sum().backward()
    optimizer.step()
    print("step", step, "é", end=" | ")
print()
kept = sys.stdout is sys.__stdout__, type(sys.stdout).__name__, sys.stdout.isatty(), os.isatty(1), sys.stderr.isatty()
print(*kept, sys.stdout.fileno())
for share in range(3):
    sys.stderr.write(f"\\r{share} of 2")
sys.stderr.write("\\n")
sys.stdout.writelines(["one\\n", "two"])
sys.stdout.flush()
os.write(1, b"\\n")
raise ValueError("on purpose")
"""


def test_streams_stay_and_their_text_is_kept(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    terminal, end = os.openpty()
    process = subprocess.Popen(
        [*GRADTUI, "watch", "--", sys.executable, str(script)],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=end,
        stderr=subprocess.PIPE,
    )
    os.close(end)
    assert process.stderr is not None
    error = process.stderr.read()
    shown = b""
    while b"two\r\n" not in shown:
        shown += os.read(terminal, 4096)
    os.close(terminal)
    assert process.wait() == 1
    lines = ["step 0 é | step 1 é | step 2 é | ", "True TextIOWrapper True True False 1", "one", "two"]
    assert shown.decode() == "".join(f"{line}\r\n" for line in lines)
    first, _, error = error.partition(b"\n")
    assert first.startswith(b"gradtui: recording ")
    assert error.startswith(b"\r0 of 2\r1 of 2\r2 of 2\nTraceback (most recent call last):\n")
    (info,) = list_runs(tmp_path / "runs")
    kept = gradtui.open_run(info.run).log_tail(100)
    # The order of two streams is that of the script's writes; the first words come before the first step has ended.
    assert kept[:4] == [lines[0], lines[1], "2 of 2", "one"]
    assert kept[-1] in ("two", "ValueError: on purpose")
    assert {"two", "ValueError: on purpose"} <= set(kept)


def replaced(monkeypatch: pytest.MonkeyPatch) -> tuple[io.TextIOWrapper, io.TextIOWrapper]:
    """Give this process streams of its own. A fixture cannot do this: pytest sets them before each phase of a test."""
    stream, error = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", error)
    return stream, error


def test_a_log_is_bounded_and_the_streams_are_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_log, "MOST_BYTES", 4000)
    monkeypatch.setattr(output_log, "SECONDS_BETWEEN_WRITES", 0.01)
    stream, _ = replaced(monkeypatch)
    log = OutputLog()
    log.keep_for(tmp_path, lambda: True)
    assert stream.write("0\n") == 2
    for number in range(1, 3000):
        print(number, file=stream)
        if not number % 300:
            log._flush()
    with pytest.raises(TypeError, match="must be str"):
        stream.write(b"bytes")  # type: ignore[arg-type]
    print("the end", end="", file=stream)
    log.end()
    assert "write" not in vars(stream)
    print("later", file=stream)
    kept = (tmp_path / "trainer.log").read_text().splitlines()
    assert kept[-2:] == ["2999", "the end"]
    assert [int(line) for line in kept[:-1]] == list(range(int(kept[0]), 3000))
    assert (tmp_path / "trainer.log").stat().st_size <= 4000 + 300 * 5
    assert stream.buffer.getvalue().count(b"\n") == 3001  # type: ignore[attr-defined]


def test_a_child_and_other_threads_may_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, error = replaced(monkeypatch)
    log = OutputLog()
    log.keep_for(tmp_path, lambda: True)
    threads = [
        threading.Thread(target=lambda: [print("x", file=stream) for _ in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not (child := os.fork()):
        print("of the child", file=error)
        os._exit(0)
    os.waitpid(child, 0)
    print("bar 1\rbar 2\r", end="", file=error)
    print("bar 3\r\nend", file=error)
    log.end()
    kept = (tmp_path / "trainer.log").read_text().splitlines()
    assert "of the child" not in kept
    # Two threads may print between the words of each other.
    assert sum(line.count("x") for line in kept) == 200
    assert kept[-2:] == ["bar 3", "end"]
