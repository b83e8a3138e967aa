"""Test the worker that trains many runs, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradtui.experiment import Experiment, from_dict
from gradtui.runs.process import is_alive
from gradtui.runs.reader import open_run
from gradtui.training.launch import Worker, WorkerRun, create_run, write_experiment


def small(steps: int = 3, **fields: object) -> Experiment:
    return from_dict({"name": "small", "run": {"steps": steps, "device": "cpu", "eval_every": 0}, **fields})


def over(turn: WorkerRun, seconds: float = 60) -> int:
    deadline = time.monotonic() + seconds
    while (code := turn.poll()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return code


def gone(pid: int, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(pid, None) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(pid, None)


@pytest.mark.long
def test_worker_trains_several_runs_like_fresh_processes() -> None:
    worker = Worker()
    folders = [create_run(small()) for _ in range(2)]
    for folder in folders:
        assert worker.free
        turn = worker.start(folder)
        assert not worker.free
        assert over(turn) == 0
    runs = [open_run(folder) for folder in folders]
    assert [run.status.state for run in runs] == ["finished", "finished"]
    assert runs[0].meta is not None
    assert runs[1].meta is not None
    assert runs[0].meta.pid == runs[1].meta.pid == worker.pid
    losses = [run.scalars("loss")[1].tolist() for run in runs]
    assert losses[0] == losses[1], "the same seed, the same numbers"
    worker.close()
    assert gone(worker.pid)


@pytest.mark.long
def test_worker_ends_after_a_failed_run() -> None:
    worker = Worker()
    folder = create_run(small())
    write_experiment(
        folder, from_dict({"data": {"source": "npz", "path": "nowhere.npz"}, "run": {"steps": 1}})
    )
    assert over(worker.start(folder)) == 1
    assert not worker.free, "though it may still be there"
    assert open_run(folder).status.state == "failed"
    assert gone(worker.pid)
    assert not worker.free
    worker.close()


@pytest.mark.long
def test_closed_worker_finishes_its_run() -> None:
    worker = Worker()
    folder = create_run(small(2000))
    turn = worker.start(folder)
    wait_for_steps(folder, 5)
    worker.close()
    assert gone(worker.pid)
    assert open_run(folder).status.state == "finished"
    assert turn.poll() == 0


@pytest.mark.long
def test_killed_worker_returns_the_signal() -> None:
    worker = Worker()
    folder = create_run(small(10_000_000))
    turn = worker.start(folder)
    wait_for_steps(folder, 5)
    os.kill(worker.pid, signal.SIGKILL)
    assert over(turn) == -signal.SIGKILL
    assert open_run(folder).status.state == "died"
    assert not worker.free
    worker.close()


@pytest.mark.long
def test_tied_worker_stops_its_run_when_its_parent_is_killed() -> None:
    folder = create_run(small(10_000_000))
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from gradtui.training.launch import Worker; "
            "Worker(tied=True).start(Path(sys.argv[1])); time.sleep(600)",
            str(folder),
        ]
    )
    wait_for_steps(folder, 5)
    parent.kill()
    parent.wait()
    meta = open_run(folder).meta
    assert meta is not None
    assert gone(meta.pid)
    run = open_run(folder)
    assert run.status.state == "stopped"
    assert list((folder / "checkpoints").glob(f"step-*{run.steps}.safetensors")), "it can be gone on with"


def wait_for_steps(folder: Path, steps: int) -> None:
    deadline = time.monotonic() + 60
    while open_run(folder).steps < steps:
        assert time.monotonic() < deadline
        time.sleep(0.05)
