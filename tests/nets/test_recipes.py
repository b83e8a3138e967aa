"""The lab's recipes at their first step, by the nets alone: D0, log10 of the gradient at the first hidden layer
over the last. What becomes of them in training is tests/recipes' matter."""

from __future__ import annotations

import math

import pytest
from torch import Tensor

from gradtui.data import batches, load, loss_and_accuracy
from gradtui.experiment.net_plan import net_shape
from gradtui.experiment.spec import Data, Experiment, Group
from gradtui.nets import Net, build

HIDDEN = ("dense", "conv")


def first_step(exp: Experiment, seed: int) -> tuple[Net, float, float]:
    """Return the net after backward, its loss, and D0."""
    dataset = load(exp.data, seed)
    net = build(exp, dataset.shape, generator_seed=seed)
    outputs: list[Tensor] = []

    def note(module: object, given: object, output: Tensor) -> None:
        output.retain_grad()
        outputs.append(output)

    for layer in net.layers:
        if layer.kind in HIDDEN:
            layer.module.register_forward_hook(note)
    x, y = next(batches(dataset, exp.data.batch_size, seed))
    loss, _ = loss_and_accuracy(dataset.shape.task)(net(x), y)
    loss.backward()
    sizes = [float(h.grad.double().square().mean().sqrt()) for h in outputs if h.grad is not None]
    return net, float(loss.detach()), math.log10(sizes[0] / sizes[-1])


def deep(**fields: object) -> tuple[Group, ...]:
    return (Group(**fields),)


def preactivated(repeat: int, **fields: object) -> tuple[Group, ...]:
    """A stem, then blocks of two layers."""
    stem = Group(activation="identity", init="he")
    return stem, Group(repeat=repeat, layers=2, order="pre", activation="relu", init="he", **fields)


RECIPES = [
    (-7.7, deep(repeat=10, activation="sigmoid", init="torch")),
    (-5.7, deep(repeat=10, activation="sigmoid", init="xavier")),
    (-4.75, deep(repeat=20, activation="tanh", init="torch")),
    (-7.45, deep(repeat=20, activation="relu", init="torch")),
    (-0.9, deep(repeat=2, activation="sigmoid", init="torch")),
    (-0.4, deep(repeat=10, activation="sigmoid", init="torch", norm="batch")),
    (-0.6, deep(repeat=10, activation="tanh", init="xavier")),
    (-0.6, deep(repeat=10, activation="elu", init="lecun")),
    (0.05, deep(repeat=10, activation="relu", init="he")),
    (-11.8, deep(repeat=20, activation="sigmoid", init="xavier")),
    (1.6, deep(repeat=10, activation="relu", init="he", gain=1.5)),
    (2.6, deep(repeat=20, activation="tanh", init="normal", gain=3.0)),
    (0.2, preactivated(28, shortcut="identity", branch_gain="depth")),
    (-0.2, preactivated(28)),
    (1.6, preactivated(10, norm="batch")),
    (4.5, preactivated(28, norm="batch")),
]


@pytest.mark.parametrize(("expected", "groups"), RECIPES)
def test_first_step_shows_the_published_ratio(expected: float, groups: tuple[Group, ...]) -> None:
    exp = Experiment(data=Data(batch_size=128), net=groups)
    measured = [first_step(exp, seed)[2] for seed in (0, 1)]
    assert sum(measured) / 2 == pytest.approx(expected, abs=0.05 * abs(expected) + 0.2)


def test_a_thousand_residual_layers_keep_the_gradient() -> None:
    exp = Experiment(
        net=(
            Group(width=32, activation="identity", init="he"),
            Group(
                width=32,
                repeat=500,
                layers=2,
                order="pre",
                activation="relu",
                init="he",
                shortcut="identity",
                branch_gain="depth",
            ),
        )
    )
    net, _, ratio = first_step(exp, 0)
    assert len(net.layers) == 1002
    assert abs(ratio) < 0.5
    plain = Experiment(
        net=(Group(width=32, repeat=1000, order="pre", activation="relu", init="he"),), data=exp.data
    )
    assert first_step(plain, 0)[2] < -10


def test_a_convolutional_net_of_1202_layers_makes_a_step() -> None:
    basic = {"block": "conv", "layers": 2, "shortcut": "identity", "norm": "batch", "init": "he"}
    exp = Experiment(
        data=Data(batch_size=4),
        net=(
            Group(block="conv", width=4, activation="relu", norm="batch", init="he"),
            *(
                Group(width=width, repeat=200, stride=stride, activation="relu", **basic)
                for width, stride in ((4, 1), (6, 2), (8, 2))
            ),
        ),
    )
    assert net_shape(exp).depth == 1202
    net, loss, _ = first_step(exp, 0)
    assert math.isfinite(loss)
    norms = [
        max(float(p.grad.abs().max()) for p in layer.parameters if p.grad is not None) for layer in net.layers
    ]
    assert len(norms) == 1204
    assert min(norms) > 0
