"""Recurrent layers, stepped through time by our own loop.

torch's fused nn.RNN, nn.LSTM and nn.GRU give the hidden states as one tensor that the recurrence does not
pass through: a hook there sees only what the loss says of each step directly. Here every hidden state is a
tensor of its own in the graph, so its gradient is the total one, through all later steps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradtui.experiment.spec import Group
from gradtui.nets.activations import make_activation, make_norm
from gradtui.nets.blocks import Block, ScaledResidual, Steps
from gradtui.nets.init import Start, negative_slope
from gradtui.nets.layer import Layer, Linear


class RNNCell(nn.RNNCell):
    """torch's cell, tanh or relu, without its own initialisation."""

    def reset_parameters(self) -> None:
        """Leaves the numbers as they are: ``init.Start`` fills them."""


class LSTMCell(nn.LSTMCell):
    """torch's cell without its own initialisation."""

    def reset_parameters(self) -> None:
        """Leaves the numbers as they are: ``init.Start`` fills them."""


class GRUCell(nn.GRUCell):
    """torch's cell without its own initialisation."""

    def reset_parameters(self) -> None:
        """Leaves the numbers as they are: ``init.Start`` fills them."""


class AnyRNNCell(nn.RNNCellBase):
    """h′ = φ(W x + b + U h + c) for any activation φ, with the parameters of nn.RNNCell."""

    def __init__(self, size: int, width: int, activation: nn.Module) -> None:
        super().__init__(size, width, bias=True, num_chunks=1)
        self.activation = activation

    def reset_parameters(self) -> None:
        """Leaves the numbers as they are: ``init.Start`` fills them."""

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        new: Tensor = self.activation(
            F.linear(x, self.weight_ih, self.bias_ih) + F.linear(hidden, self.weight_hh, self.bias_hh)
        )
        return new


class Recurrent(nn.Module):
    """A recurrent layer: (batch, steps, features) to its hidden states (batch, steps, width), from a state
    of 0."""

    def __init__(self, cell: nn.RNNCellBase) -> None:
        super().__init__()
        self.cell = cell
        self.recording = False
        """Whether to keep the hidden states of the last pass."""
        self.states: list[Tensor] = []
        """Hidden states (batch, width) of the last recorded pass, one a step, parts of the graph."""

    def forward(self, x: Tensor) -> Tensor:
        hidden = x.new_zeros(x.shape[0], self.cell.hidden_size)
        states = self._lstm(x, hidden) if isinstance(self.cell, nn.LSTMCell) else self._simple(x, hidden)
        if self.recording:
            self.states = states
        return torch.stack(states, 1)

    def _simple(self, x: Tensor, hidden: Tensor) -> list[Tensor]:
        states = []
        for step in x.unbind(1):
            hidden = self.cell(step, hidden)
            states.append(hidden)
        return states

    def _lstm(self, x: Tensor, hidden: Tensor) -> list[Tensor]:
        states, memory = [], hidden
        for step in x.unbind(1):
            hidden, memory = self.cell(step, (hidden, memory))
            states.append(hidden)
        return states


def recurrent_block(
    group: Group, name: str, signal: tuple[int, ...], start: Start
) -> tuple[Block, list[Layer]]:
    """One block that reads sequences of shape ``signal`` (steps, features), and its layers in forward order.

    The activation is the cell's own, so a layer is cell, norm (order "post") or norm, cell ("pre"). An
    identity shortcut adds the block's input to its output at every step.
    """
    size, width = signal[-1], group.width
    steps: Steps = []
    layers: list[Layer] = []
    for number in range(1, group.layers + 1):
        features = size if number == 1 else width
        layer = Recurrent(_cell(group, features))
        _fill(layer.cell, group, start)
        norm = make_norm(group.norm, width if group.order == "post" else features, rank=2)
        core: Steps = [(f"weights{number}", layer)]
        around: Steps = [] if norm is None else [(f"norm{number}", norm)]
        steps += core + around if group.order == "post" else around + core
        parameters = [p for module in (layer, norm) if module is not None for p in module.parameters()]
        suffix = f".{number}" if group.layers > 1 else ""
        function = group.activation if group.block == "rnn" else "tanh"
        layers.append(Layer(name + suffix, group.block, parameters, layer, layer, function))
    if group.shortcut == "none":
        return Block(steps), layers
    projection = None
    if size != width:
        projection = Linear(size, width, bias=False)
        start.weight(projection.weight, "lecun", 1.0)
        parameters = list(projection.parameters())
        layers.append(Layer(f"{name}.shortcut", "shortcut", parameters, projection, None, "identity"))
    return ScaledResidual(steps, projection, start.branch_gain(group)), layers


def _cell(group: Group, size: int) -> nn.RNNCellBase:
    match group.block, group.activation:
        case "lstm", _:
            return LSTMCell(size, group.width)
        case "gru", _:
            return GRUCell(size, group.width)
        case _, ("tanh" | "relu") as kind:
            return RNNCell(size, group.width, nonlinearity=kind)
    return AnyRNNCell(size, group.width, make_activation(group.activation, group.slope))


def _fill(cell: nn.RNNCellBase, group: Group, start: Start) -> None:
    """Each gate's matrices by themselves. Of torch's two biases only the input's is drawn, the other is 0:
    their sum is what counts. With init "torch" the input's weights are uniform in ±1/√width, as torch's
    cells have them."""
    width = cell.hidden_size
    gates = len(cell.weight_hh) // width
    for weight in cell.weight_ih.chunk(gates):
        if group.init == "torch":
            start.recurrent(weight, "torch", group.gain)
        else:
            start.weight(weight, group.init, group.gain, negative_slope(group))
    for weight in cell.weight_hh.chunk(gates):
        start.recurrent(weight, group.recurrent_init, group.recurrent_gain)
    assert cell.bias_ih is not None
    assert cell.bias_hh is not None
    start.bias(cell.bias_ih, group)
    nn.init.zeros_(cell.bias_hh)
    if group.block == "lstm":
        # torch's order of gates: input, forget, cell, output.
        with torch.no_grad():
            cell.bias_ih[width : 2 * width] += group.forget_bias
