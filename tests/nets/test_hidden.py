"""Test the gradient with respect to hidden states, the total derivative through all later steps."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from gradtui.experiment.data_shapes import DataShape
from gradtui.experiment.spec import Experiment, Group
from gradtui.nets import Net, build

STEPS, WIDTH, BATCH = 6, 3, 2
SHAPE = DataShape((STEPS, 2), 4, "classify")


def made(**fields: Any) -> tuple[Net, Tensor]:
    exp = Experiment(net=(Group(width=WIDTH, bias_std=0.3, recurrent_init="orthogonal", **fields),))
    net = build(exp, SHAPE, generator_seed=2).double()
    x = torch.randn(BATCH, STEPS, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    return net, x


def loss(outputs: Tensor) -> Tensor:
    return outputs.square().sum()


class Nudge:
    """Adds a number to one unit of one cell's hidden state at one step, and lets the recurrence go on from
    there."""

    def __init__(self, cell: torch.nn.Module, step: int, row: int, unit: int, by: float) -> None:
        self.at, self.count = (step, row, unit, by), 0
        self.handle = cell.register_forward_hook(self.hook)

    def hook(self, module: object, given: object, output: Any) -> Any:
        step, row, unit, by = self.at
        self.count += 1
        if self.count - 1 != step:
            return output
        hidden, *memory = output if isinstance(output, tuple) else (output,)
        hidden = hidden.clone()
        hidden[row, unit] += by
        return (hidden, *memory) if memory else hidden


@pytest.mark.parametrize(
    "fields",
    [
        {"block": "rnn", "activation": "tanh"},
        {"block": "rnn", "activation": "silu", "norm": "layer"},
        {"block": "lstm"},
        {"block": "gru", "shortcut": "identity"},
        {"block": "gru", "layers": 2},
    ],
)
def test_gradient_of_each_state_is_the_total_derivative(fields: dict[str, Any]) -> None:
    net, x = made(**fields)
    net.record_hidden(True)
    outputs = net(x)
    states = net.hidden_states
    assert list(states) == [layer.name for layer in net.layers if layer.kind == fields["block"]]
    for layer in states.values():
        assert [tuple(h.shape) for h in layer] == [(BATCH, WIDTH)] * STEPS
        for h in layer:
            h.retain_grad()
    loss(outputs).backward()
    gradients = {name: [h.grad for h in layer] for name, layer in states.items()}
    net.record_hidden(False)
    assert all(layer == [] for layer in net.hidden_states.values())

    cells = {layer.name: layer.module.cell for layer in net.layers if layer.name in gradients}
    for name, cell in cells.items():
        for step in range(STEPS):
            for row in range(BATCH):
                for unit in range(WIDTH):
                    values = []
                    for by in (1e-5, -1e-5):
                        nudge = Nudge(cell, step, row, unit, by)
                        values.append(float(loss(net(x)).detach()))
                        nudge.handle.remove()
                    assert float(gradients[name][step][row, unit]) == pytest.approx(
                        (values[0] - values[1]) / 2e-5, rel=1e-6, abs=1e-9
                    )


def test_recording_changes_no_bit() -> None:
    net, x = made(block="lstm")
    plain = net(x)
    net.record_hidden(True)
    assert torch.equal(net(x), plain)


@pytest.mark.parametrize(("gain", "decades"), [(0.9, 0.0458), (1.1, -0.0414)])
def test_orthogonal_recurrence_changes_the_gradient_by_its_factor(gain: float, decades: float) -> None:
    exp = Experiment(
        net=(
            Group(
                block="rnn", width=64, activation="identity", recurrent_init="orthogonal", recurrent_gain=gain
            ),
        )
    )
    net = build(exp, DataShape((30, 2), 4, "classify"), generator_seed=0).double()
    net.record_hidden(True)
    outputs = net(torch.randn(8, 30, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))
    states = net.hidden_states["rnn1"]
    for h in states:
        h.retain_grad()
    loss(outputs).backward()
    logs = [float(h.grad.square().mean().sqrt().log10()) for h in states if h.grad is not None]
    assert len(logs) == 30
    for earlier, later in pairwise(logs):
        assert later - earlier == pytest.approx(decades, abs=1e-4)
