"""Test the factors that backpropagation multiplies against plain autograd and closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradtui import data, nets
from gradtui.experiment import data_shape, from_dict, net_shape
from gradtui.experiment.layers import LayerShape
from gradtui.nets import Net
from gradtui.nets.net import Layer
from gradtui.probe import gradient_flow
from gradtui.probe.signals import SignalProbe, Signals


class Block:
    """A layer of a hand-built net: weights, and perhaps an activation."""

    function = "identity"

    def __init__(self, module: nn.Module, activation: nn.Module | None = None, function: str = "") -> None:
        self.name, self.module, self.activation = "layer", module, activation
        self.function = function or "identity"
        self.path = [m for m in (module, activation) if m is not None]


def measured(blocks: list[Block], forward: Any, x: Tensor) -> Signals:
    probe = SignalProbe(blocks)
    probe.arm()
    out = forward(x)
    probe.after_forward()
    torch.manual_seed(99)
    out.backward(torch.randn_like(out))
    return probe.collect()


def rms(x: Tensor) -> float:
    return x.double().square().mean().sqrt().item()


def net_of(group: dict[str, Any], **about: Any) -> tuple[Net, Tensor, Tensor]:
    exp = from_dict({"net": [group], "seed": 5, **about})
    dataset = data.load(exp.data, exp.seed)
    return (
        nets.build(exp, data_shape(exp.data), generator_seed=exp.seed),
        dataset.train_x[:32],
        dataset.train_y[:32],
    )


def look(net: Net, x: Tensor, y: Tensor, scale: float = 1.0) -> Signals:
    probe = SignalProbe(net.layers, net)
    probe.arm()
    outputs = net(x)
    loss = F.cross_entropy(outputs, y) * scale
    probe.after_forward()
    loss.backward()
    return probe.collect(scale)


PLAIN = ("sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "silu", "identity")


@pytest.mark.parametrize("name", PLAIN)
def test_derivatives_and_gains_are_those_of_autograd_used_plainly(name: str) -> None:
    net, x, y = net_of({"width": 12, "repeat": 4, "activation": name, "init": "he"})
    shown = look(net, x, y).layers
    inputs: list[Tensor] = []
    outputs: list[Tensor] = []
    slopes: list[float] = []
    h = x.flatten(1)
    for layer in net.layers:
        inputs.append(h)
        z = layer.module(h)
        if layer.activation is None:
            h = z
        else:
            leaf = z.detach().requires_grad_()
            slopes.append(rms(torch.autograd.grad(layer.activation(leaf).sum(), leaf)[0]))
            h = layer.activation(z)
        outputs.append(h)
    loss = F.cross_entropy(h, y)
    entering = torch.autograd.grad(loss, outputs, retain_graph=True)
    leaving = torch.autograd.grad(loss, inputs[1:])
    gains = [rms(a) / rms(b) for a, b in zip(leaving, entering[1:], strict=True)]
    np.testing.assert_allclose(shown["activation_slope"][:-1], slopes, rtol=1e-5)
    assert math.isnan(shown["activation_slope"][-1]), "the last layer has no activation"
    np.testing.assert_allclose(shown["backward_gain"][1:], gains, rtol=1e-4)
    assert math.isnan(shown["backward_gain"][0]), "no gradient leaves towards the data"


def test_the_product_of_the_gains_is_what_is_left_of_the_gradient() -> None:
    net, x, y = net_of({"width": 12, "repeat": 20, "activation": "sigmoid"})
    shown = look(net, x, y).layers
    output = shown["output_grad_rms"][-1]
    first = shown["output_grad_rms"][0]
    left = np.prod(shown["backward_gain"][1:]) * output
    assert shown["activation_slope"][:-1].max() <= 0.25
    assert first <= 0.25 * left * 1.0001
    assert first == pytest.approx(left * shown["activation_slope"][0], rel=0.2)


NETS: dict[str, list[dict[str, Any]]] = {
    "norm after": [{"width": 12, "repeat": 3, "activation": "tanh", "norm": "batch"}],
    "norm before": [{"width": 12, "repeat": 3, "activation": "relu", "norm": "layer", "order": "pre"}],
    "pre-activation": [
        {"width": 12, "repeat": 3, "layers": 2, "shortcut": "identity", "order": "pre", "norm": "batch"}
    ],
    "post-activation": [{"width": 12, "repeat": 3, "layers": 2, "shortcut": "identity", "branch_gain": 0.3}],
    "other widths": [
        {"width": 16, "repeat": 2, "shortcut": "identity"},
        {"width": 8, "repeat": 2, "shortcut": "identity"},
    ],
    "highway": [{"width": 12, "repeat": 3, "shortcut": "highway"}],
    "rezero": [{"width": 12, "repeat": 3, "shortcut": "rezero"}],
    "pictures": [{"block": "conv", "width": 8, "repeat": 3}],
    "pictures into dense": [{"block": "conv", "width": 4, "repeat": 2}, {"width": 8, "repeat": 2}],
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_the_gains_of_the_path_multiply_to_the_gain_of_the_whole_net(name: str) -> None:
    """From the end of the first block to the output, by plain autograd, whatever lies between the layers."""
    exp = from_dict({"net": NETS[name], "seed": 5})
    dataset = data.load(exp.data, exp.seed)
    net = nets.build(exp, data_shape(exp.data), generator_seed=exp.seed)
    x, y = dataset.train_x[:32], dataset.train_y[:32]
    shown = look(net, x, y).layers["backward_gain"]
    shape = net_shape(exp).layers
    signals = [x]
    for module in net.path:
        signals.append(module(signals[-1]))
    loss = F.cross_entropy(signals[-1], y)
    first_ends = max(
        index
        for index, module in enumerate(net.path)
        if any(
            module is m or module in m.children() for layer in _of_block(net, shape, 1) for m in layer.path
        )
    )
    begins, ends = torch.autograd.grad(loss, [signals[first_ends + 1], signals[-1]])
    whole = rms(begins) / rms(ends)
    gains = [
        gain
        for gain, layer in zip(shown, shape, strict=True)
        if layer.block != 1 and layer.kind not in ("gate", "shortcut")
    ]
    assert np.prod(gains) == pytest.approx(whole, rel=1e-4)


def _of_block(net: Net, shape: tuple[LayerShape, ...], block: int) -> list[Layer]:
    return [layer for layer, about in zip(net.layers, shape, strict=True) if about.block == block]


def test_relu_with_weights_by_he_has_gain_one() -> None:
    """He et al. 2015: weights of variance 2 / fan-in and a derivative of mean square 1/2 keep the gradient's size."""
    torch.manual_seed(0)
    blocks = []
    for _ in range(6):
        linear = nn.Linear(600, 600, bias=False)
        nn.init.normal_(linear.weight, std=(2 / 600) ** 0.5)
        blocks.append(Block(linear, nn.ReLU(), "relu"))
    modules = [m for block in blocks for m in (block.module, block.activation) if m is not None]
    shown = measured(blocks, nn.Sequential(*modules), torch.randn(300, 600)).layers
    np.testing.assert_allclose(shown["activation_slope"], 0.5**0.5, rtol=0.05)
    np.testing.assert_allclose(shown["backward_gain"][1:], 1.0, rtol=0.1)


def test_an_identity_shortcut_has_the_gain_of_one_and_the_branch() -> None:
    """x + c·x has the derivative 1 + c; x + W·x one of RMS sqrt(1 + the branch squared) for random W."""
    linear = nn.Linear(8, 8, bias=False)
    nn.init.eye_(linear.weight)
    with torch.no_grad():
        linear.weight *= 0.3
    x = torch.randn(5, 8, requires_grad=True)
    shown = measured([Block(linear)], lambda x: x * 1.0 + linear(x * 1.0), x).layers
    assert shown["backward_gain"][0] == pytest.approx(0.3), "the shortcut begins elsewhere"

    def residual(x: Tensor) -> Tensor:
        x = x * 1.0
        return x + linear(x)

    assert measured([Block(linear)], residual, x).layers["backward_gain"][0] == pytest.approx(1.3)


def test_an_activation_before_the_weights_belongs_to_their_layer() -> None:
    linear, activation = nn.Linear(8, 8), nn.Sigmoid()
    x = torch.randn(16, 8, requires_grad=True)
    out = linear(activation(x))
    torch.manual_seed(99)
    sent = torch.randn_like(out)
    (back,) = torch.autograd.grad(out, x, sent)
    shown = measured([Block(linear, activation, "sigmoid")], lambda x: linear(activation(x)), x).layers
    assert shown["backward_gain"][0] == pytest.approx(rms(back) / rms(sent), rel=1e-5)


def test_gains_do_not_depend_on_the_scale_of_the_loss_nor_on_how_much_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net, x, y = net_of({"width": 10, "repeat": 3, "layers": 2, "shortcut": "identity", "activation": "tanh"})
    once = look(net, x, y).layers["backward_gain"]
    np.testing.assert_allclose(look(net, x, y, 1024.0).layers["backward_gain"], once, rtol=1e-5)
    monkeypatch.setattr(gradient_flow, "HELD_BYTES", 1)
    np.testing.assert_allclose(look(net, x, y).layers["backward_gain"], once, rtol=1e-6)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_recurrent_layer_has_no_single_derivative(cell: str) -> None:
    net, x, y = net_of({"block": cell, "width": 6, "repeat": 2}, data={"sequence": "rows"})
    shown = look(net, x, y).layers
    assert np.isnan(shown["activation_slope"]).all()
    assert shown["backward_gain"][1] > 0


def test_a_gradient_of_zero_gives_no_gain() -> None:
    linear, x = nn.Linear(4, 4), torch.randn(3, 4, requires_grad=True)
    shown = measured([Block(linear)], lambda x: linear(x * 1.0) * 0.0, x).layers
    assert math.isnan(shown["backward_gain"][0])
