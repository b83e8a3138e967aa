"""Test the checkpoints of whole runs: their files, their events, and the training beside them."""

from __future__ import annotations

import errno
import resource
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from gradtui.experiment import Experiment
from gradtui.runs.control import send
from gradtui.runs.reader import Run
from gradtui.training import controls
from gradtui.training.checkpoints import files, keeping
from gradtui.training.checkpoints.files import checkpoint_path, list_checkpoints
from gradtui.training.checkpoints.keeping import CheckpointWriter
from gradtui.training.checkpoints.tensors import read_tensors
from gradtui.training.recorder import Recorder, tables_of
from gradtui.training.session import build
from tests.support.trainings import small, trained


def told(run: Run, *kinds: str) -> list[tuple[Any, ...]]:
    return [(e["event"], e["step"], e["path"]) for e in run.events() if e["event"] in kinds]


def checkpoints_at(*steps: int) -> list[tuple[Any, ...]]:
    return [("checkpoint", step, f"checkpoints/step-{step:09d}.safetensors") for step in steps]


@pytest.mark.usefixtures("at_once")
def test_checkpoints_are_periodic_and_the_newest_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / ".step-000000003.safetensors.12345").write_bytes(b"of one that was killed")
    run, _ = trained(folder, small(run__steps=10, run__checkpoint_every=3))
    assert told(run, "checkpoint", "checkpoint_failed") == checkpoints_at(3, 6, 9, 10)
    assert files.KEPT_CHECKPOINTS == 3
    assert list_checkpoints(folder) == [(step, checkpoint_path(folder, step)) for step in (10, 9, 6)]
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {
        p.name for _, p in list_checkpoints(folder)
    }


def test_default_is_one_checkpoint_at_the_end(tmp_path: Path) -> None:
    run, _ = trained(tmp_path / "a", small(run__steps=4))
    assert told(run, "checkpoint") == checkpoints_at(4)
    run, _ = trained(tmp_path / "b", small(run__steps=4, run__checkpoint_every=4))
    assert told(run, "checkpoint") == checkpoints_at(4)


def test_rows_are_on_disk_before_the_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file itself must not be there before the rows of its steps: it may be resumed from at any moment."""
    rows = []
    real = keeping.write_tensors

    def write(path: Path, *rest: Any) -> None:
        rows.append((path.name, Run(path.parents[1]).table("grad_norm").rows))
        real(path, *rest)

    monkeypatch.setattr(keeping, "write_tensors", write)
    trained(tmp_path / "run", small(run__steps=7))
    assert rows == [("step-000000007.safetensors", 7)]


@pytest.mark.usefixtures("at_once")
def test_checkpoint_command_is_obeyed_while_paused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "POLL_SECONDS", 0.0)
    folder = tmp_path / "run"
    folder.mkdir()
    script = {3: ["checkpoint"], 5: ["pause"], 8: ["checkpoint"], 10: ["checkpoint", "resume"]}
    looks = iter(range(1000))
    real = controls.Controls.poll

    def look(self: controls.Controls) -> None:
        for command in script.get(next(looks), []):
            send(folder, command)  # type: ignore[arg-type]
        real(self)

    monkeypatch.setattr(controls.Controls, "poll", look)
    run, _ = trained(folder, small(run__steps=8))
    assert told(run, "checkpoint") == checkpoints_at(3, 5, 5, 8)
    commands = [(e["wish"], e["step"]) for e in run.events() if e["event"] == "control"]
    assert commands.count(("checkpoint", 5)) == 2


class SlowDisk:
    """A disk that takes one file at a time, when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began: list[str] = []
        self.go = threading.Semaphore(0)
        self._real = keeping.write_tensors
        monkeypatch.setattr(keeping, "write_tensors", self._write)

    def _write(self, path: Path, *rest: Any) -> None:
        self.began.append(path.stem)
        assert self.go.acquire(timeout=30)
        self._real(path, *rest)


def test_slow_disk_does_not_slow_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SlowDisk(monkeypatch)
    session = build(small(run__checkpoint_every=2))
    recorder = Recorder(tmp_path, session, tables_of(session))
    checkpoints = CheckpointWriter(session, recorder)
    seen = []
    for step in range(1, 8):
        session.step = step
        session.flat.weights.fill_(step)
        checkpoints.between_steps()
        seen.append(checkpoints.busy)
    assert seen == [False, *[True] * 6]
    disk.go.release()
    checkpoints.wait()
    checkpoints.between_steps()
    disk.go.release(2)
    checkpoints.wait()
    session.step = 8
    session.flat.weights.fill_(8)
    checkpoints.finish()
    checkpoints.wait()
    recorder.close()
    assert disk.began == ["step-000000002", "step-000000007", "step-000000008"]
    for step, path in list_checkpoints(tmp_path):
        weight = read_tensors(path)[0]["model.dense1.weights1.weight"]
        assert (weight == step).all(), "each of the step that its name says, whatever came later"


@pytest.mark.usefixtures("at_once")
def test_failed_checkpoint_is_reported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, tries = keeping.write_tensors, iter(range(100))

    def write(*arguments: Any) -> None:
        if next(tries) not in (2, 4):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*arguments)

    monkeypatch.setattr(keeping, "write_tensors", write)
    run, ending = trained(tmp_path / "run", small(run__steps=12, run__checkpoint_every=2))
    assert ending == ("finished", "")
    assert run.steps == 12
    events = [(e["event"], e["step"], e.get("reason")) for e in run.events() if "checkpoint" in e["event"]]
    assert events == [
        ("checkpoint_failed", 2, "No space left on device"),
        ("checkpoint", 6, None),
        ("checkpoint_failed", 8, "No space left on device"),
        ("checkpoint", 10, None),
        ("checkpoint_failed", 12, "No space left on device"),
    ]


def test_full_disk_leaves_no_partial_file(tmp_path: Path) -> None:
    """Files may not grow past 64 kB here: the rows of 20 steps fit, a checkpoint of this net does not."""
    exp = small(data__source="digits", run__steps=20, run__checkpoint_every=5, net__0__width=128)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, before[1]))
    try:
        run, ending = trained(tmp_path / "run", exp)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert ending == ("finished", "")
    assert run.steps == 20
    assert len(told(run, "checkpoint_failed")) == 1
    assert told(run, "checkpoint") == []
    assert list((tmp_path / "run" / "checkpoints").iterdir()) == []


def test_deleted_folder_does_not_end_the_training(tmp_path: Path) -> None:
    session = build(small())
    recorder = Recorder(tmp_path / "run", session, tables_of(session))
    checkpoints = CheckpointWriter(session, recorder)
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    checkpoints.request()
    checkpoints.between_steps()
    checkpoints.wait()
    assert not (tmp_path / "run").exists()
    recorder.close()


@pytest.mark.usefixtures("at_once")
def test_diverged_run_keeps_finite_checkpoints(tmp_path: Path) -> None:
    exp: Experiment = small(
        run__steps=500, run__checkpoint_every=1, optimizer__lr=20.0, net__0__activation="identity"
    )
    run, ending = trained(tmp_path / "run", exp)
    assert ending[0] == "diverged"
    kept = list_checkpoints(tmp_path / "run")
    assert kept
    assert kept[0][0] <= run.steps - 20
    assert all(bool(t.isfinite().all()) for _, path in kept for t in read_tensors(path)[0].values())
