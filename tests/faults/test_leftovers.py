"""Nothing is left behind: no temporary folder, no draft and no process, however gradtui ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from gradtui.experiment import from_dict
from gradtui.runs.reader import open_run
from gradtui.runs.scratch import Scratch
from gradtui.training.launch import create_run, start_trainer
from tests.support.command_line import GRADTUI, environment
from tests.support.person_terminal import PersonTerminal, wait_for
from tests.support.run_folders import describe, write_rows
from tests.support.shared_training import DENSE

AGED = time.time() - 3600


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files, which distinguishes the processes of a test from others."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield folder
    for process in processes_of(folder):
        process.kill()


def processes_of(scratch: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("TMPDIR") == str(scratch):
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


def left_in(scratch: Path) -> list[str]:
    """Return what lies there but for torch's own cache, which it keeps."""
    return [path.name for path in scratch.iterdir() if not path.name.startswith("torchinductor_")]


def age(folder: Path) -> None:
    for path in folder.iterdir():
        os.utime(path, (AGED, AGED))


@pytest.mark.long
@pytest.mark.parametrize("seconds", [0.0, 0.5, 2.0])
def test_quick_q_leaves_nothing(seconds: float, home: Path, scratch: Path) -> None:
    terminal = PersonTerminal(home)
    try:
        terminal.until_text("─ Model ")
        terminal.stay(seconds)
        terminal.press("q")
        assert terminal.until_ended(10) == 0
    finally:
        terminal.process.wait(10)
    wait_for(lambda: not processes_of(scratch), 20, "the end of every process")
    assert left_in(scratch) == []


@pytest.mark.long
def test_killed_app_leaves_nothing(home: Path, scratch: Path) -> None:
    for seconds in (0.3, 1.5):
        terminal = PersonTerminal(home)
        terminal.until_text("─ Model ")
        terminal.press("i")
        terminal.stay(seconds)
        terminal.process.kill()
        terminal.process.wait(10)
        os.close(terminal.fileno())
    # A measurement at initialisation that has begun is finished; what it has measured is swept.
    wait_for(lambda: not processes_of(scratch), 40, "the end of every process")
    age(scratch)
    subprocess.run(
        [*GRADTUI, "run", "--preflight"],
        env=environment(home),
        check=True,
        timeout=100,
        stdout=subprocess.DEVNULL,
    )
    assert left_in(scratch) == []


@pytest.mark.long
def test_killed_agent_leaves_neither_ranks_nor_their_folder(tmp_path: Path, scratch: Path) -> None:
    for first_steps in (0, 5):
        experiment = from_dict({**DENSE, "run": {"steps": 10_000_000, "device": "cpu"}})
        folder = create_run(experiment, tmp_path / "runs")
        trainer = start_trainer(folder, 2)
        wait_for(lambda: len(processes_of(scratch)) == 3, 30, "two ranks")
        # Killed at once, and in mid-run.
        while first_steps and open_run(folder).steps < first_steps:
            time.sleep(0.05)
        os.kill(trainer.pid, signal.SIGKILL)
        trainer.wait(10)
        wait_for(lambda: not processes_of(scratch), 10, "the end of the ranks")
        assert left_in(scratch) == []


def test_folder_of_a_killed_process_is_swept_and_that_of_a_live_one_stays(scratch: Path) -> None:
    code = (
        "import time; from gradtui.runs.scratch import Scratch; s = Scratch(); print(s.path, flush=True); "
        "time.sleep(60)"
    )
    made = []
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        made.append((process, Path(process.stdout.readline().strip())))
    (killed, left), (alive, kept) = made
    killed.kill()
    killed.wait()
    age(scratch)
    (scratch / "gradtui-scratch-link").symlink_to(kept)
    with Scratch():
        assert not left.exists()
        assert kept.exists()
    alive.kill()
    alive.wait()


EXPORTS = """
import os, sys
if sys.argv[3] == "named":
    del os.O_TMPFILE
from gradtui.cli import main
os.write(1, b".")
main(["export", sys.argv[1], "--to", "csv", "--force", sys.argv[2]])
"""


@pytest.mark.parametrize("kind", [pytest.param("nameless", marks=pytest.mark.long), "named"])
def test_killed_export_leaves_no_draft(kind: str, home: Path, tmp_path: Path) -> None:
    folder = home / "runs" / "20260101-000000-run"
    describe(folder, layers=40)
    write_rows(folder, {"scalars": np.ones((20_000, 3)), "grad_norm": np.ones((20_000, 40))})
    out = tmp_path / "out.csv"
    out.write_text("before")
    for seconds in (0.5, 0.7, 0.9):
        command = [sys.executable, "-c", EXPORTS, folder.name, str(out), kind]
        export = subprocess.Popen(command, env=environment(home), stdout=subprocess.PIPE)
        assert export.stdout is not None
        export.stdout.read(1)
        time.sleep(seconds)
        export.kill()
        export.wait()
        assert out.read_text() == "before", "it was quicker than the kill"
    left = [path for path in tmp_path.iterdir() if path.name.startswith(".out.csv")]
    assert bool(left) == (kind == "named")
    for path in left:
        os.utime(path, (AGED, AGED))
    precious = tmp_path / ".other.csv.0123456789abcdef"
    precious.write_text("a person's own")
    os.utime(precious, (AGED, AGED))
    subprocess.run(
        [sys.executable, "-c", EXPORTS, folder.name, str(out), kind], env=environment(home), check=True
    )
    assert out.stat().st_size > 1000
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == [precious]
