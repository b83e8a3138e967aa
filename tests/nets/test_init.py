"""Test how weights start: deviations, distributions and structure, against the papers' formulas."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from gradtui.experiment.data_shapes import DataShape
from gradtui.experiment.spec import Data, Experiment, Group
from gradtui.nets import Net, build

SHAPE = DataShape((300,), 10, "classify")
IMAGE = DataShape((20, 6, 6), 10, "classify")
SEQUENCE = DataShape((4, 50), 10, "classify")


def layers(shape: DataShape, *groups: Group, **data: Any) -> dict[str, list[Tensor]]:
    exp = Experiment(data=Data(**data), net=groups)
    made = build(exp, shape, generator_seed=1).layers
    return {layer.name: [p.detach() for p in layer.parameters] for layer in made}


def excess(weight: Tensor) -> float:
    """Kurtosis above the normal's: 0 of a normal distribution, −1.2 of a uniform one."""
    z = weight.double().flatten() / weight.double().std()
    return float(z.pow(4).mean()) - 3.0


@pytest.mark.parametrize(
    ("init", "variance"),
    [
        ("xavier", 2 / (300 + 200)),
        ("he", 2 / 300),
        ("lecun", 1 / 300),
        ("normal", 1 / 300),
        ("torch", 1 / (3 * 300)),
    ],
)
@pytest.mark.parametrize("gain", [1.0, 2.5])
def test_deviation_and_distribution(init: Any, variance: float, gain: float) -> None:
    weight, bias = layers(SHAPE, Group(width=200, init=init, gain=gain))["dense1"]
    assert float(weight.std()) == pytest.approx(gain * math.sqrt(variance), rel=0.015)
    assert abs(float(weight.mean())) < 0.02 * float(weight.std())
    assert excess(weight) == pytest.approx(-1.2 if init == "torch" else 0.0, abs=0.1)
    assert torch.all(bias == 0)


def test_torchs_start_is_the_range_of_torchs_own_layers() -> None:
    weight = layers(SHAPE, Group(width=200, init="torch"))["dense1"][0]
    own = torch.nn.Linear(300, 200).weight.detach()
    assert float(weight.abs().max()) == pytest.approx(float(own.abs().max()), rel=1e-3)
    kernel = layers(IMAGE, Group(block="conv", width=64, init="torch"))["conv1"][0]
    own = torch.nn.Conv2d(20, 64, 3).weight.detach()
    assert float(kernel.abs().max()) == pytest.approx(float(own.abs().max()), rel=1e-3)


def test_he_counts_the_slope_below_zero() -> None:
    for activation in ("leaky_relu", "prelu"):
        weight = layers(SHAPE, Group(width=200, init="he", activation=activation, slope=0.5))["dense1"][0]
        assert float(weight.std()) == pytest.approx(math.sqrt(2 / 1.25 / 300), rel=0.015)
    weight = layers(SHAPE, Group(width=200, init="he", activation="relu", slope=0.5))["dense1"][0]
    assert float(weight.std()) == pytest.approx(math.sqrt(2 / 300), rel=0.015)


@pytest.mark.parametrize("init", ["xavier", "he", "torch"])
def test_kernels_count_their_places(init: Any) -> None:
    weight = layers(IMAGE, Group(block="conv", width=64, kernel=3, init=init))["conv1"][0]
    fan_in, fan_out = 20 * 9, 64 * 9
    variance = {"xavier": 2 / (fan_in + fan_out), "he": 2 / fan_in, "torch": 1 / (3 * fan_in)}[init]
    assert float(weight.std()) == pytest.approx(math.sqrt(variance), rel=0.02)


def test_orthogonal_weights_are_orthogonal_times_the_gain() -> None:
    weight = layers(SHAPE, Group(width=200, init="orthogonal", gain=1.5))["dense1"][0].double()
    torch.testing.assert_close(weight @ weight.T, 2.25 * torch.eye(200).double(), atol=1e-5, rtol=0)


def test_biases_are_normal_with_every_start() -> None:
    for init in ("torch", "xavier", "orthogonal"):
        bias = layers(SHAPE, Group(width=3000, init=init, bias_mean=-1.5, bias_std=0.5))["dense1"][1]
        assert float(bias.mean()) == pytest.approx(-1.5, abs=0.05)
        assert float(bias.std()) == pytest.approx(0.5, rel=0.05)


def test_output_layer_starts_as_torchs_for_any_groups() -> None:
    shape = DataShape((300,), 400, "classify")
    for init in ("xavier", "he", "normal", "torch"):
        weight, bias = layers(shape, Group(width=300, init=init, gain=3.0, bias_mean=2.0))["output"]
        assert float(weight.std()) == pytest.approx(math.sqrt(1 / 900), rel=0.015)
        assert float(weight.abs().max()) <= 1 / math.sqrt(300)
        assert torch.all(bias == 0)


def test_a_branch_gain_of_0_lets_its_last_layer_start_at_0() -> None:
    group = Group(width=300, layers=2, repeat=2, shortcut="identity", init="he", branch_gain=0.0)
    exp = Experiment(net=(group,))
    made = build(exp, SHAPE, generator_seed=1)
    parameters = {layer.name: layer.parameters for layer in made.layers}
    assert torch.all(parameters["dense1.2"][0] == 0)
    made(torch.ones(3, 300)).sum().backward()
    assert parameters["dense2.2"][0].grad is not None
    assert torch.any(parameters["dense2.2"][0].grad != 0)


def test_fixup_scales_the_branches_as_published() -> None:
    """Zhang, Dauphin, Ma 2019, section 3: L = 16 blocks of m = 3 layers, so L^(−1/4) = 1/2."""
    group = Group(width=300, layers=3, repeat=16, shortcut="identity", init="fixup", activation="relu")
    made = layers(SHAPE, group)
    for number in (1, 16):
        for layer in ("1", "2"):
            deviation = float(made[f"dense{number}.{layer}"][0].std())
            assert deviation == pytest.approx(0.5 * math.sqrt(2 / 300), rel=0.015)
        assert torch.all(made[f"dense{number}.3"][0] == 0)
    assert torch.all(made["output"][0] == 0)


def test_a_gate_starts_closed_and_a_projection_keeps_the_variance() -> None:
    made = layers(SHAPE, Group(width=200, shortcut="highway", init="he"))
    assert torch.all(made["dense1.gate"][1] == -1)
    assert float(made["dense1.shortcut"][0].std()) == pytest.approx(math.sqrt(1 / 300), rel=0.015)


def net(block: Any, **fields: Any) -> Net:
    exp = Experiment(net=(Group(block=block, width=400, activation="tanh", **fields),))
    return build(exp, DataShape((4, 50), 10, "classify"), generator_seed=1)


def gates(block: str, **fields: Any) -> list[Tensor]:
    return list(net(block, **fields).layers[0].parameters[1].detach().split(400))


@pytest.mark.parametrize(("block", "count"), [("rnn", 1), ("lstm", 4), ("gru", 3)])
def test_recurrent_matrices_start_gate_by_gate(block: str, count: int) -> None:
    for gate in gates(block, recurrent_init="orthogonal", recurrent_gain=0.9):
        torch.testing.assert_close(gate @ gate.T, 0.81 * torch.eye(400), atol=1e-5, rtol=0)
    identity = gates(block, recurrent_init="identity", recurrent_gain=0.5)
    assert len(identity) == count
    assert all(torch.equal(gate, 0.5 * torch.eye(400)) for gate in identity)
    for gate in gates(block, recurrent_init="normal", recurrent_gain=3.0):
        assert float(torch.linalg.eigvals(gate).abs().max()) == pytest.approx(3.0, rel=0.08)
    for gate in gates(block, recurrent_init="torch", recurrent_gain=2.0):
        assert float(gate.abs().max()) == pytest.approx(2 / math.sqrt(400), rel=1e-3)


def test_input_weights_of_cells_start_gate_by_gate() -> None:
    weight = net("lstm", init="xavier").layers[0].parameters[0].detach()
    assert float(weight.std()) == pytest.approx(math.sqrt(2 / (50 + 400)), rel=0.02)
    own = torch.nn.LSTMCell(50, 400).weight_ih.detach()
    weight = net("lstm", init="torch").layers[0].parameters[0].detach()
    assert float(weight.abs().max()) == pytest.approx(float(own.abs().max()), rel=1e-3)


def test_forget_bias_is_added_to_the_forget_gate_only() -> None:
    _, _, bias, other = net("lstm", forget_bias=1.0, bias_mean=0.25).layers[0].parameters
    assert torch.all(other == 0)
    assert torch.all(bias[400:800] == 1.25)
    assert torch.all(bias[:400] == 0.25)
    assert torch.all(bias[800:] == 0.25)


def test_queries_keys_and_values_are_three_matrices() -> None:
    shape = DataShape((4, 240), 10, "classify")
    parameters = layers(shape, Group(block="attention", width=240, init="xavier"))
    assert float(parameters["attention1.qkv"][0].std()) == pytest.approx(math.sqrt(1 / 240), rel=0.015)
    assert float(parameters["attention1.mlp1"][0].std()) == pytest.approx(math.sqrt(2 / (5 * 240)), rel=0.015)


def test_an_embedding_is_standard_normal() -> None:
    shape = DataShape((30,), 1000, "sequence")
    table = layers(shape, Group(block="gru", width=64), source="copy")["embedding"][0]
    assert float(table.std()) == pytest.approx(1.0, rel=0.02)
