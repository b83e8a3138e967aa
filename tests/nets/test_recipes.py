"""The lab's recipes at their first step: D0, log10 of the gradient at the first hidden layer over the
last."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gradtui.data import batches, load, loss_and_accuracy
from gradtui.experiment.shapes import net_shape
from gradtui.experiment.spec import Data, Experiment, Group
from gradtui.nets import Net, build

HIDDEN = ("dense", "conv")


def first_step(exp: Experiment, seed: int) -> tuple[Net, float, float]:
    """The net after backward, its loss, and D0."""
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


def trained(exp: Experiment, seed: int, *, lr: float, epochs: int, momentum: float = 0.0) -> float:
    """Training accuracy after so many epochs of plain SGD."""
    dataset = load(exp.data, seed)
    net = build(exp, dataset.shape, generator_seed=seed)
    measure = loss_and_accuracy(dataset.shape.task)
    source = batches(dataset, exp.data.batch_size, seed)
    optimizer = torch.optim.SGD(net.parameters(), lr, momentum)
    for _ in range(epochs * source.per_epoch):
        x, y = next(source)
        optimizer.zero_grad()
        measure(net(x), y)[0].backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        return float(measure(net(dataset.train_x), dataset.train_y)[1])


@pytest.mark.long
@pytest.mark.parametrize(
    ("least", "most", "lr", "epochs", "groups"),
    [
        (0.0, 0.15, 0.1, 10, deep(repeat=10, activation="sigmoid", init="torch")),
        (0.0, 0.15, 0.05, 15, deep(repeat=10, activation="sigmoid", init="xavier")),
        (0.0, 0.15, 0.1, 10, deep(repeat=20, activation="tanh", init="torch")),
        (0.0, 0.15, 0.1, 10, deep(repeat=20, activation="relu", init="torch")),
        (0.9, 1.0, 0.5, 30, deep(repeat=2, activation="sigmoid", init="torch")),
        (0.9, 1.0, 0.1, 10, deep(repeat=10, activation="sigmoid", init="torch", norm="batch")),
        (0.9, 1.0, 0.05, 15, deep(repeat=10, activation="tanh", init="xavier")),
        (0.9, 1.0, 0.05, 15, deep(repeat=10, activation="relu", init="he")),
        (0.9, 1.0, 0.05, 15, deep(repeat=10, activation="elu", init="lecun")),
    ],
)
def test_who_starves_does_not_learn_and_the_cured_do(
    least: float, most: float, lr: float, epochs: int, groups: tuple[Group, ...]
) -> None:
    exp = Experiment(data=Data(batch_size=128), net=groups)
    for seed in (0, 1):
        assert least <= trained(exp, seed, lr=lr, epochs=epochs) <= most


@pytest.mark.long
def test_plain_nets_degrade_with_depth_and_residual_nets_do_not() -> None:
    def accuracy(repeat: int, **fields: object) -> float:
        exp = Experiment(data=Data(batch_size=128), net=preactivated(repeat, **fields))
        return sum(trained(exp, seed, lr=0.003, epochs=15, momentum=0.9) for seed in (0, 1)) / 2

    assert accuracy(2) > 0.9
    assert accuracy(28) < 0.6
    residual = [accuracy(repeat, shortcut="identity", branch_gain="depth") for repeat in (2, 10, 28)]
    assert min(residual) > 0.93
    assert residual[2] > residual[0]


@pytest.mark.long
def test_deep_transformers_learn_with_the_norm_before_and_not_after() -> None:
    """Xiong et al. 2020: without warm-up, at a rate that the norm before bears."""
    for order, least, most in (("pre", 0.9, 1.0), ("post", 0.0, 0.5)):
        group = Group(
            block="attention",
            width=32,
            repeat=12,
            activation="relu",
            norm="layer",
            order=order,
            shortcut="identity",
        )
        exp = Experiment(data=Data(sequence="rows", batch_size=128), net=(group,))
        assert least <= trained(exp, 0, lr=0.1, epochs=11) <= most
