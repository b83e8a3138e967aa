"""Test that a stopped training continues in its run, one process at a time, from the step of its checkpoint."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import gradtui
from gradtui.monitor import resumed_run
from gradtui.monitor.guard import WatchWarning
from gradtui.monitor.resumed_run import ResumedRun, RunLock
from gradtui.monitor.watch import Probe
from gradtui.report.run_json import run_object
from gradtui.runs.follower import Follower
from gradtui.runs.library import list_runs
from gradtui.runs.reader import Run
from gradtui.runs.viewer_diagnosis import DIAGNOSIS_FILE, read_viewer_diagnosis, write_viewer_diagnosis
from tests.monitor.conftest import oracle
from tests.support.command_line import environment

Opened = Callable[[Probe], Run]


class Training:
    """A Training takes steps on random data and keeps, by step, the norm of each layer and the loss."""

    def __init__(self, kind: type[torch.optim.Optimizer] = torch.optim.Adam, width: int = 5) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 2))
        self.optimizer = kind(self.model.parameters(), lr=0.05)  # type: ignore[call-arg]
        self.step = 0
        self.wanted: dict[int, list[float]] = {}

    def watch(self, **options: Any) -> Probe:
        self.probe = gradtui.watch(self.model, self.optimizer, budget=None, **options)
        return self.probe

    def run(self, steps: int, seed: int = 0) -> None:
        for _ in range(steps):
            self.step += 1
            torch.manual_seed(1000 * seed + self.step)
            self.optimizer.zero_grad()
            loss = self.model(torch.randn(8, 4)).square().mean()
            loss.backward()
            layers = [self.model[0], self.model[2]]
            norms = [oracle(list(layer.parameters())) for layer in layers]
            self.wanted[self.step] = [*norms, loss.item()]
            self.optimizer.step()
            self.probe.log(loss=loss)

    def checkpoint(self) -> dict[str, Any]:
        states = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        return torch.load(_saved(states), weights_only=True)

    def load(self, states: dict[str, Any], step: int) -> None:
        self.model.load_state_dict(states["model"])
        self.optimizer.load_state_dict(states["optimizer"])
        self.step = step


def _saved(states: object) -> Any:
    import io

    file = io.BytesIO()
    torch.save(states, file)
    file.seek(0)
    return file


def check(run: Run, *trainings: Training, first: int = 1) -> None:
    """The rows are those of the trainings, of which a later one counts where both took a step."""
    wanted = {step: row for training in trainings for step, row in training.wanted.items()}
    steps, norms = run.layers("grad_norm")
    assert steps.tolist() == list(range(first, max(wanted) + 1))
    np.testing.assert_allclose(norms, [wanted[step][:2] for step in steps.tolist()], rtol=1e-5)
    steps, losses = run.scalars("loss")
    np.testing.assert_allclose(losses, [wanted[step][2] for step in steps.tolist()], rtol=1e-6)


def test_continues_from_an_earlier_checkpoint(home: Path, opened: Opened) -> None:
    first = Training()
    first.watch(resume="my-run", config={"lr": 0.05}, note="first try")
    first.run(12)
    states = first.checkpoint()
    first.run(18)
    before = opened(first.probe)
    assert (before.status.state, before.status.step, before.name) == ("finished", 30, "my-run")
    assert write_viewer_diagnosis(before.folder, 30, [], enough=True)
    follower = Follower(before)
    assert follower.poll() is not None

    second = Training()
    probe = second.watch(resume="my-run")
    # The checkpoint is loaded after the call, as many scripts do.
    second.load(states, 12)
    second.run(18, seed=1)
    assert probe.run == before.folder
    # The rows are written a moment later.
    end = time.monotonic() + 20
    while gradtui.open_run(before.folder).status.state != "running" and time.monotonic() < end:
        time.sleep(0.02)
    assert gradtui.open_run(before.folder).status.state == "running"
    assert second.probe is probe
    run = opened(probe)
    check(run, first, second)
    assert (run.status.state, run.status.step) == ("finished", 30)
    assert [event["step"] for event in run.events() if event["event"] == "rewound"] == [12]
    assert read_viewer_diagnosis(run.folder, 30) is None
    assert not (run.folder / DIAGNOSIS_FILE).exists()
    # A reader that has seen the old rows agrees with one that has not.
    snapshot, fresh = follower.poll(), Follower(run).poll()
    assert snapshot is not None
    assert fresh is not None
    np.testing.assert_array_equal(snapshot.timeline.rows, fresh.timeline.rows)
    np.testing.assert_array_equal(snapshot.curves["loss"].mean, fresh.curves["loss"].mean)
    (info,) = list_runs(home)
    assert (info.steps, info.note, info.config) == (30, "first try", {"lr": 0.05})
    seconds = run_object(run, [])["seconds"]
    assert 0 < seconds < time.time() - info.started


@pytest.mark.parametrize(("step", "goes_on"), [(None, 10), (4, 4), (15, 15)])
def test_continues_at_the_given_step_or_after_the_last(
    home: Path, opened: Opened, step: int | None, goes_on: int
) -> None:
    first = Training(torch.optim.SGD)
    first.watch(name="a", step=2)
    first.step = 2
    first.run(8)
    opened(first.probe)
    second = Training(torch.optim.SGD)
    second.watch(resume="a", step=step)
    second.step = goes_on
    second.run(3, seed=1)
    run = opened(second.probe)
    kept = {at: row for at, row in first.wanted.items() if at <= goes_on}
    steps, _ = run.layers("grad_norm")
    assert steps.tolist() == [*kept, *second.wanted]
    assert run.status.step == goes_on + 3
    assert len(list_runs(home)) == 1


def test_steps_that_a_scaler_left_out_are_counted(home: Path) -> None:
    training = Training()
    training.watch(name="a")
    training.run(2)
    training.probe.close()
    folder = training.probe.run
    assert folder is not None
    with (folder / "events.jsonl").open("a") as events:
        for step in (3, 4, 9):
            events.write(f'{{"event":"skipped","time":1.0,"step":{step}}}\n')
    resumed = ResumedRun(folder, RunLock(folder))
    assert [resumed.step_after(taken) for taken in (1, 2, 3, 6, 7)] == [1, 2, 5, 8, 10]
    resumed.lock.release()


def test_a_training_with_other_layers_gets_a_run_of_its_own(home: Path, opened: Opened) -> None:
    first = Training()
    first.watch(resume="a")
    first.run(3)
    old = opened(first.probe)
    second = Training(width=6)
    with pytest.warns(
        WatchWarning, match=r"cannot continue .*: its layer 0 has 25 parameters there and 30 here"
    ):
        second.watch(resume="a")
    second.run(2)
    run = opened(second.probe)
    assert run.folder != old.folder
    check(run, second)
    check(old, first)
    # The newest of the name is continued next.
    third = Training(width=6)
    third.watch(resume="a")
    third.step = 2
    third.run(1)
    assert opened(third.probe).folder == run.folder


def test_one_process_at_a_time_also_after_a_fork(
    home: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumed_run, "ANSWER_SECONDS", 0.1)
    first, second = Training(), Training()
    first.watch(resume="a")
    first.run(2)
    with pytest.warns(WatchWarning, match="is being recorded by another process") as told:
        second.watch(resume="a")
    assert len(told) == 1
    assert second.probe.run is None
    second.run(2)
    child = os.fork()
    if child == 0:
        # A data loader's worker outlives the close.
        time.sleep(5)
        os._exit(0)
    try:
        opened(first.probe)
        second.watch(resume="a")
        assert second.probe.run == first.probe.run
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    second.run(1)
    opened(second.probe)


SCRIPT = """
import sys, time, torch, gradtui
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
probe = gradtui.watch(model, optimizer, budget=None, resume="killed")
for step in range(1, 10**9):
    time.sleep(0.001)
    optimizer.zero_grad()
    loss = model(torch.ones(8, 4)).square().mean()
    loss.backward()
    optimizer.step()
    probe.log(loss=loss)
    if step == 40:
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, sys.argv[1])
    if step == 60:
        print("on", flush=True)
"""


@pytest.mark.long
def test_continues_after_the_process_was_killed(
    home: Path, opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumed_run, "ANSWER_SECONDS", 0.1)
    saved = tmp_path / "checkpoint"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(saved)], env=environment(tmp_path), stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"on\n"
        training = Training()
        with pytest.warns(WatchWarning, match="is being recorded by another process"):
            training.watch(resume="killed")
        time.sleep(0.3)
    finally:
        process.kill()
        process.communicate()
    (info,) = list_runs(home)
    assert info.status.state == "died"
    assert info.steps >= 60
    training.watch(resume="killed")
    training.load(torch.load(saved, weights_only=True), 40)
    training.run(5)
    run = opened(training.probe)
    steps, norms = run.layers("grad_norm")
    assert steps.tolist() == list(range(1, 46))
    np.testing.assert_allclose(norms[40:], [row[:2] for row in training.wanted.values()], rtol=1e-5)
    assert run.scalars("loss")[0].tolist() == list(range(1, 46))
    assert (run.status.state, run.status.step) == ("finished", 45)


def test_wrong_step_is_one_line(home: Path) -> None:
    with pytest.warns(WatchWarning, match=r"watch\(step=…\): expected a number of steps, not 'x'"):
        Training().watch(step="x")
