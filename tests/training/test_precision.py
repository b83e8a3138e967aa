"""Test half precision: the scale of the loss against torch's GradScaler, and gradients that fp16 loses."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gradtui.experiment import RunSettings, from_dict
from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.errors import ExperimentError
from gradtui.runs.meta import RunMeta
from gradtui.runs.reader import open_run
from gradtui.training.failures import reason_of
from gradtui.training.optimizers import LossScale
from gradtui.training.run import preflight
from gradtui.training.session import build
from gradtui.training.step import Stepper


def test_the_scale_adapts_as_torchs_does() -> None:
    ours = LossScale(RunSettings(precision="fp16"))
    theirs = torch.amp.GradScaler("cpu")
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    for step in range(2300):
        finite = step not in (3, 4, 50, 2200)
        assert ours.value == theirs.get_scale()
        before = parameter.item()
        theirs.scale((parameter * (1.0 if finite else math.inf)).sum()).backward()
        theirs.step(optimizer)
        theirs.update()
        optimizer.zero_grad()
        assert ours.accept(finite) == (parameter.item() != before)


@pytest.mark.parametrize(
    ("run", "value"),
    [
        (RunSettings(precision="fp16", loss_scale=1024.0), 1024.0),
        (RunSettings(precision="bf16"), 1.0),
        (RunSettings(), 1.0),
    ],
)
def test_fixed_scale_never_skips_a_step(run: RunSettings, value: float) -> None:
    scale = LossScale(run)
    assert scale.accept(False)
    assert scale.value == value


def test_loss_scale_can_be_restored() -> None:
    first = LossScale(RunSettings(precision="fp16"))
    for finite in [True] * 1500 + [False] + [True] * 1990:
        first.accept(finite)
    second = LossScale(RunSettings(precision="fp16"))
    second.restore(first.state())
    for _ in range(20):
        first.accept(True)
        second.accept(True)
    assert first.value == second.value == 65536.0


def norms(**run: Any) -> np.ndarray:
    """Gradient norms of a recipe of RECIPES.md: sigmoid, 10 layers, torch's own initialisation."""
    session = build(
        from_dict(
            {
                "net": [{"repeat": 10, "init": "torch"}],
                "data": {"batch_size": 128},
                "run": {"device": "cpu", **run},
            }
        )
    )
    stepper = Stepper(session)
    loss, _ = stepper.forward()
    stepper.backward(loss)
    stepper.measure()
    return session.flat.layer_norms()


def test_fp16_underflows_without_enough_loss_scale() -> None:
    exact = norms()
    unscaled = norms(precision="fp16", loss_scale=1.0)
    assert (unscaled[:4] == 0).all()
    assert unscaled[-1] == pytest.approx(exact[-1], rel=0.02)
    assert norms(precision="fp16", loss_scale=1024.0)[0] == 0
    np.testing.assert_allclose(norms(precision="fp16", loss_scale=65536.0), exact, rtol=0.2)
    np.testing.assert_allclose(norms(precision="fp16"), exact, rtol=0.2)


def test_bf16_keeps_the_magnitudes() -> None:
    np.testing.assert_allclose(norms(precision="bf16"), norms(), rtol=0.2)


SHORTCUTS, NORMS = ("none", "identity", "rezero", "highway"), ("none", "batch", "layer", "group", "rms")
PIECES = [
    {"block": block, "shortcut": shortcut, "norm": norm, "order": order}
    for block in ("dense", "conv", "attention", "lstm")
    for shortcut in SHORTCUTS
    for norm in NORMS
    for order in ("post", "pre")
]


def measure_pieces(pieces: list[dict[str, Any]], precision: str, place: Path) -> int:
    """Measure a net of each, and return how many are nets: every layer has its numbers, though fp16 may overflow."""
    activations, tried = itertools.cycle(ACTIVATIONS), 0
    for number, piece in enumerate(pieces):
        group = {"width": 8, "repeat": 2, "heads": 2, "activation": next(activations), **piece}
        sequence = "rows" if piece["block"] in ("attention", "lstm") else "none"
        about = {"batch_size": 4, "sequence": sequence}
        try:
            exp = from_dict({"net": [group], "data": about, "run": {"device": "cpu", "precision": precision}})
        except ExperimentError:
            continue
        folder = place / str(number)
        folder.mkdir()
        preflight(folder, exp, RunMeta.of_this_process(id="x", name="x", preflight=True))
        assert not np.isnan(open_run(folder).layers("grad_norm")[1]).any(), piece
        tried += 1
    return tried


def test_gates_and_norms_are_measured_in_half_precision(tmp_path: Path) -> None:
    """Parts of a block come in another format than the rest: a norm's output, a learned slope, a gate."""
    pieces = [piece for piece in PIECES if piece["shortcut"] == "highway" and piece["block"] == "dense"]
    assert measure_pieces(pieces, "bf16", tmp_path) == 10


@pytest.mark.long
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_every_net_is_measured_in_half_precision(precision: str, tmp_path: Path) -> None:
    assert measure_pieces(PIECES, precision, tmp_path) > 100


@pytest.mark.parametrize("activation", ["prelu", "leaky_relu"])
def test_learned_slope_is_measured_in_half_precision(activation: str, tmp_path: Path) -> None:
    squares = []
    for precision in ("fp32", "fp16"):
        folder = tmp_path / precision
        folder.mkdir()
        raw = {
            "net": [{"repeat": 3, "activation": activation, "slope": 0.25}],
            "run": {"precision": precision},
        }
        preflight(folder, from_dict(raw), RunMeta.of_this_process(id="x", name="x", preflight=True))
        squares.append(open_run(folder).layers("activation_slope")[1])
    np.testing.assert_allclose(squares[0], squares[1], rtol=0.02)


def test_one_example_and_batch_norm_is_a_plain_reason(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.ones((2, 3), np.float32), y=np.array([0, 1]))
    raw = {
        "data": {"source": "npz", "path": str(tmp_path / "x.npz")},
        "net": [{"norm": "batch"}],
        "run": {"steps": 2, "device": "cpu"},
    }
    with pytest.raises(ValueError, match="more than 1 value") as raised:
        Stepper(build(from_dict(raw))).forward()
    assert (
        reason_of(raised.value) == "batch norm needs at least two examples in a batch, but there is only one"
    )
