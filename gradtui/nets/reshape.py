"""What stands between groups of different kinds: no weights, only another view of the signal."""

from __future__ import annotations

from torch import Tensor, nn


class Rows(nn.Module):
    """An image (batch, channels, height, width) as (batch, height, channels · width)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(2)


class Pixels(nn.Module):
    """An image (batch, channels, height, width) as (batch, height · width, channels), row by row."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).transpose(1, 2)


class GlobalAverage(nn.Module):
    """The mean of each channel over the image: (batch, channels)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class LastStep(nn.Module):
    """The last step of a sequence: (batch, features)."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, -1]
