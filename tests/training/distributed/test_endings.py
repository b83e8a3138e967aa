"""Test how runs of several processes are controlled, stopped, killed and resumed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gradtui import open_run
from gradtui.experiment import from_dict
from gradtui.runs.control import send
from gradtui.training.launch import Trainer, create_run, start_trainer, write_experiment
from tests.support.shared_training import DENSE, trained
from tests.support.waiting import until

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the processes by /proc"),
]

ENDLESS = {**DENSE, "run": {"steps": 10_000_000, "device": "cpu"}}


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[Path, Trainer]]:
    """An endless run of two processes at its tenth step."""
    folder = create_run(from_dict(ENDLESS), tmp_path)
    trainer = start_trainer(folder, 2)
    try:
        until(lambda: open_run(folder).steps >= 10)
        yield folder, trainer
    finally:
        if trainer.poll() is None:
            # The others see that, and follow.
            os.kill(trainer.pid, signal.SIGKILL)
            trainer.wait()


def processes_of(folder: Path) -> dict[str, int]:
    """Rank and pid of the processes that train the run."""
    found = {}
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
            if "gradtui.training.rank" in words and str(folder) in words:
                variables = (process / "environ").read_bytes().decode().split("\0")
                found[next(v for v in variables if v.startswith("RANK="))[5:]] = int(process.name)
        except (OSError, StopIteration):
            continue
    return found


def test_commands_work_on_a_distributed_run(started: tuple[Path, Trainer]) -> None:
    folder, trainer = started
    send(folder, "pause")
    until(lambda: open_run(folder).status.state == "paused")
    # The last rows before it are on their way to the disk.
    time.sleep(0.5)
    before = open_run(folder).steps
    time.sleep(0.5)
    assert open_run(folder).steps == before
    send(folder, "step")
    until(lambda: open_run(folder).steps == before + 1)
    send(folder, "set", set={"optimizer.lr": 0.125})
    send(folder, "resume")
    until(lambda: open_run(folder).steps > before + 10)
    send(folder, "stop")
    assert trainer.wait(60) == 0
    run = open_run(folder)
    assert (run.status.state, run.status.reason) == ("stopped", "stopped on request")
    assert run.scalars("lr")[1][-1] == 0.125
    assert not processes_of(folder)
    assert len(list((folder / "checkpoints").iterdir())) == 1


def test_sigterm_ends_a_distributed_run_after_its_step(started: tuple[Path, Trainer]) -> None:
    folder, trainer = started
    os.kill(trainer.pid, signal.SIGTERM)
    assert trainer.wait(60) == 0
    status = open_run(folder).status
    assert (status.state, status.reason) == ("stopped", "the trainer was told to stop (SIGTERM)")
    assert not processes_of(folder)


def test_killed_rank_ends_the_run_as_failed(started: tuple[Path, Trainer]) -> None:
    folder, trainer = started
    os.kill(processes_of(folder)["1"], signal.SIGKILL)
    assert trainer.wait(60) == 1
    status = open_run(folder).status
    assert status.state == "failed"
    assert status.reason == "another of the 2 processes that train this run has ended; trainer.log says why"
    assert not processes_of(folder)


def test_killed_rank_0_ends_the_run_as_failed(started: tuple[Path, Trainer]) -> None:
    folder, trainer = started
    os.kill(processes_of(folder)["0"], signal.SIGKILL)
    assert trainer.wait(60) == 1
    status = open_run(folder).status
    assert status.state == "failed"
    assert status.reason == "process 1 of 2 ended with signal 9; trainer.log says why"
    assert not processes_of(folder)


def test_killed_agent_takes_all_processes_along(started: tuple[Path, Trainer]) -> None:
    folder, trainer = started
    assert len(processes_of(folder)) == 2
    os.kill(trainer.pid, signal.SIGKILL)
    trainer.wait(60)
    until(lambda: not processes_of(folder))
    # Died, or failed where the leader still saw the helper go.
    assert open_run(folder).status.state in ("died", "failed")


def test_run_resumes_with_another_number_of_processes(tmp_path: Path) -> None:
    whole = trained(tmp_path, {**DENSE, "run": {"steps": 40, "device": "cpu"}}, 1)
    half = trained(tmp_path, {**DENSE, "run": {"steps": 20, "device": "cpu"}}, 2)
    for steps, processes in ((30, 1), (40, 2)):
        write_experiment(half.folder, from_dict({**DENSE, "run": {"steps": steps, "device": "cpu"}}))
        assert start_trainer(half.folder, processes).wait(120) == 0
    steps, norms = open_run(half.folder).layers("grad_norm")
    assert steps.tolist() == list(range(1, 41))
    np.testing.assert_allclose(norms, whole.layers("grad_norm")[1], rtol=1e-4)


def test_unbuildable_experiment_fails_with_one_line(tmp_path: Path) -> None:
    what = {**DENSE, "data": {"source": "npz", "path": "/nowhere.npz", "batch_size": 8}}
    folder = create_run(from_dict(what), tmp_path)
    assert start_trainer(folder, 2).wait(120) == 1
    status = open_run(folder).status
    assert status.state == "failed"
    assert "nowhere.npz" in status.reason
    assert "\n" not in status.reason
    assert not processes_of(folder)
