"""Test that every kind of recording records, and changes nothing of the training."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import gradtui
from tests.benchmarks.peers.kinds import KINDS, MODELS, installed, missing
from tests.benchmarks.peers.nets import training
from tests.benchmarks.peers.recorders import RECORDERS


def trained(kind: str, folder: Path, steps: int = 3) -> torch.Tensor:
    """Return the weights after some steps."""
    model, optimizer, loss_of_next = learning = training("mlp")
    folder.mkdir(exist_ok=True)
    recorder = RECORDERS[kind](learning, folder)
    for step in range(1, steps + 1):
        recorder.resume()
        optimizer.zero_grad()
        loss = loss_of_next()
        loss.backward()
        recorder.backward(step)
        optimizer.step()
        recorder.stepped(step, loss)
    recorder.close()
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach()


def test_every_kind_has_its_recorder() -> None:
    assert list(RECORDERS) == list(KINDS)
    assert set(installed()) == {name for name, kind in KINDS.items() if kind.needs not in missing()}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bare"])
def test_recorder_leaves_the_training_unchanged(kind: str, tmp_path: Path) -> None:
    if kind not in installed():
        pytest.skip(f"{KINDS[kind].needs} is not installed")
    assert torch.equal(trained(kind, tmp_path / kind), trained("bare", tmp_path / "bare"))
    if kind != "item-loop":
        assert sum(path.stat().st_size for path in (tmp_path / kind).rglob("*") if path.is_file()) > 1000


def test_what_it_records_of_every_layer_is_there(tmp_path: Path) -> None:
    trained("every-step", tmp_path / "runs", 4)
    (folder,) = (tmp_path / "runs").iterdir()
    steps, norms = gradtui.open_run(folder).layers("grad_norm")
    np.testing.assert_array_equal(steps, [1, 2, 3, 4])
    assert norms.shape[1] == 50
    assert (norms > 0).all()


@pytest.mark.parametrize("name", MODELS)
def test_models_are_what_they_are_called(name: str) -> None:
    learning = training(name)
    layers = [m for m in learning.model.modules() if isinstance(m, torch.nn.Linear)]
    if name != "transformer":
        depth, _, width = MODELS[name].replace(",", "").partition(" × ")
        assert len(layers) == int(depth)
        assert {layer.out_features for layer in layers[:-1]} == {int(width)}
    assert torch.isfinite(learning.loss())


@pytest.mark.long
def test_a_trainer_answers_turn_by_turn(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.peers.trainer", "mlp", "every-step", str(tmp_path / "runs")],
        input="2\n3\n",
        capture_output=True,
        text=True,
        check=True,
    )
    *turns, size = done.stdout.splitlines()
    assert [len(turn.split()) for turn in turns] == [2, 2]
    assert all(float(word) > 0 for turn in turns for word in turn.split())
    assert float(size) > 200
    (folder,) = (tmp_path / "runs").iterdir()
    assert gradtui.open_run(folder).layers("grad_norm")[0].tolist() == [1, 2, 3, 4, 5, 6, 7]
