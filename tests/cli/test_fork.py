"""`gradtui run --from` starts a run from a checkpoint of a real training that broke."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from gradtui import open_run
from gradtui.runs.meta import RunMeta, write_meta
from gradtui.runs.reader import Run
from gradtui.training.checkpoints.files import list_checkpoints, list_rollbacks
from tests.support.command_line import forked_gradtui, gradtui, strictly


@dataclass
class Parent:
    """A run that a command trained, in a home of its own."""

    home: Path
    report: str
    """What was printed of it."""
    run: Run


def trained(home: Path, *words: str) -> tuple[Path, str, Run]:
    result = gradtui(home, "run", *words)
    assert result.returncode == 0, result.stderr
    return home, result.stdout, open_run(next((home / "runs").iterdir()))


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Parent:
    return Parent(*trained(tmp_path_factory.mktemp("broken"), "explode-relu-gain", "--steps", "60"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Parent:
    """Four layers, and checkpoints of steps 10 and 20."""
    words = ["--set", "net.0.repeat=4", "--steps", "20", "--set", "run.checkpoint_every=10"]
    return Parent(*trained(tmp_path_factory.mktemp("finished"), "sigmoid-20", *words))


@pytest.mark.long
def test_a_broken_run_is_forked_before_it_broke_and_the_report_says_how(broken: Parent) -> None:
    ((step, _),) = list_rollbacks(broken.run.folder)
    hint = f"gradtui run --from {broken.run.folder.name} --set K=V   (goes back to step {step}, before it diverged)"
    assert hint in broken.report
    result = gradtui(broken.home, "run", "--from", "explode", "--set", "optimizer.lr=1e-5", "--json")
    assert result.returncode == 0, result.stderr
    told = strictly(result.stdout)
    run = open_run(told["run"])
    assert (told["status"], told["steps"]) == ("finished", 60)
    meta = json.loads((run.folder / "run.json").read_bytes())
    assert meta["parent"] == {"run": broken.run.folder.name, "step": step}
    assert run.experiment is not None
    assert run.experiment.optimizer.lr == 1e-5
    steps, losses = run.scalars("loss")
    assert steps[0] == step + 1
    assert losses[0] == broken.run.scalars("loss")[1][step]
    assert np.isfinite(losses).all()


@pytest.mark.long
def test_a_step_can_be_named_and_the_fork_counts_on_from_it(finished: Parent) -> None:
    steps = sorted(step for step, _ in list_checkpoints(finished.run.folder))
    assert steps == [10, 20]
    words = [
        "run",
        "--from",
        f"{finished.run.folder}@10",
        "--steps",
        "30",
        "--runs",
        str(finished.home / "other"),
    ]
    result = gradtui(finished.home, *words)
    assert result.returncode == 0, result.stderr
    (folder,) = (finished.home / "other").iterdir()
    run = open_run(folder)
    np.testing.assert_array_equal(run.scalars("loss")[0], range(11, 31))
    np.testing.assert_array_equal(run.scalars("loss")[1][:10], finished.run.scalars("loss")[1][10:])
    assert f"from step 10 of {finished.run.folder.name}" in result.stdout
    assert "finished after 30 steps" in result.stdout


def test_what_cannot_be_forked_is_one_line_and_makes_no_folder(finished: Parent) -> None:
    script = finished.home / "runs" / "script"
    script.mkdir(exist_ok=True)
    write_meta(script, RunMeta(id="script", name="script", kind="script"))
    before = sorted((finished.home / "runs").iterdir())
    for words, said in (
        (["--from", "nowhere"], "nowhere: no run with this name"),
        (["--from", "sigmoid@7"], "@7: no checkpoint at this step; there are checkpoints at 10, 20"),
        (["--from", "sigmoid@x"], "sigmoid@x: no run with this name"),
        (["--from", "script"], "script: was trained by a script"),
        (["--from", "sigmoid", "--steps", "20"], "run.steps: 20 is not allowed; expected more than 20"),
        (["--from", "sigmoid@10", "--set", "net.0.width=8"], "net.0.width: gives the net another shape"),
        (["--from", "sigmoid@10", "--set", "net.0.init=he"], "net.0.init: sets the initial weights"),
        (["--from", "sigmoid@10", "--set", "seed=4"], "seed: a fork continues with the examples of step 10"),
        (["--from", "sigmoid@10", "--set", "net.0.wdth=8"], "net.0.wdth"),
        (["sigmoid-20", "--from", "sigmoid"], "takes no other one (sigmoid-20)"),
        (["--resume", "sigmoid", "--from", "sigmoid"], "choose one of them"),
    ):
        result = forked_gradtui(finished.home, "run", *words)
        assert (result.returncode, result.stdout) == (2, ""), result.stderr
        assert said in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert sorted((finished.home / "runs").iterdir()) == before
