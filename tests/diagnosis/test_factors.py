"""Test the factors of a net against plain autograd, closed forms, and theory against what is measured."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gradtui import data, nets
from gradtui.absent import absent_in
from gradtui.diagnosis.factors import Factors, lag_factors, layer_factors
from gradtui.experiment import Experiment, data_shape, from_dict
from gradtui.nets import Net
from gradtui.probe.signals import SignalProbe


def net_of(net: list[dict[str, Any]], **about: Any) -> tuple[Experiment, Net, Tensor, Tensor]:
    exp = from_dict({"net": net, "seed": 5, **about})
    dataset = data.load(exp.data, exp.seed)
    made = nets.build(exp, data_shape(exp.data), generator_seed=exp.seed)
    return exp, made, dataset.train_x[:64], dataset.train_y[:64]


def factors_of(exp: Experiment, net: Net, x: Tensor, y: Tensor) -> Factors:
    probe = SignalProbe(net.layers, net)
    probe.arm()
    loss = F.cross_entropy(net(x), y)
    probe.after_forward()
    loss.backward()
    rows = probe.collect().layers
    names, kinds = [layer.name for layer in net.layers], [layer.kind for layer in net.layers]
    return layer_factors(names, kinds, rows["backward_gain"], rows["activation_slope"], exp)


def rms(x: Tensor) -> float:
    return x.double().square().mean().sqrt().item()


def test_the_product_and_its_two_parts_are_those_of_autograd_used_plainly() -> None:
    exp, net, x, y = net_of([{"width": 24, "repeat": 6, "activation": "sigmoid"}])
    found = factors_of(exp, net, x, y)
    signal, ends, slopes = x.flatten(1), [], []
    for layer in net.layers:
        pre = layer.module(signal)
        signal = pre if layer.activation is None else torch.sigmoid(pre)
        ends.append(signal)
        if layer.activation is not None:
            leaf = pre.detach().requires_grad_()
            slopes.append(rms(torch.autograd.grad(torch.sigmoid(leaf).sum(), leaf)[0]))
    gradients = [rms(g) for g in torch.autograd.grad(F.cross_entropy(signal, y), ends)]
    products = [math.log10(gradient / gradients[-1]) for gradient in gradients[:-1]]
    np.testing.assert_allclose(found.running[1:], products, atol=1e-4)
    assert absent_in(found.total).tolist() == [True, *[False] * 6]
    np.testing.assert_allclose(10.0 ** found.slope[1:-1], slopes[1:], rtol=1e-4)
    np.testing.assert_allclose((found.slope + found.weights)[1:-1], found.total[1:-1], atol=1e-12)
    assert found.slope[1:-1].max() <= math.log10(0.25), "sigmoid's derivative is at most 1/4"
    assert found.note == ""


def test_relu_halves_the_square_and_he_weights_double_it() -> None:
    """He et al. 2015."""
    exp, net, x, y = net_of([{"width": 512, "repeat": 5, "activation": "relu", "init": "he"}])
    found = factors_of(exp, net, x, y)
    np.testing.assert_allclose(found.slope[1:-1], math.log10(0.5**0.5), atol=0.02)
    np.testing.assert_allclose(found.weights[1:-1], math.log10(2**0.5), atol=0.06)
    np.testing.assert_allclose(found.total[1:-1], 0.0, atol=0.05)


WIDE: dict[str, list[dict[str, Any]]] = {
    "sigmoid": [{"width": 512, "repeat": 6, "activation": "sigmoid"}],
    "tanh, other widths": [
        {"width": 512, "repeat": 3, "activation": "tanh", "gain": 1.5},
        {"width": 256, "repeat": 3, "activation": "tanh", "gain": 1.5},
    ],
    "batch norm": [{"width": 512, "repeat": 6, "activation": "relu", "init": "he", "norm": "batch"}],
    "activation first": [{"width": 512, "repeat": 6, "activation": "tanh", "order": "pre", "gain": 1.5}],
    "shortcuts": [{"width": 512, "repeat": 5, "layers": 2, "shortcut": "identity", "init": "he", "order": "pre"}],
}  # fmt: skip


@pytest.mark.parametrize("name", WIDE)
def test_theory_stands_beside_what_is_measured(name: str) -> None:
    exp, net, x, y = net_of(WIDE[name])
    found = factors_of(exp, net, x, y)
    # Not the first block, whose input no gradient leaves, nor what lies beside it.
    known = ~absent_in(found.theory) & ~absent_in(found.total)
    assert known.sum() >= 4
    np.testing.assert_allclose(found.theory[known], found.total[known], atol=0.05)


def test_the_layers_of_a_block_with_a_shortcut_share_its_factor_and_have_no_two_parts() -> None:
    """x + F(x): the gradient of the input is the identity's and the branch's together."""
    exp, net, x, y = net_of([{"width": 16, "repeat": 4, "layers": 2, "shortcut": "identity", "order": "pre"}])
    found = factors_of(exp, net, x, y)
    signals = [x]
    for module in net.path:
        signals.append(module(signals[-1]))
    loss = F.cross_entropy(signals[-1], y)
    # The path is a view, a block each, the closing activation, the output.
    ends = [rms(g) for g in torch.autograd.grad(loss, [*signals[2:6], signals[-1]])]
    shape = [layer.name for layer in net.layers]
    for block in (2, 3, 4):
        inside = [i for i, n in enumerate(shape) if n.startswith(f"dense{block}") and found.names[i] == n]
        whole = math.log10(ends[block - 2] / ends[block - 1])
        np.testing.assert_allclose(found.total[inside], whole / 2, atol=1e-4)
        assert abs(whole) < 0.1, "the identity alone gives 1"
    assert absent_in(found.slope[:-1]).all()
    assert "shortcut" in found.note
    first = found.names.index("dense2.1")
    assert found.running[first] == pytest.approx(math.log10(ends[0] / ends[-1]), abs=1e-4)


def test_factors_over_time_are_the_ratios_of_the_gradients_of_the_hidden_states() -> None:
    names = [str(lag) for lag in range(5)]
    found = lag_factors(names, np.array([1.0, 0.5, 0.25, 0.025, 0.0]), None)
    assert absent_in(found.total).tolist() == [True, False, False, False, False]
    np.testing.assert_allclose(10.0 ** found.total[1:], [0.5, 0.5, 0.1, 0.0])
    np.testing.assert_allclose(found.running[1:], [*np.log10([0.5, 0.25, 0.025]), -math.inf])
    assert found.headline.text == "0.5 × 0.5 × 0.1 × … = 0 after 4 steps back"


def test_theory_of_time_is_the_factor_of_a_random_recurrence() -> None:
    exp = from_dict(
        {
            "net": [{"block": "rnn", "width": 64, "activation": "identity", "recurrent_init": "orthogonal",
                     "recurrent_gain": 0.9}],
            "data": {"sequence": "rows"},
        }
    )  # fmt: skip
    found = lag_factors([str(lag) for lag in range(8)], 0.9 ** np.arange(8), exp)
    np.testing.assert_allclose(found.theory[1:], math.log10(0.9), atol=1e-9)
    np.testing.assert_allclose(found.total[1:], math.log10(0.9), atol=1e-9)


def test_a_script_has_factors_without_theory_and_without_shortcuts() -> None:
    found = layer_factors(["a", "b", "c"], ["dense"] * 3, np.array([np.nan, 0.5, 0.5]), None, None)
    assert found.running.tolist()[1:] == pytest.approx([math.log10(0.25), math.log10(0.5)])
    assert found.note == "derivatives are not known here"
