"""Activations and normalisations as modules."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gradtui.experiment.block_shapes import norm_groups
from gradtui.experiment.spec import Activation, Norm

EPSILON = 1e-5
"""Added under the root of every normalisation (torch's default of batch norm)."""

_PLAIN: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


def make_activation(kind: Activation, slope: float) -> nn.Module:
    """The nonlinearity, a module of its own for each layer, so that a probe can look at one layer's output.

    ``slope`` is leaky_relu's, and where prelu's one learned slope starts (one for the layer, not one a
    channel: the lab shows it over time).
    """
    if kind == "leaky_relu":
        return nn.LeakyReLU(slope)
    if kind == "prelu":
        return nn.PReLU(init=slope)
    return _PLAIN[kind]()


def make_norm(kind: Norm, width: int, rank: int) -> nn.Module | None:
    """A normalisation of ``width`` features or channels, with learned scale (1 at first) and shift (0).

    ``rank`` is the number of dimensions of one example: 1 (features,), 2 (steps, features), 3 (channels,
    height, width). Layer and RMS normalise an image over channels and places together, with one scale a
    channel; a sequence over the features of each step. Sources: batch (Ioffe and Szegedy 2015), layer (Ba
    2016), group (Wu and He 2018), rms (Zhang and Sennrich 2019).
    """
    if kind == "none":
        return None
    if kind == "batch":
        return (BatchNormSteps, nn.BatchNorm1d, nn.BatchNorm2d)[(2, 1, 3).index(rank)](width, eps=EPSILON)
    if kind == "group" or (kind == "layer" and rank == 3):
        groups = norm_groups(width) if kind == "group" else 1
        return (GroupNormSteps if rank == 2 else nn.GroupNorm)(groups, width, eps=EPSILON)
    if kind == "layer":
        return nn.LayerNorm(width, eps=EPSILON)
    return RMSNormImage(width) if rank == 3 else nn.RMSNorm(width, eps=EPSILON)


class BatchNormSteps(nn.BatchNorm1d):
    """Batch norm of (batch, steps, features): all steps of all examples are the batch."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, 1)).view_as(x)


class GroupNormSteps(nn.GroupNorm):
    """Group norm of (batch, steps, features), each step by itself."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, 1)).view_as(x)


class RMSNormImage(nn.Module):
    """RMS norm of (batch, channels, height, width) over channels and places, one scale a channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        square = x.square().mean((1, 2, 3), keepdim=True)
        return x * torch.rsqrt(square + EPSILON) * self.weight[:, None, None]
