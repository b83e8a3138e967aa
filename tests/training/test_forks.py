"""Test forks: bit-identical where nothing is changed, refused where they cannot continue."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from gradtui.experiment import Experiment, load, set_fields, to_dict
from gradtui.experiment.errors import ExperimentError
from gradtui.runs.control import ControlReader
from gradtui.runs.errors import RunError
from gradtui.runs.folder import EXPERIMENT_FILE
from gradtui.runs.meta import Parent, RunMeta, RunOrigin, read_meta, read_origin, write_meta
from gradtui.runs.reader import Run, open_run
from gradtui.training.checkpoints.files import checkpoint_path, list_checkpoints, parent_path
from gradtui.training.checkpoints.tensors import read_tensors
from gradtui.training.controls import StopRequest
from gradtui.training.forks import Fork, check, create, fork_of
from gradtui.training.launch import create_run
from gradtui.training.run import train
from gradtui.training.session import build
from tests.support.trainings import small, trained
from tests.training.checkpoints.conftest import written_at_once

PARENT = small(
    run__steps=40,
    run__checkpoint_every=10,
    net__0__norm="batch",
    net__0__activation="relu",
    optimizer__momentum=0.9,
    optimizer__schedule="cosine",
)


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Its checkpoints are those of steps 20, 30 and 40."""
    with written_at_once():
        return trained(tmp_path_factory.mktemp("runs") / "parent", PARENT)[0]


def forked(parent: Run, step: int, root: Path, **changes: Any) -> Run:
    """A fork of that step, trained to its end in this process."""
    fork = fork_of(parent.folder, step)
    exp = set_fields(fork.experiment, {path.replace("__", "."): value for path, value in changes.items()})
    folder = create(fork, exp, root)
    return go_on(folder)


def go_on(folder: Path) -> Run:
    """As the trainer's process does, but for the event of the end."""
    exp, start = load(folder / EXPERIMENT_FILE), read_origin(folder)
    again = (folder / "run.json").exists()
    meta = read_meta(folder) if again else RunMeta.of_this_process(id=folder.name, name=exp.name)
    meta = replace(meta, experiment=to_dict(exp), steps=exp.run.steps, parent=start.parent)
    commands = ControlReader(folder, skip_old=True) if again else None
    train(folder, exp, meta, StopRequest(), commands=commands, start=start)
    return open_run(folder)


def end(run: Run) -> dict[str, torch.Tensor]:
    return read_tensors(list_checkpoints(run.folder)[0][1])[0]


def story(run: Run, *kinds: str) -> list[dict[str, Any]]:
    return [{**event} for event in run.events() if event["event"] in kinds]


def assert_goes_on_as(run: Run, parent: Run, step: int) -> None:
    for name in ("loss", "accuracy", "lr", "grad_norm"):
        steps, values = run.scalars(name)
        np.testing.assert_array_equal(steps, range(step + 1, 41))
        np.testing.assert_array_equal(values, parent.scalars(name)[1][step:])
    np.testing.assert_array_equal(run.layers("grad_norm")[1], parent.layers("grad_norm")[1][step:])
    ours, theirs = end(run), end(parent)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_unchanged_fork_continues_bit_identical_from_the_parents_step(parent: Run, tmp_path: Path) -> None:
    run = forked(parent, 20, tmp_path)
    assert_goes_on_as(run, parent, 20)
    assert run.meta is not None
    assert run.meta.parent == Parent("parent", 20)
    assert run.steps == 40
    (event,) = story(run, "forked_from")
    assert event["step"] == 20
    assert (event["run"], event["optimizer"], event["why"]) == ("parent", "kept", "")
    assert run.folder / event["path"] == parent_path(run.folder, 20)
    assert story(run, "rewound", "resumed_from") == []


def test_change_acts_from_the_forks_first_step_and_nothing_else_differs(parent: Run, tmp_path: Path) -> None:
    run = forked(parent, 20, tmp_path, optimizer__lr=0.01, cures__clip_norm=0.1)
    steps, loss = run.scalars("loss")
    # The first loss is that of the parent's weights on the parent's batch.
    assert (steps[0], loss[0]) == (21, parent.scalars("loss")[1][20])
    assert (loss[1:] != parent.scalars("loss")[1][21:]).all()
    np.testing.assert_allclose(run.scalars("lr")[1], parent.scalars("lr")[1][20:] / 10, rtol=1e-5)
    assert (run.scalars("grad_norm_clipped")[1] <= 0.1001).all()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"optimizer__kind": "adam"}, "adam cannot continue with the state of sgd"),
        ({"optimizer__momentum": 0.0}, ""),
        ({"net__0__activation": "tanh"}, ""),
        ({"run__precision": "bf16"}, ""),
    ],
)
def test_fork_keeps_the_optimizer_state_of_the_same_kind(
    parent: Run, tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    run = forked(parent, 30, tmp_path, **changes)
    (event,) = story(run, "forked_from")
    assert (event["optimizer"], event["why"]) == ("fresh" if why else "kept", why)
    assert run.steps == 40
    assert np.isfinite(run.scalars("loss")[1]).all()


def test_fork_adds_momentum_to_rmsprop_and_freezing_resets_the_optimizer(tmp_path: Path) -> None:
    start = {"cures.pretrain.kind": "autoencoder", "cures.pretrain.epochs": 1}
    exp = set_fields(small(run__steps=8, optimizer__kind="rmsprop", optimizer__lr=0.001), start)
    first, _ = trained(tmp_path / "first", exp)
    run = forked(first, 8, tmp_path, run__steps=12, optimizer__momentum=0.9)
    assert "optimizer.momentum_buffer" in end(run)
    assert end(run)["optimizer.momentum_buffer"].abs().sum() > 0
    run = forked(first, 8, tmp_path, run__steps=12, cures__pretrain__freeze=1)
    assert (
        story(run, "forked_from")[0]["why"] == "other layers are frozen, so the optimizer moves other weights"
    )
    old, new = end(first), end(run)
    moved = {
        name.split(".")[1]
        for name in old
        if name.startswith("model") and not torch.equal(old[name], new[name])
    }
    assert moved == {"dense2", "output"}
    assert len(story(run, "pretrain")) == 0


def test_batches_of_another_size_continue_at_the_same_examples(parent: Run, tmp_path: Path) -> None:
    # 160 examples, 10 batches of 16 in an epoch: step 20 is the end of the second, step 30 of the third.
    run = forked(parent, 20, tmp_path, data__batch_size=32, run__steps=21)
    ours, theirs = build(run.experiment or PARENT), build(PARENT)
    ours.batches.restore({"epoch": 2, "taken": 0})
    theirs.batches.restore({"epoch": 2, "taken": 0})
    next(ours.batches)
    pair = [next(theirs.batches) and theirs.batches.chosen() for _ in range(2)]
    assert ours.batches.chosen() == pair[0] + pair[1]
    assert run.steps == 21


def test_killed_fork_restarts_at_its_beginning_without_the_parent(parent: Run, tmp_path: Path) -> None:
    other = Run(Path(shutil.copytree(parent.folder, tmp_path / "parent")))
    run = forked(other, 20, tmp_path)
    shutil.rmtree(other.folder)
    for _, path in list_checkpoints(run.folder):
        path.unlink()
    again = go_on(run.folder)
    assert_goes_on_as(again, parent, 20)
    assert [event["step"] for event in story(again, "rewound", "forked_from")] == [20, 20, 20]
    # And from its own checkpoint, once it has one.
    checkpoint_path(run.folder, 40).unlink()
    shutil.copyfile(checkpoint_path(parent.folder, 30), checkpoint_path(run.folder, 30))
    again = go_on(run.folder)
    assert_goes_on_as(again, parent, 20)
    assert story(again, "resumed_from")[-1]["step"] == 30


def test_fork_of_a_fork_can_start_where_the_first_fork_did(parent: Run, tmp_path: Path) -> None:
    first = forked(parent, 20, tmp_path, optimizer__lr=0.02)
    second = forked(first, 20, tmp_path, optimizer__lr=0.1)
    assert_goes_on_as(second, parent, 20)
    assert second.parent == Parent(first.folder.name, 20)


def test_fork_with_a_cure_names_the_cure_and_shares_the_parents_steps(tmp_path: Path) -> None:
    twin = Parent("20260101-000000-ill", 0, "relu")
    folder = create_run(PARENT, tmp_path, parent=twin)
    assert read_origin(folder) == RunOrigin(parent=twin)
    run = go_on(folder)
    assert run.parent == twin
    assert run.scalars("loss")[0][0] == 1
    assert story(run, "forked_from") == []


REFUSED = {
    "seed": 5,
    "data.scaling": "none",
    "data.samples": 300,
    "net.0.width": 8,
    "net.0.repeat": 3,
    "net.0.norm": "none",
    "net.0.activation": "prelu",
    "net.0.init": "he",
    "net.0.gain": 2.0,
    "net.0.bias_std": 0.5,
    "net.0.shortcut": "rezero",
    "net.0.layers": 2,
    "cures.pretrain.kind": "autoencoder",
    "net": [{"width": 16}, {"width": 16}],
    "run.steps": 20,
}


@pytest.mark.parametrize(("field", "value"), REFUSED.items(), ids=REFUSED)
def test_forbidden_change_raises_one_line_with_the_field(parent: Run, field: str, value: Any) -> None:
    fork = fork_of(parent.folder, 20)
    with pytest.raises(ExperimentError) as caught:
        check(fork, set_fields(fork.experiment, {field: value}))
    assert caught.value.field == field
    assert "\n" not in str(caught.value)
    assert field == "run.steps" or "start from scratch instead" in str(caught.value)


def test_error_names_the_change_that_alters_the_shapes(parent: Run) -> None:
    fork = fork_of(parent.folder, 20)
    changes = {"optimizer.lr": 0.01, "net.0.activation": "elu", "net.0.width": 8}
    with pytest.raises(
        ExperimentError, match=r"net\.0\.width: gives the net another shape than the weights of"
    ):
        check(fork, set_fields(fork.experiment, changes))
    del changes["net.0.width"]
    check(fork, set_fields(fork.experiment, changes))


NETS: dict[str, dict[str, Any]] = {
    "plain": {},
    "batch": {"norm": "batch"},
    "layer": {"norm": "layer"},
    "residual": {"layers": 2, "shortcut": "identity", "norm": "layer"},
    "pre": {"layers": 2, "shortcut": "identity", "order": "pre"},
    "prelu": {"activation": "prelu"},
    "prelu residual": {"activation": "prelu", "shortcut": "identity", "layers": 2},
}
CHANGES: list[dict[str, Any]] = [
    *({"activation": name} for name in ("relu", "elu", "gelu", "prelu", "leaky_relu")),
    *({"norm": name} for name in ("none", "batch", "layer", "group", "rms")),
    *({"shortcut": name} for name in ("none", "identity", "rezero", "highway")),
    *({"order": name} for name in ("pre", "post")),
    {"branch_gain": "depth"}, {"layers": 1}, {"layers": 2}, {"width": 8}, {"repeat": 2}, {"slope": 0.2},
    {"kernel": 5}, {"heads": 2}, {"norm": "group", "order": "pre"}, {"shortcut": "identity", "order": "pre"},
]  # fmt: skip


def problem_of(fork: Fork, exp: Experiment) -> str:
    try:
        check(fork, exp)
    except ExperimentError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", NETS)
def test_check_without_torch_agrees_with_loading_the_checkpoint(parent: Run, name: str) -> None:
    """Every change of a net that is let through leaves the very same tensors; what leaves them is let through."""
    fork = fork_of(parent.folder, 20)
    base = set_fields(small(), {"net": [{"width": 16, "repeat": 3, "activation": "tanh", **NETS[name]}]})
    theirs = {key: value.shape for key, value in build(base).net.state_dict().items()}
    for change in CHANGES:
        exp: Experiment = set_fields(base, {f"net.0.{field}": value for field, value in change.items()})
        ours = {key: value.shape for key, value in build(exp).net.state_dict().items()}
        problem = problem_of(Fork(fork.run, 0, fork.path, base), exp)
        learned = "slope" in change and "prelu" in name
        assert bool(problem) == (ours != theirs or learned), (name, change, problem)


def test_default_is_the_newest_checkpoint_or_the_rollback_point_of_a_diverged_run(
    parent: Run, tmp_path: Path
) -> None:
    assert fork_of(parent.folder).step == 40
    exp = small(optimizer__lr=1e30, net__0__activation="relu", run__steps=100)
    broken, _ = trained(tmp_path / "broken", exp)
    fork = fork_of(broken.folder)
    assert (fork.step, fork.path.name) == (0, "rewind-000000000.safetensors")
    cured = forked(broken, 0, tmp_path, optimizer__lr=0.1)
    assert cured.steps == 100
    assert np.isfinite(cured.scalars("loss")[1]).all()
    with pytest.raises(RunError, match=r"broken@7: no checkpoint at this step; there are checkpoints at 0$"):
        fork_of(broken.folder, 7)


def test_run_without_checkpoint_and_script_run_raise_one_line(tmp_path: Path) -> None:
    folder = create_run(PARENT, tmp_path)
    with pytest.raises(RunError, match="no checkpoint to continue from"):
        fork_of(folder)
    write_meta(folder, RunMeta(id="x", name="x", kind="script"))
    with pytest.raises(RunError, match="was trained by a script"):
        fork_of(folder)


def test_incomplete_folder_is_removed(parent: Run, tmp_path: Path) -> None:
    fork = fork_of(parent.folder, 20)
    gone = Fork(fork.run, fork.step, tmp_path / "gone", fork.experiment)
    with pytest.raises(OSError, match="gone"):
        create(gone, fork.experiment, tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []
