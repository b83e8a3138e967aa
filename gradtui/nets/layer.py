"""What a net says of its weight layers, and weight modules that start empty."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gradtui.experiment.block_shapes import LayerKind


@dataclass(frozen=True)
class Layer:
    """One weight layer, in forward order; names and counts are those of ``experiment.shapes.net_shape``."""

    name: str
    kind: LayerKind
    parameters: list[nn.Parameter]
    """Weights and biases, then those of a norm, a learned slope and rezero's scalar that belong to the
    layer."""
    module: nn.Module
    """The weight module; its output is the pre-activation. Of a recurrent layer the hidden states (batch,
    steps, width)."""
    activation: nn.Module | None
    """The module whose output is the layer's activation: with order "post" it follows the weights (and the
    addition of an identity shortcut), with "pre" it feeds them. A recurrent layer is its own. None: there
    is none."""
    function: str
    """Which nonlinearity ``activation`` is; "tanh" of lstm and gru, "identity" where there is none."""

    @property
    def count(self) -> int:
        """Number of parameters."""
        return sum(p.numel() for p in self.parameters)


class Linear(nn.Linear):
    """Without torch's own initialisation, which would draw from the global generator and be thrown away."""

    def reset_parameters(self) -> None:
        """Leaves the numbers as they are: ``init.Start`` fills them."""


class Conv2d(nn.Conv2d):
    """Without torch's own initialisation, as ``Linear``."""

    def reset_parameters(self) -> None:
        """Leaves the numbers as they are: ``init.Start`` fills them."""


class ScaledLinear(Linear):
    """scale · (W x + b): the last layer of a branch."""

    scale: float

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 2:
            # The scale rides along in the multiplication, at no cost.
            return torch.addmm(self.bias, x, self.weight.t(), beta=self.scale, alpha=self.scale)
        return super().forward(x) * self.scale


class ScaledConv2d(Conv2d):
    """scale · (W ∗ x + b): the last layer of a branch."""

    scale: float

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.scale


class Embedding(nn.Embedding):
    """Without torch's own initialisation, as ``Linear``."""

    def reset_parameters(self) -> None:
        """Leaves the numbers as they are: ``build`` fills them."""


def make_linear(size: int, width: int, *, bias: bool = True, scale: float = 1.0) -> Linear:
    """A linear layer, whose output is multiplied by ``scale``."""
    if scale == 1.0:
        return Linear(size, width, bias=bias)
    scaled = ScaledLinear(size, width, bias=bias)
    scaled.scale = scale
    return scaled
