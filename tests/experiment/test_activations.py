"""Test the table of activations; one registered from outside is parsed, counted, predicted, trained and drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gradtui.diagnosis.theory import predict
from gradtui.diagnosis.theory.activations import value_and_derivative
from gradtui.experiment import ExperimentError, loads, resolve, set_fields
from gradtui.experiment.activations import ACTIVATIONS, Activation, register
from gradtui.experiment.cures import CURES
from gradtui.experiment.fields import fields_of
from gradtui.experiment.memory import memory_of
from gradtui.experiment.net_plan import net_shape
from gradtui.experiment.spec import Group
from gradtui.nets import activations as modules
from gradtui.ui.drawing.block import curve
from gradtui.ui.drawing.net import draw
from gradtui.ui.drawing.outline import Outline
from tests.support.trainings import small, trained


class Arctangent(nn.Module):
    """atan(x), which is flat far from 0 on both sides."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.atan(x)


@pytest.fixture
def arctangent() -> Iterator[str]:
    """An activation that gradtui does not know, registered for one test."""
    name = "atan"
    register(Activation(name=name, value=lambda x, _: math.atan(x), init="xavier", saturates=True))
    modules.register(name, lambda slope: Arctangent())
    yield name
    del ACTIVATIONS[name], modules.FACTORIES[name]


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_the_table_torch_and_theory_compute_the_same_values(name: str, slope: float) -> None:
    x = np.linspace(-6, 6, 101)
    expected = [ACTIVATIONS[name].value(float(number), slope) for number in x]
    module = modules.make_activation(name, slope).double()
    np.testing.assert_allclose(value_and_derivative(name, x, slope)[0], expected, atol=1e-8)
    with torch.no_grad():
        np.testing.assert_allclose(module(torch.from_numpy(x)).numpy(), expected, atol=1e-8)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_table_says_which_tensor_torch_keeps_for_backward(name: str) -> None:
    module, kept = modules.make_activation(name, 0.1), list[Tensor]()
    x = torch.randn(7, requires_grad=True) * 1.0
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda t: t):
        y = module(x)
    of_input = any(tensor.data_ptr() == x.data_ptr() for tensor in kept)
    of_output = any(tensor.data_ptr() == y.data_ptr() for tensor in kept)
    expected = "input" if of_input else "output" if of_output else "nothing"
    assert ACTIVATIONS[name].kept_for_backward == expected


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_table_says_which_modules_learn_parameters(name: str) -> None:
    made = modules.make_activation(name, 0.1)
    assert ACTIVATIONS[name].parameters == sum(p.numel() for p in made.parameters())


def test_an_unknown_activation_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ExperimentError) as refused:
        set_fields(small(), {"net.0.activation": "unheard-of"})
    assert str(refused.value) == (
        f'net.0.activation: "unheard-of" is not allowed; expected one of {", ".join(ACTIVATIONS)}'
    )


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(ValueError, match="'relu' is registered already"):
        register(ACTIVATIONS["relu"])


def test_a_registered_activation_is_parsed_and_offered(arctangent: str) -> None:
    exp = loads(f'[[net]]\nactivation = "{arctangent}"')
    assert exp.net[0].activation == arctangent
    (field,) = (info for info in fields_of(Group) if info.name == "activation")
    assert field.choices[-1] == arctangent
    assert memory_of(exp).total > 0
    assert net_shape(exp).depth == 2
    assert all(cure.apply(exp) for cure in CURES)


def test_a_registered_activation_is_no_longer_offered_when_it_is_gone() -> None:
    (field,) = (info for info in fields_of(Group) if info.name == "activation")
    assert field.choices == tuple(ACTIVATIONS)


def test_a_registered_activation_has_a_theory(arctangent: str) -> None:
    changes = {"net.0.activation": arctangent, "net.0.repeat": 20, "net.0.init": "xavier"}
    made = predict(set_fields(resolve("sigmoid-20"), changes))
    assert made.applies
    # Near 0 it bends nearly as tanh does: a little of the gradient is lost in every layer.
    assert -1.5 < made.log10_profile[0] < -0.1
    value, slope = value_and_derivative(arctangent, np.array([-2.0, 0.0, 3.0]))
    np.testing.assert_allclose(value, np.arctan([-2.0, 0.0, 3.0]))
    np.testing.assert_allclose(slope, [1 / 5, 1.0, 1 / 10], rtol=1e-8)


def test_a_registered_activation_is_trained_and_its_derivative_measured(
    arctangent: str, tmp_path: Path
) -> None:
    changes = {"net.0.activation": arctangent, "net.0.gain": 20.0, "run.steps": 30}
    run, _ = trained(tmp_path / "run", set_fields(small(), changes))
    assert len(run.scalars("loss")[0]) == 30
    _, saturated = run.layers("saturated_fraction")
    _, dead = run.layers("dead_fraction")
    assert 0 < np.nanmax(saturated[:, :2]) <= 1, "far from 0, where the weights put many units, it is flat"
    assert np.isfinite(dead[:, :2]).all()
    assert np.isnan(dead[:, 2]).all(), "the output layer has no activation"


def test_a_registered_activation_is_drawn(arctangent: str) -> None:
    drawn = curve(arctangent, 0.0)
    assert drawn != curve("identity", 0.0)
    exp = set_fields(small(), {"net.0.activation": arctangent})
    lines = [line.plain for line in draw(Outline(exp), 0, 120).lines]
    assert any(arctangent in line and drawn in line for line in lines)
