"""Test the trainer as a process: its signals, its exit code, and that it outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradtui.experiment import dumps, set_fields
from gradtui.runs import process
from gradtui.runs.reader import Run, open_run
from gradtui.training.launch import Standby, create_run, start_trainer
from tests.support.trainings import small
from tests.support.waiting import until

ENDLESS = {"run.steps": 10_000_000}


def is_training(folder: Path) -> bool:
    return (folder / "grad_norm.f32").exists() and open_run(folder).steps > 0


def events(run: Run, kind: str) -> list[str]:
    return [str(e.get("phase", e.get("reason"))) for e in run.events() if e["event"] == kind]


def test_trainer_trains_its_folder_and_exits_with_0(tmp_path: Path) -> None:
    folder = create_run(small(run__steps=20), tmp_path)
    trainer = start_trainer(folder)
    assert trainer.wait(60) == 0
    run = open_run(folder)
    assert run.status.state == "finished"
    assert run.steps == 20
    assert events(run, "phase") == ["importing", "building", "training", "evaluating"]
    assert run.meta is not None
    assert run.meta.pid == trainer.pid
    assert run.log_tail(5) == []


@pytest.mark.long
def test_sigterm_ends_the_run_and_other_signals_do_not(tmp_path: Path) -> None:
    folder = create_run(set_fields(small(), ENDLESS), tmp_path)
    trainer = start_trainer(folder)
    until(lambda: is_training(folder))
    assert os.getsid(trainer.pid) == trainer.pid
    for harmless in (signal.SIGHUP, signal.SIGINT):
        os.kill(trainer.pid, harmless)
    before = open_run(folder).steps
    until(lambda: open_run(folder).steps > before + 50)
    os.kill(trainer.pid, signal.SIGTERM)
    assert trainer.wait(20) == 0
    assert open_run(folder).status.state == "stopped"


@pytest.mark.long
def test_killed_trainer_loses_200_milliseconds_at_most(tmp_path: Path) -> None:
    folder = create_run(set_fields(small(), ENDLESS), tmp_path)
    trainer = start_trainer(folder)
    until(lambda: is_training(folder) and open_run(folder).steps > 300)
    os.kill(trainer.pid, signal.SIGKILL)
    now = time.time()
    assert trainer.wait(20) == -signal.SIGKILL
    run = open_run(folder)
    assert run.status.state == "died"
    _, times = run.scalars("time")
    # Twice the documented time: this machine may be busy with others.
    assert now - times[-1] < 0.4


@pytest.mark.long
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"net.0.width": 65_536, "net.0.repeat": 1000}, "out of memory: the net's"),
        ({"data.source": "npz", "data.path": "nowhere.npz"}, "nowhere.npz"),
        ({"run.device": "cuda:99"}, "cuda:99 was requested, but"),
    ],
)
def test_failure_in_building_has_a_reason_of_one_line(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    folder = create_run(set_fields(small(), changes), tmp_path)
    assert start_trainer(folder).wait(60) == 1
    run = open_run(folder)
    assert run.status.state == "failed"
    assert words in run.status.reason
    assert "\n" not in run.status.reason
    assert "Traceback" not in run.status.reason
    assert any("Traceback" in line for line in run.log_tail(50))


def test_unreadable_experiment_fails(tmp_path: Path) -> None:
    folder = create_run(small(), tmp_path)
    (folder / "experiment.toml").write_text(dumps(small()).replace("width = 16", "width = -16"))
    assert start_trainer(folder).wait(60) == 1
    assert "net.0.width" in open_run(folder).status.reason


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["/nowhere/at/all"]])
def test_wrong_arguments_are_one_line(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "gradtui.training", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.long
def test_standby_becomes_the_trainer(tmp_path: Path) -> None:
    standby = Standby()
    assert not standby.ready
    until(lambda: standby.ready)
    folder = create_run(small(run__steps=20), tmp_path)
    trainer = standby.start(folder)
    assert trainer.pid == standby.pid
    assert trainer.wait(60) == 0
    assert open_run(folder).status.state == "finished"
    with pytest.raises(RuntimeError, match="one run only"):
        standby.start(folder)
    standby.close()


@pytest.mark.long
def test_dead_standby_is_replaced(tmp_path: Path) -> None:
    standby = Standby()
    os.kill(standby.pid, signal.SIGKILL)
    until(lambda: not process.is_alive(standby.pid, None))
    folder = create_run(small(run__steps=5), tmp_path)
    trainer = standby.start(folder)
    assert trainer.pid != standby.pid
    assert trainer.wait(60) == 0


def test_closed_standby_ends() -> None:
    standby = Standby()
    standby.close()
    assert not process.is_alive(standby.pid, None)
    assert not standby.ready
    standby.close()


PARENT = """
import sys, time
from pathlib import Path
from gradtui.training.launch import Standby, start_trainer
standby = Standby()
while not standby.ready:
    time.sleep(0.01)
if len(sys.argv) > 1:
    print(standby.start(Path(sys.argv[1])).pid, start_trainer(Path(sys.argv[2])).pid, flush=True)
else:
    print(standby.pid, flush=True)
sys.stdin.read()
"""


def parent_of(*folders: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A process that keeps a standby, as the app does, and the pids that it started."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", PARENT, *map(str, folders)]
    app = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    assert app.stdout is not None
    return app, [int(pid) for pid in app.stdout.readline().split()]


@pytest.mark.long
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_standby_ends_with_its_parent(end: signal.Signals) -> None:
    app, (standby,) = parent_of()
    assert process.is_alive(standby, None)
    os.kill(app.pid, end)
    app.wait(20)
    until(lambda: not process.is_alive(standby, None), 10)


@pytest.mark.long
def test_trainer_outlives_its_parent(tmp_path: Path) -> None:
    exp = small(run__steps=3000)
    folders = [create_run(exp, tmp_path) for _ in range(2)]
    app, pids = parent_of(*folders)
    until(lambda: all(is_training(folder) for folder in folders))
    os.kill(app.pid, signal.SIGKILL)
    app.wait(20)
    assert any(process.is_alive(pid, None) for pid in pids)
    until(lambda: not any(open_run(folder).status.live for folder in folders))
    assert [open_run(folder).status.state for folder in folders] == ["finished"] * 2
    assert [open_run(folder).steps for folder in folders] == [3000] * 2
