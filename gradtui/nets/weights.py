"""Make weight modules without initial values, and initialise them from an experiment's own random numbers.

The numbers come from one generator in the order in which the layers are built, so a net depends only on its
experiment, and torch's global generator is neither read nor advanced.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gradtui.experiment.layers import Recurrence, Weights, init_deviation


class Uninitialised:
    """An Uninitialised module skips torch's initialisation, which would draw from the global generator."""

    def reset_parameters(self) -> None:
        """Leave the numbers as they are: the functions of this module set them."""


class Linear(Uninitialised, nn.Linear):
    """A Linear is torch's layer without its own initialisation."""


class Conv2d(Uninitialised, nn.Conv2d):
    """A Conv2d is torch's layer without its own initialisation."""


class Embedding(Uninitialised, nn.Embedding):
    """An Embedding is torch's layer without its own initialisation."""


class ScaledLinear(Linear):
    """A ScaledLinear computes scale · (W x + b): the last layer of a branch."""

    scale: float

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        if x.dim() == 2:
            # addmm applies the scale at no extra cost.
            return torch.addmm(self.bias, x, self.weight.t(), beta=self.scale, alpha=self.scale)
        return super().forward(x) * self.scale


class ScaledConv2d(Conv2d):
    """A ScaledConv2d computes scale · (W ∗ x + b): the last layer of a branch."""

    scale: float

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        return super().forward(x) * self.scale


def make_weights(weights: Weights, generator: torch.Generator) -> Linear | Conv2d:
    """Return a dense or convolutional layer with initialised weights."""
    plain = weights.scale == 1.0
    outputs = weights.matrices * weights.outputs
    made: Linear | Conv2d
    if len(weights.reads) == 3:
        made = (Conv2d if plain else ScaledConv2d)(
            weights.inputs,
            outputs,
            weights.kernel,
            stride=weights.stride,
            padding=weights.kernel // 2,
            bias=weights.bias,
        )
    else:
        made = (Linear if plain else ScaledLinear)(weights.inputs, outputs, bias=weights.bias)
    if isinstance(made, ScaledLinear | ScaledConv2d):
        made.scale = weights.scale
    for matrix in made.weight.chunk(weights.matrices):
        fill(matrix, weights, generator)
    if made.bias is not None:
        fill_bias(made.bias, weights, generator)
    return made


@torch.no_grad()
def make_embedding(weights: Weights, generator: torch.Generator) -> Embedding:
    """Return an embedding of standard normal vectors, like torch's, because an embedding has no fan-in."""
    embedding = Embedding(weights.inputs, weights.outputs)
    embedding.weight.normal_(0.0, 1.0, generator=generator)
    return embedding


@torch.no_grad()
def fill(matrix: Tensor, weights: Weights, generator: torch.Generator) -> None:
    """Fill a matrix (fan_out, fan_in) or a kernel (out, in, k, k) by the rule of its layer."""
    if weights.factor == 0.0:
        matrix.zero_()
    elif weights.init == "orthogonal":
        # Saxe, McClelland, Ganguli 2013; a kernel counts as the matrix (out, in·k·k).
        nn.init.orthogonal_(matrix, gain=weights.factor, generator=generator)
    else:
        deviation = weights.factor * init_deviation(
            weights.init, weights.fan_in, weights.fan_out, weights.he_slope
        )
        if weights.init == "torch":
            bound = math.sqrt(3.0) * deviation
            matrix.uniform_(-bound, bound, generator=generator)
        else:
            matrix.normal_(0.0, deviation, generator=generator)


@torch.no_grad()
def fill_bias(bias: Tensor, weights: Weights, generator: torch.Generator) -> None:
    """Fill biases with normal numbers, whatever the rule of initialisation."""
    if weights.bias_std:
        mean, deviation = weights.bias_mean / weights.scale, weights.bias_std / weights.scale
        bias.normal_(mean, deviation, generator=generator)
    else:
        bias.fill_(weights.bias_mean / weights.scale)


@torch.no_grad()
def fill_recurrent(matrix: Tensor, init: str, gain: float, generator: torch.Generator) -> None:
    """Fill the hidden-to-hidden matrix (n, n) of one gate.

    torch: uniform in ±1/√n. orthogonal: Saxe 2013. identity: Le, Jaitly, Hinton 2015. normal: deviation gain/√n, whose
    spectral radius is `gain` for large n (Girko's circular law).
    """
    size = matrix.shape[0]
    match init:
        case "torch":
            bound = gain / math.sqrt(size)
            matrix.uniform_(-bound, bound, generator=generator)
        case "orthogonal":
            nn.init.orthogonal_(matrix, gain=gain, generator=generator)
        case "identity":
            matrix.copy_(torch.eye(size) * gain)
        case "normal":
            matrix.normal_(0.0, gain / math.sqrt(size), generator=generator)


@torch.no_grad()
def fill_cell(
    cell: nn.RNNCellBase, weights: Weights, recurrence: Recurrence, generator: torch.Generator
) -> None:
    """Fill a recurrent cell, the matrices of each gate separately.

    Of torch's two biases only the input's is drawn and the other is 0, because only their sum matters. With init
    "torch" the input's weights are uniform in ±1/√width, as in torch's cells.
    """
    for matrix in cell.weight_ih.chunk(weights.matrices):
        if weights.init == "torch":
            bound = weights.factor / math.sqrt(weights.outputs)
            matrix.uniform_(-bound, bound, generator=generator)
        else:
            fill(matrix, weights, generator)
    for matrix in cell.weight_hh.chunk(weights.matrices):
        fill_recurrent(matrix, recurrence.init, recurrence.gain, generator)
    assert cell.bias_ih is not None
    assert cell.bias_hh is not None
    fill_bias(cell.bias_ih, weights, generator)
    nn.init.zeros_(cell.bias_hh)
    if recurrence.cell == "lstm":
        # torch's order of gates: input, forget, cell, output.
        width = weights.outputs
        cell.bias_ih[width : 2 * width] += recurrence.forget_bias
