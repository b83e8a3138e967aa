"""Test statistics of activations against closed forms and torch's own derivatives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from gradtui.nets.activations import make_activation
from gradtui.probe.layer_stats import (
    DEAD,
    SATURATED,
    ActivationGroup,
    activation_mean,
    activation_std,
    dead_fraction,
    saturated_fraction,
)

STEEPEST = {"sigmoid": 0.25, "tanh": 1.0, "relu": 1.0, "elu": 1.0, "selu": 1.7580993408473766, "gelu": 1.0}
"""The largest derivative; of gelu and silu it is taken as 1."""


class Units(NamedTuple):
    """Each (layers,)."""

    mean: np.ndarray
    std: np.ndarray
    dead: np.ndarray
    saturated: np.ndarray


def statistics(
    function: str, module: nn.Module | None, inputs: list[torch.Tensor], outputs: list[torch.Tensor]
) -> Units:
    group = ActivationGroup(function, module, inputs, outputs)
    metrics = (activation_mean, activation_std, dead_fraction, saturated_fraction)
    return Units(*(metric(group) for metric in metrics))


def slopes(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(module(x).sum(), x)
    return slope


@pytest.mark.parametrize("function", ["sigmoid", "tanh", "relu", "elu", "selu", "gelu", "silu"])
def test_dead_units_are_those_whose_derivative_vanishes_for_the_whole_batch(function: str) -> None:
    torch.manual_seed(0)
    module = make_activation(function, 0.01)  # type: ignore[arg-type]
    shift = torch.linspace(-40, 40, 81)
    inputs = [torch.randn(16, 81) + shift, torch.randn(16, 81) + 1]
    outputs = [module(x) for x in inputs]
    units = statistics(function, module, inputs, outputs)
    largest = [slopes(module, x).abs().amax(0) / STEEPEST.get(function, 1.0) for x in inputs]
    np.testing.assert_allclose(units.dead, [(s < DEAD).double().mean().item() for s in largest])
    assert 0 < units.dead[0] < 1
    assert units.dead[1] == 0


@pytest.mark.parametrize(("function", "edge"), [("sigmoid", 4.357), ("tanh", 2.178)])
def test_saturated_fraction_equals_the_share_beyond_the_edge(function: str, edge: float) -> None:
    """The documented edges, and the share of normal numbers beyond one."""
    module = make_activation(function, 0.01)  # type: ignore[arg-type]
    x = torch.tensor([[-edge - 0.01, -edge + 0.01, 0.0, edge - 0.01, edge + 0.01]])
    assert statistics(function, module, [], [module(x)]).saturated[0] == pytest.approx(2 / 5)
    torch.manual_seed(1)
    x = torch.randn(64, 500) * edge
    expected = (slopes(module, x) < SATURATED * STEEPEST[function]).double().mean().item()
    saturated = statistics(function, module, [], [module(x)]).saturated[0]
    assert saturated == pytest.approx(expected, abs=1e-4)
    assert saturated == pytest.approx(0.3173, abs=0.01)


@pytest.mark.parametrize("function", ["identity", "leaky_relu", "prelu"])
def test_dead_fraction_is_nan_where_no_unit_can_die(function: str) -> None:
    units = statistics(function, make_activation(function, 0.01), [], [torch.randn(4, 6)])  # type: ignore[arg-type]
    assert np.isnan(units.dead).all()
    assert np.isnan(units.saturated).all()


def test_only_sigmoid_and_tanh_saturate() -> None:
    assert np.isnan(statistics("relu", nn.ReLU(), [], [torch.randn(4, 6).relu()]).saturated).all()


def test_a_channel_is_a_unit_of_an_image_and_a_column_one_of_a_sequence() -> None:
    image = torch.ones(8, 5, 3, 3)
    image[:, 1] = 0
    image[:, 2] = 0
    image[7, 2, 2, 2] = 1
    assert statistics("relu", nn.ReLU(), [], [image]).dead[0] == pytest.approx(1 / 5)
    sequence = torch.ones(8, 3, 4)
    sequence[:, :, 0] = 0
    assert statistics("relu", nn.ReLU(), [], [sequence]).dead[0] == pytest.approx(1 / 4)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e25])
def test_mean_and_deviation_at_every_magnitude(scale: float) -> None:
    torch.manual_seed(2)
    outputs = [torch.randn(32, 50) * scale + 3 * scale, torch.randn(32, 50) * scale]
    units = statistics("identity", None, [], outputs)
    np.testing.assert_allclose(units.mean, [o.double().mean().item() for o in outputs], rtol=1e-4)
    np.testing.assert_allclose(units.std, [o.double().std(correction=0).item() for o in outputs], rtol=1e-5)


def test_tiny_deviation_is_not_lost() -> None:
    """A sigmoid net with a vanishing gradient, whose activations are all nearly one half."""
    torch.manual_seed(3)
    output = 0.5 + torch.randn(64, 64) * 1e-6
    units = statistics("sigmoid", None, [], [output])
    assert units.std[0] == pytest.approx(output.double().std(correction=0).item(), rel=1e-2)
