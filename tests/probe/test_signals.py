"""Test the numbers of one step against torch's autograd used the plain way."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradtui import data, nets
from gradtui.experiment import Experiment, data_shape, from_dict
from gradtui.nets import Net
from gradtui.probe import layer_stats
from gradtui.probe.layer_stats import forward_metrics
from gradtui.probe.signals import SignalProbe, Signals


def experiment(*groups: dict[str, Any], **about: Any) -> Experiment:
    return from_dict({"net": list(groups), "seed": 3, **about})


def build(exp: Experiment) -> tuple[Net, Tensor, Tensor]:
    dataset = data.load(exp.data, exp.seed)
    net = nets.build(exp, data_shape(exp.data), generator_seed=exp.seed)
    return net, dataset.train_x[:16], dataset.train_y[:16]


def loss_of(net: Net, x: Tensor, y: Tensor) -> Tensor:
    outputs = net(x)
    return F.cross_entropy(outputs, y) if y.dtype == torch.int64 else F.mse_loss(outputs, y)


def look(net: Net, x: Tensor, y: Tensor, scale: float = 1.0) -> Signals:
    probe = SignalProbe(net.layers, net)
    probe.arm()
    loss = loss_of(net, x, y) * scale
    probe.after_forward()
    loss.backward()
    return probe.collect(scale)


def plain(net: Net, x: Tensor, y: Tensor) -> dict[str, tuple[Tensor, Tensor | None]]:
    """Of each layer the output's gradient and the activation, by full bookkeeping on a copy."""
    net = copy.deepcopy(net)
    outputs: dict[str, Tensor] = {}
    activations: dict[str, Tensor] = {}

    def keep(name: str, where: dict[str, Tensor]) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            output.retain_grad()
            where[name] = output

        return hook

    for layer in net.layers:
        layer.module.register_forward_hook(keep(layer.name, outputs))
        if layer.activation is not None:
            layer.activation.register_forward_hook(keep(layer.name, activations))
    loss_of(net, x, y).backward()
    result: dict[str, tuple[Tensor, Tensor | None]] = {}
    for name, output in outputs.items():
        assert output.grad is not None
        result[name] = output.grad, activations.get(name, output)
    return result


DENSE = [
    experiment({"width": 12, "repeat": 4, "activation": name, "init": "he"})
    for name in ("sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "silu", "identity")
]
OTHERS = [
    experiment({"width": 10, "repeat": 3, "layers": 2, "shortcut": "identity", "activation": "relu"}),
    experiment(
        {"width": 10},
        {"width": 12, "layers": 2, "shortcut": "highway", "activation": "tanh", "order": "pre"},
        {"width": 12, "repeat": 2, "shortcut": "rezero", "norm": "batch", "activation": "relu"},
    ),
    experiment(
        {"block": "conv", "width": 6, "repeat": 2, "norm": "batch", "activation": "relu"},
        {"block": "conv", "width": 8, "layers": 2, "stride": 2, "shortcut": "identity", "activation": "elu"},
        {"width": 9, "activation": "sigmoid"},
    ),
    experiment(
        {"block": "attention", "width": 8, "heads": 2, "activation": "gelu"}, data={"sequence": "rows"}
    ),
]


@pytest.mark.parametrize("exp", DENSE + OTHERS, ids=lambda exp: "-".join(g.activation for g in exp.net))
def test_signals_are_those_of_plain_autograd(exp: Experiment) -> None:
    net, x, y = build(exp)
    expected = plain(net, x, y)
    shown = look(net, x, y).layers
    for index, layer in enumerate(net.layers):
        gradient, activation = expected[layer.name]
        assert activation is not None
        rms = gradient.double().square().mean().sqrt().item()
        assert shown["output_grad_rms"][index] == pytest.approx(rms, rel=1e-5), layer.name
        mean, std = activation.double().mean().item(), activation.double().std(correction=0).item()
        assert shown["activation_mean"][index] == pytest.approx(mean, rel=1e-4, abs=1e-5 * std), layer.name
        assert shown["activation_std"][index] == pytest.approx(std, rel=1e-5), layer.name
        assert shown["nonfinite"][index] == 0
        if layer.function == "relu" and layer.activation is not None:
            rest = [
                d
                for d in range(activation.dim())
                if d != (1 if activation.dim() == 4 else activation.dim() - 1)
            ]
            silent = (
                (activation <= 0).all(rest[0])
                if len(rest) == 1
                else (activation <= 0).flatten(2).all(2).all(0)
            )
            assert shown["dead_fraction"][index] == pytest.approx(silent.double().mean().item()), layer.name


def test_the_gradient_with_respect_to_pre_activations_against_finite_differences() -> None:
    """In float64: a change of every number of the second layer's output, by hand."""
    torch.manual_seed(0)
    first, second, third = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2)
    x, y = torch.randn(5, 3), torch.tensor([0, 1, 1, 0, 1])

    def tail(h: Tensor) -> Tensor:
        return F.cross_entropy(F.linear(torch.sigmoid(h), third.weight.double(), third.bias.double()), y)

    before = torch.sigmoid(first(x))
    h = second(before).detach().double()
    change = torch.zeros_like(h)
    squares = 0.0
    for at in range(h.numel()):
        change.view(-1)[at] = 1e-6
        squares += (tail(h + change).item() - tail(h - change).item()) ** 2 / 4e-12
        change.zero_()

    class Layer:
        name, module, activation, function = "second", second, nn.Sigmoid(), "sigmoid"
        path = ()

    probe = SignalProbe([Layer()])
    probe.arm()
    loss = F.cross_entropy(third(Layer.activation(second(before))), y)
    probe.after_forward()
    loss.backward()
    shown = probe.collect().layers["output_grad_rms"][0]
    assert shown == pytest.approx((squares / h.numel()) ** 0.5, rel=1e-4)


def test_sampling_changes_no_gradient_and_leaves_no_hooks() -> None:
    net, x, y = build(OTHERS[2])
    watched = copy.deepcopy(net)
    loss_of(net, x, y).backward()
    look(watched, x, y)
    for ours, theirs in zip(watched.parameters(), net.parameters(), strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        assert torch.equal(ours.grad, theirs.grad)
    assert not any(module._forward_hooks for module in watched.modules())


def test_loss_scale_is_divided_out() -> None:
    net, x, y = build(DENSE[0])
    once = look(net, x, y).layers["output_grad_rms"]
    scaled = look(net, x, y, scale=1024.0).layers["output_grad_rms"]
    np.testing.assert_allclose(scaled, once, rtol=1e-5)


def test_output_gradients_beyond_float32_sums() -> None:
    exp = experiment({"width": 16, "repeat": 45, "activation": "sigmoid", "init": "torch"})
    net, x, y = build(exp)
    gradient, _ = plain(net, x, y)["dense1"]
    shown = look(net, x, y).layers["output_grad_rms"][0]
    assert 0 < shown < 1e-24
    assert shown == pytest.approx(gradient.double().square().mean().sqrt().item(), rel=1e-5)


def test_nonfinite_numbers_are_counted_by_layer() -> None:
    net, x, y = build(experiment({"width": 8, "repeat": 2, "activation": "relu"}))
    with torch.no_grad():
        net.layers[1].parameters[1][:3] = torch.tensor([torch.nan, torch.inf, -torch.inf])
    shown = look(net, x, y).layers
    np.testing.assert_array_equal(shown["nonfinite"][:2], [0, 3 * 16])
    assert shown["nonfinite"][2] == 16 * 10
    assert np.isnan(shown["output_grad_rms"][0])


def test_size_of_the_measured_chunks_does_not_change_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x, y = build(OTHERS[2])
    at_once = look(net, x, y).layers
    monkeypatch.setattr(layer_stats, "HELD_BYTES", 3000)
    for name, values in look(net, x, y).layers.items():
        np.testing.assert_allclose(values, at_once[name], rtol=1e-6, err_msg=name)


def test_half_precision_is_measured_in_float32() -> None:
    net, x, y = build(DENSE[1])
    exact = look(net, x, y).layers
    probe = SignalProbe(net.layers, net)
    probe.arm()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = net(x)
    probe.after_forward()
    F.cross_entropy(outputs.float(), y).backward()
    rough = probe.collect().layers
    np.testing.assert_allclose(rough["output_grad_rms"], exact["output_grad_rms"], rtol=0.05)
    np.testing.assert_allclose(rough["activation_std"], exact["activation_std"], rtol=0.05)


@pytest.mark.parametrize(
    ("block", "activation"),
    [("rnn", "tanh"), ("lstm", "tanh"), ("gru", "tanh"), ("rnn", "gelu"), ("rnn", "silu")],
)
def test_gradient_by_time_lag_is_the_total_gradient(block: str, activation: str) -> None:
    """Against autograd's derivative with respect to a number added to one hidden state, step by step."""
    exp = experiment(
        {"block": block, "width": 6, "activation": activation}, data={"source": "adding", "length": 7}
    )
    net, x, y = build(exp)
    shown = look(net, x, y)
    cell = net.layers[0].module.cell  # type: ignore[union-attr]
    added = [torch.zeros(16, 6, requires_grad=True) for _ in range(7)]
    hidden: Any = torch.zeros(16, 6)
    memory = torch.zeros(16, 6)
    for step, extra in zip(x.unbind(1), added, strict=True):
        if block == "lstm":
            hidden, memory = cell(step, (hidden, memory))
        else:
            hidden = cell(step, hidden)
        hidden = hidden + extra
    output = net.layers[-1].module(hidden)
    gradients = torch.autograd.grad(F.mse_loss(output, y), added)
    expected = [g.double().square().mean().sqrt().item() for g in reversed(gradients)]
    np.testing.assert_allclose(shown.lags["hidden_grad"], expected, rtol=1e-5)
    everything = torch.stack(gradients).double().square().mean().sqrt().item()
    assert shown.layers["output_grad_rms"][0] == pytest.approx(everything, rel=1e-5)
    assert net.hidden_states == {net.layers[0].name: []}


def test_a_net_without_recurrent_layers_has_no_time_lags() -> None:
    net, x, y = build(DENSE[0])
    shown = look(net, x, y)
    assert shown.lags == {}
    assert set(shown.layers) == {*forward_metrics(), "backward_gain"}
