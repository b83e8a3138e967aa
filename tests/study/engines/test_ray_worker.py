"""Test the worker on a machine of a cluster, in this process and with real trainers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from gradtui.experiment import Experiment, from_dict
from gradtui.runs.control import send
from gradtui.runs.folder import CONTROL_FILE
from gradtui.runs.process import start_ticks
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from gradtui.study.engines import LOST
from gradtui.study.engines.folder_copy import FolderChanges, apply_changes
from gradtui.study.engines.ray_engine import token_of
from gradtui.study.engines.ray_worker import RayWorker, RemoteState
from gradtui.training.launch import create_run, write_experiment
from tests.support.studies import failing_run


def small(steps: int) -> Experiment:
    run = {"steps": steps, "device": "cpu", "eval_every": 0, "threads": 1, "checkpoint_every": 50}
    return from_dict({"name": "small", "net": [{"width": 8, "repeat": 2}], "run": run})


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RayWorker]:
    monkeypatch.chdir(tmp_path)
    worker = RayWorker(str(tmp_path))
    yield worker
    worker.leave()


def until(worker: RayWorker, enough: Callable[[RemoteState], object], commands: bytes = b"") -> RemoteState:
    deadline = time.monotonic() + 60
    while not enough(state := worker.poll(commands)):
        assert time.monotonic() < deadline
        commands = b""
    return state


def ended(state: RemoteState) -> bool:
    return state.code is not None


def test_folder_is_recognised_by_its_marker_not_by_its_name(worker: RayWorker, tmp_path: Path) -> None:
    run = create_run(small(1))
    token = token_of(run.parent)
    assert token == token_of(run.parent)
    assert worker.sees(str(run), token)
    twin = create_run(small(1), tmp_path / "elsewhere" / "runs")
    assert token_of(twin.parent) != token
    assert not worker.sees(str(twin), token)
    assert not worker.sees(str(run.with_name("another")), token)
    assert not worker.sees("/nowhere/at/all", token)


def test_run_stopped_before_its_start_never_starts(worker: RayWorker) -> None:
    run = create_run(small(10))
    worker.train(str(run), None)
    send(run, "stop")
    assert worker.poll(b"") == RemoteState(LOST, [])
    assert not (run / "run.json").exists()


def test_run_of_another_live_trainer_is_waited_for_and_not_trained_again(worker: RayWorker) -> None:
    sleeper = Popen(["sleep", "600"])
    run = failing_run(small(60), end=None)
    meta = (run / "run.json").read_text()
    assert str(os.getpid()) in meta
    meta = meta.replace(f'"pid": {os.getpid()}', f'"pid": {sleeper.pid}')
    (run / "run.json").write_text(meta.replace(str(start_ticks(os.getpid())), str(start_ticks(sleeper.pid))))
    before = (run / "scalars.f32").read_bytes()
    worker.train(str(run), None)
    assert worker.poll(b"") == RemoteState(None, [])
    writer = RunWriter(run, {})
    writer.event("end", step=60, status="finished", reason="")
    writer.close()
    assert worker.poll(b"") == RemoteState(0, [])
    sleeper.kill()
    sleeper.wait()
    assert (run / "scalars.f32").read_bytes() == before


@pytest.mark.long
def test_copied_run_reports_changes_obeys_commands_and_resumes_elsewhere(
    worker: RayWorker, tmp_path: Path
) -> None:
    run = create_run(small(1_000_000))
    worker.train(str(run), FolderChanges(run).collect())
    deadline = time.monotonic() + 60
    while open_run(run).steps < 100:
        assert time.monotonic() < deadline
        apply_changes(run, worker.poll(b"").changes)
    assert open_run(run).status.state == "running"
    send(run, "stop")
    told = (run / CONTROL_FILE).read_bytes()
    state = until(worker, lambda state: apply_changes(run, state.changes) or ended(state), told)
    assert state.code == 0
    stopped = open_run(run)
    assert stopped.status.state == "stopped"
    assert sorted((run / "checkpoints").glob("step-*"))

    # Elsewhere, and only to some steps more.
    taken = stopped.steps
    more = small(taken + 50)
    write_experiment(run, more)
    other = RayWorker(str(tmp_path))
    other.train(str(run), FolderChanges(run).collect())
    state = until(other, lambda state: apply_changes(run, state.changes) or ended(state))
    other.leave()
    assert state.code == 0
    gone_on = open_run(run)
    assert gone_on.status.state == "finished"
    [resumed] = [event["step"] for event in gone_on.events() if event["event"] == "resumed_from"]
    assert resumed == taken
    steps, losses = gone_on.scalars("loss")
    assert steps.tolist() == list(range(1, more.run.steps + 1))

    alone = create_run(more)
    worker.train(str(alone), None)
    assert until(worker, ended).code == 0
    assert open_run(alone).scalars("loss")[1].tolist() == losses.tolist(), "as if it had never moved"


@pytest.mark.long
def test_killed_trainer_is_reported_by_its_signal_and_replaced(
    worker: RayWorker,
) -> None:
    first, second = create_run(small(1_000_000)), create_run(small(20))
    worker.train(str(first), None)
    until(worker, lambda state: open_run(first).steps)
    meta = open_run(first).meta
    assert meta is not None
    os.kill(meta.pid, signal.SIGKILL)
    assert until(worker, ended).code == -signal.SIGKILL
    worker.train(str(second), None)
    assert until(worker, ended).code == 0
    assert open_run(second).status.state == "finished"
