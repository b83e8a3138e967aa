"""Test a start from a checkpoint: loaded layers, frozen layers, and unusable files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from gradtui.experiment import Experiment, net_shape, set_fields
from gradtui.experiment.errors import ExperimentError
from gradtui.nets import Net
from gradtui.runs.reader import Run
from gradtui.training.checkpoints.files import list_checkpoints
from gradtui.training.checkpoints.restoring import load_layers
from gradtui.training.checkpoints.tensors import read_tensors
from gradtui.training.session import build
from tests.support.trainings import small, trained

DEEP = {"net.0.repeat": 3, "net.0.norm": "batch", "net.0.activation": "prelu"}


def deep(**changes: Any) -> Experiment:
    dotted = {path.replace("__", "."): value for path, value in changes.items()}
    return set_fields(small(run__steps=12), {**DEEP, **dotted})


def tuned(path: Path, **changes: Any) -> Experiment:
    start = {"cures__pretrain__kind": "checkpoint", "cures__pretrain__path": str(path)}
    return deep(seed=5, **start, **changes)


def model(run: Run) -> dict[str, torch.Tensor]:
    """Return the tensors of the newest checkpoint."""
    return read_tensors(list_checkpoints(run.folder)[0][1])[0]


def of_layer(tensors: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    return {key: value for key, value in tensors.items() if key.startswith(f"model.{name}.")}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run to start from: three batch-normed layers with learned slopes."""
    return trained(tmp_path_factory.mktemp("runs") / "first", deep())[0]


def loaded(run: Run) -> dict[str, Any]:
    (event,) = [event for event in run.events() if event["event"] == "loaded"]
    return {**event}


def test_folder_of_a_run_loads_all_layers_of_its_newest_checkpoint(first: Run, tmp_path: Path) -> None:
    exp = tuned(first.folder)
    session = build(exp)
    result = load_layers(session.net, exp.cures.pretrain.path)
    assert result.path == list_checkpoints(first.folder)[0][1]
    assert result.loaded == [layer.name for layer in net_shape(exp).layers]
    assert result.fresh == []
    tensors = model(first)
    for name, tensor in session.net.state_dict().items():
        assert torch.equal(tensor, tensors[f"model.{name}"])
    assert "model.dense2.norm1.running_var" in tensors
    assert "model.dense2.activation1.weight" in tensors


def test_matching_layers_are_loaded_and_the_others_fresh(first: Run, tmp_path: Path) -> None:
    """One layer more, a wider third one: a name that is new, shapes that are others."""
    groups = [{"width": 16, "repeat": 2}, {"width": 20}, {"width": 16, "repeat": 1}]
    exp = set_fields(
        tuned(first.folder, run__steps=1),
        {"net": [{**group, "norm": "batch", "activation": "prelu"} for group in groups]},
    )
    session = build(exp)
    fresh = {name: tensor.clone() for name, tensor in session.net.state_dict().items()}
    result = load_layers(session.net, exp.cures.pretrain.path)
    assert result.loaded == ["dense1", "dense2", "output"]
    assert result.fresh == ["dense3", "dense4"]
    tensors = model(first)
    for name, tensor in session.net.state_dict().items():
        source = fresh[name] if name.startswith(("dense3", "dense4")) else tensors[f"model.{name}"]
        assert torch.equal(tensor, source)
    run, _ = trained(tmp_path / "run", exp)
    event = loaded(run)
    assert (event["step"], event["loaded"], event["fresh"]) == (0, result.loaded, result.fresh)
    assert event["path"] == str(list_checkpoints(first.folder)[0][1])
    assert event["frozen"] == []


def test_any_safetensors_file_with_matching_names_is_loaded(tmp_path: Path) -> None:
    exp = small()
    donor = build(set_fields(exp, {"seed": 9})).net
    safetensors.torch.save_file(donor.state_dict(), tmp_path / "mine.safetensors")
    net = build(exp).net
    result = load_layers(net, str(tmp_path / "mine.safetensors"))
    assert result.fresh == []
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), donor.parameters(), strict=True))


def test_frozen_layers_do_not_move_but_their_gradient_is_recorded(first: Run, tmp_path: Path) -> None:
    exp = tuned(
        first.folder,
        cures__pretrain__freeze=2,
        cures__l2=0.1,
        optimizer__kind="adamw",
        optimizer__weight_decay=0.5,
        run__eval_every=3,
    )
    run, _ = trained(tmp_path / "run", exp)
    assert loaded(run)["frozen"] == ["dense1", "dense2"]
    before, after = model(first), model(run)
    for name in ("dense1", "dense2"):
        old, new = of_layer(before, name), of_layer(after, name)
        assert len(old) == 8, "weights, biases, a norm's two and three, a slope"
        assert all(torch.equal(old[key], new[key]) for key in old), (
            "not even what a norm learns of its inputs"
        )
    for name in ("dense3", "output"):
        assert not any(
            torch.equal(tensor, after[key])
            for key, tensor in of_layer(before, name).items()
            if key.endswith("weight")
        )
    _, norms = run.layers("grad_norm")
    assert (norms > 0).all()
    _, ratios = run.layers("update_ratio")
    assert (ratios[:, :2] == 0).all()
    assert (ratios[:, 2:] > 0).all()


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw", "rmsprop"])
def test_no_optimizer_moves_frozen_layers(tmp_path: Path, kind: str) -> None:
    start = {"cures.pretrain.kind": "autoencoder", "cures.pretrain.epochs": 2, "cures.pretrain.freeze": 2}
    exp = set_fields(
        small(run__steps=9, optimizer__kind=kind, optimizer__momentum=0.9),
        {**start, "net.0.norm": "batch"},
    )
    run, _ = trained(tmp_path / "run", exp)
    files = dict(list_checkpoints(tmp_path / "run"))
    old, new = read_tensors(files[0])[0], read_tensors(files[9])[0]
    model_names = [name for name in old if name.startswith("model.")]
    moved = {name.split(".")[1] for name in model_names if not torch.equal(old[name], new[name])}
    assert moved == {"output"}
    assert np.isfinite(run.scalars("loss")[1]).all()


def test_frozen_batch_norm_never_changes() -> None:
    net: Net = build(deep(cures__pretrain__kind="autoencoder", cures__pretrain__freeze=2)).net
    norms = [module for module in net.modules() if isinstance(module, torch.nn.BatchNorm1d)]
    for _ in range(2):
        assert [norm.training for norm in norms] == [False, False, True]
        net.eval()
        assert not any(norm.training for norm in norms)
        net.train()


def problem(path: Path, net: Net) -> str:
    with pytest.raises(ExperimentError) as caught:
        load_layers(net, str(path))
    assert caught.value.field == "cures.pretrain.path"
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_missing_corrupt_or_foreign_file_raises_one_line(first: Run, tmp_path: Path) -> None:
    net = build(small()).net
    assert "no such file" in problem(tmp_path / "missing.safetensors", net)
    (tmp_path / "empty").mkdir()
    assert "contains no checkpoint" in problem(tmp_path / "empty", net)
    whole = list_checkpoints(first.folder)[0][1].read_bytes()
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(whole[: len(whole) // 2])
    assert "is not a complete safetensors file" in problem(torn, net)
    other = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"encoder.weight": torch.zeros(3)}, other)
    assert "none of its tensors" in problem(other, net)


def test_run_fails_with_the_line_of_its_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"cures\.pretrain\.path: .*gone\.safetensors: no such file"):
        trained(tmp_path / "run", tuned(tmp_path / "gone.safetensors"))
