"""Build activations and normalisations as torch modules."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.layers import Norm

EPSILON = 1e-5
"""Added under the root of every normalisation (torch's default of batch norm)."""

Factory = Callable[[float], nn.Module]
"""A function that makes an activation's module for a group with this `slope`."""

FACTORIES: dict[str, Factory] = {
    "leaky_relu": nn.LeakyReLU,
    # One slope for the layer instead of one per channel, so that the lab can show it over time.
    "prelu": lambda slope: nn.PReLU(init=slope),
}
"""Factories of the activations that need more than a call of a torch.nn class without arguments."""


def register(name: str, factory: Factory) -> None:
    """Set the factory of a registered activation's module. Raises KeyError where the table has no such name."""
    FACTORIES[ACTIVATIONS[name].name] = factory


def make_activation(kind: str, slope: float) -> nn.Module:
    """Return a new module of an activation; each layer has its own, so that a probe can read that layer's output.

    ``slope`` is the slope of leaky_relu, and the initial slope of prelu.
    """
    if factory := FACTORIES.get(kind):
        return factory(slope)
    made: nn.Module = getattr(nn, ACTIVATIONS[kind].modules[0])()
    return made


def make_norm(norm: Norm) -> nn.Module:
    """Return a normalisation with learned scale (1 at first) and shift (0).

    Layer and RMS normalisation take an image over channels and places together, with one scale per channel, and a
    sequence over the features of each step. Sources: batch (Ioffe and Szegedy 2015), layer (Ba 2016), group (Wu and He
    2018), rms (Zhang and Sennrich 2019).
    """
    kind, width, rank = norm.kind, norm.width, norm.rank
    if kind == "batch":
        return (nn.BatchNorm1d, BatchNormSteps, nn.BatchNorm2d)[rank - 1](width, eps=EPSILON)
    if kind == "group" or (kind == "layer" and rank == 3):
        groups = norm.groups if kind == "group" else 1
        return (GroupNormSteps if rank == 2 else nn.GroupNorm)(groups, width, eps=EPSILON)
    if kind == "layer":
        return nn.LayerNorm(width, eps=EPSILON)
    return RMSNormImage(width) if rank == 3 else nn.RMSNorm(width, eps=EPSILON)


class BatchNormSteps(nn.BatchNorm1d):
    """A BatchNormSteps normalises (batch, steps, features) over all steps of all examples."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        return super().forward(x.flatten(0, 1)).view_as(x)


class GroupNormSteps(nn.GroupNorm):
    """A GroupNormSteps normalises (batch, steps, features), each step separately."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        return super().forward(x.flatten(0, 1)).view_as(x)


class RMSNormImage(nn.Module):
    """An RMSNormImage normalises (batch, channels, height, width) over all but the batch, with a scale per channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        square = x.square().mean((1, 2, 3), keepdim=True)
        return x * torch.rsqrt(square + EPSILON) * self.weight[:, None, None]
