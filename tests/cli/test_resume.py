"""`gradtui run --resume` resumes runs whose trainers were really killed."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import numpy as np
import pytest

from gradtui import open_run
from gradtui.runs.follower import Follower
from gradtui.runs.meta import RunMeta, write_meta
from gradtui.runs.reader import Run
from gradtui.training.checkpoints.files import list_checkpoints
from gradtui.training.checkpoints.tensors import read_tensors
from tests.support.command_line import forked_gradtui, gradtui, start, strictly
from tests.support.waiting import until

STEPS = 3000
FILES = {
    "batch norm, momentum, cosine": """
        optimizer = { lr = 0.02, momentum = 0.9, schedule = "cosine" }
        net = [{ width = 32, repeat = 8, activation = "relu", init = "he", norm = "batch" }]
    """,
    "residual, adam, clipped": """
        optimizer = { kind = "adam", lr = 0.001 }
        cures = { clip_norm = 0.5, l2 = 0.0001 }
        net = [{ width = 32, repeat = 6, activation = "tanh", shortcut = "rezero" }]
    """,
}
RUN = (
    f'name = "mine"\nrun = {{ steps = {STEPS}, checkpoint_every = 100, eval_every = 500, device = "cpu" }}\n'
)


def runs_of(home: Path) -> list[Path]:
    return sorted((home / "runs").glob("*"))


def killed_at(home: Path, words: list[str], step: int) -> Run:
    """Start a run, and kill its trainer with SIGKILL once it has recorded that step."""
    command = start(home, "run", *words)
    folder = until(lambda: runs_of(home))[0]
    until(lambda: (folder / "grad_norm.f32").exists() and open_run(folder).steps >= step)
    run = open_run(folder)
    assert run.meta is not None
    os.kill(run.meta.pid, signal.SIGKILL)
    _, errors = command.communicate(timeout=60)
    assert command.returncode == 1
    assert f"died at step {run.steps}" in errors
    assert run.status.state == "died"
    assert step <= run.steps < STEPS
    return run


def assert_same(run: Run, other: Run) -> None:
    for name in ("loss", "accuracy", "lr", "grad_norm"):
        for ours, theirs in zip(run.scalars(name), other.scalars(name), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(run.layers("grad_norm"), other.layers("grad_norm"), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    ends = [read_tensors(list_checkpoints(one.folder)[0][1]) for one in (run, other)]
    assert ends[0][0].keys() == ends[1][0].keys()
    assert all(bool((ends[0][0][name] == ends[1][0][name]).all()) for name in ends[0][0])


@pytest.mark.long
@pytest.mark.parametrize("case", FILES.values(), ids=FILES)
def test_a_run_that_was_killed_comes_to_the_same_end_as_one_that_was_not(tmp_path: Path, case: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(RUN + "\n".join(line.strip() for line in case.splitlines()))
    assert gradtui(tmp_path / "whole", "run", str(file)).returncode == 0
    whole = open_run(runs_of(tmp_path / "whole")[0])

    home = tmp_path / "killed"
    step = random.Random(case).randrange(250, 1000)
    run = killed_at(home, [str(file)], step)
    follower = Follower(run)
    assert follower.poll() is not None
    lost = run.steps

    result = gradtui(home, "run", "--resume", run.folder.name, "--json")
    assert result.returncode == 0, result.stderr
    summary = strictly(result.stdout)
    assert (summary["run"], summary["status"], summary["steps"]) == (str(run.folder), "finished", STEPS)
    assert_same(run, whole)
    (event,) = [event for event in run.events() if event["event"] == "resumed_from"]
    assert event["step"] % 100 == 0
    assert event["step"] <= lost
    assert event["path"] == f"checkpoints/step-{event['step']:09d}.safetensors"

    # A viewer that followed all the time and one that opens the run now see the same history.
    for watcher in (follower, Follower(run)):
        snapshot = watcher.poll()
        assert snapshot is not None
        assert (snapshot.status.state, snapshot.step, snapshot.steps) == ("finished", STEPS, STEPS)
        assert snapshot.timeline.recorded == STEPS
        assert snapshot.timeline.first_step == 1
        steps = snapshot.curves["loss"].step
        assert (np.diff(steps) > 0).all()
        evaluations = [evaluation["step"] for evaluation in snapshot.evaluations]
        assert evaluations == [500, 1000, 1500, 2000, 2500, 3000]
    assert [info["run"] for info in strictly(forked_gradtui(home, "runs", "--json").stdout)] == [
        str(run.folder)
    ]


@pytest.mark.long
def test_a_stopped_run_continues_and_a_finished_one_only_further(tmp_path: Path) -> None:
    words = ["run", "sigmoid-20", "--set", "net.0.repeat=4", "--set", "run.eval_every=0"]
    command = start(tmp_path, *words, "--steps", "200000")
    folder = until(lambda: runs_of(tmp_path))[0]
    until(lambda: (folder / "grad_norm.f32").exists() and open_run(folder).steps > 50)
    refused = gradtui(tmp_path, "run", "--resume", folder.name)
    assert refused.returncode == 2
    assert "is being trained" in refused.stderr
    command.terminate()
    command.communicate(timeout=60)
    run = open_run(folder)
    assert run.status.state == "stopped"
    first, losses = run.steps, run.scalars("loss")[1]

    # On to fewer steps than were planned at first; then they are done.
    goal = first + 100
    result = gradtui(tmp_path, "run", "--resume", "sigmoid", "--steps", str(goal), "--quiet")
    assert result.returncode == 0, result.stderr
    assert (run.status.state, run.steps, run.meta and run.meta.steps) == ("finished", goal, goal)
    np.testing.assert_array_equal(run.scalars("loss")[0], range(1, goal + 1))
    np.testing.assert_array_equal(run.scalars("loss")[1][:first], losses)
    (event,) = [event for event in run.events() if event["event"] == "resumed_from"]
    assert event["step"] == first

    for words, said in (([], "has finished"), (["--steps", str(goal)], "has already taken")):
        refused = gradtui(tmp_path, "run", "--resume", folder.name, *words)
        assert refused.returncode == 2
        assert said in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    assert gradtui(tmp_path, "run", "--resume", folder.name, "--steps", str(goal + 5)).returncode == 0
    assert run.steps == goal + 5


def test_what_cannot_be_resumed_is_one_line(home: Path) -> None:
    script = home / "runs" / "script"
    script.mkdir(parents=True)
    write_meta(script, RunMeta(id="script", name="script", kind="script", host="elsewhere", pid=1))
    os.utime(script / "run.json", (1, 1))
    for words, said in (
        (["--resume", "nowhere"], "nowhere: no run with this name"),
        (["--resume", "script"], "script: was trained by a script"),
        (["sigmoid-20", "--resume", "script"], "only --steps can be changed, not sigmoid-20"),
        (["--set", "seed=1", "--resume", "script"], "only --steps can be changed, not seed=1"),
    ):
        result = forked_gradtui(home, "run", *words)
        assert result.returncode == 2
        assert said in result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert result.stdout == ""
