"""Build recurrent layers that step through time in a loop of their own.

torch's fused nn.RNN, nn.LSTM and nn.GRU return the hidden states as one tensor that the recurrence does not pass
through, so a hook sees only the direct gradient of the loss at each step. Here every hidden state is a separate tensor
in the graph, so its gradient is the total one, through all later steps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradtui.experiment.layers import Activate, Weights
from gradtui.nets.activations import make_activation
from gradtui.nets.weights import Uninitialised, fill_cell


class RNNCell(Uninitialised, nn.RNNCell):
    """An RNNCell is torch's cell, tanh or relu, without its own initialisation."""


class LSTMCell(Uninitialised, nn.LSTMCell):
    """An LSTMCell is torch's cell without its own initialisation."""


class GRUCell(Uninitialised, nn.GRUCell):
    """A GRUCell is torch's cell without its own initialisation."""


class AnyRNNCell(Uninitialised, nn.RNNCellBase):
    """An AnyRNNCell computes h′ = φ(W x + b + U h + c) for any activation φ, with the parameters of nn.RNNCell."""

    def __init__(self, size: int, width: int, activation: nn.Module) -> None:
        super().__init__(size, width, bias=True, num_chunks=1)
        self.activation = activation

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        new: Tensor = self.activation(
            F.linear(x, self.weight_ih, self.bias_ih) + F.linear(hidden, self.weight_hh, self.bias_hh)
        )
        return new


class Recurrent(nn.Module):
    """A Recurrent takes (batch, steps, features) to its hidden states (batch, steps, width), from a state of 0."""

    def __init__(self, cell: nn.RNNCellBase) -> None:
        super().__init__()
        self.cell = cell
        self.recording = False
        """This is true if the hidden states of the last pass are kept."""
        self.states: list[Tensor] = []
        """Hidden states (batch, width) of the last recorded pass, one per step, as parts of the graph."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
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


def make_recurrent(weights: Weights, generator: torch.Generator) -> Recurrent:
    """Return a recurrent layer with initialised weights."""
    recurrence, inputs, width = weights.recurrence, weights.inputs, weights.outputs
    assert recurrence is not None
    cell: nn.RNNCellBase
    match recurrence.cell, recurrence.activation:
        case "lstm", _:
            cell = LSTMCell(inputs, width)
        case "gru", _:
            cell = GRUCell(inputs, width)
        case _, Activate(name="tanh" | "relu" as name):
            cell = RNNCell(inputs, width, nonlinearity=name)
        case _, Activate(name, slope):
            cell = AnyRNNCell(inputs, width, make_activation(name, slope))
    fill_cell(cell, weights, recurrence, generator)
    return Recurrent(cell)
