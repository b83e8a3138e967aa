"""Make small data for the script trainings: images, points, tables, series, sequences and graphs."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from gradtui.data import files


def digit_images() -> tuple[Tensor, Tensor]:
    """Return images of digits, (n, 1, 8, 8) of zero mean and unit variance, and the digits."""
    arrays = files.digits(0)
    x = torch.from_numpy(arrays.train_x.astype("float32")).reshape(-1, 1, 8, 8)
    return (x - x.mean()) / x.std(), torch.from_numpy(arrays.train_y.astype("int64"))


def digit_rows() -> tuple[Tensor, Tensor]:
    """Return the same images as rows, (n, 64)."""
    x, y = digit_images()
    return x.flatten(1), y


def moons(n: int = 800) -> tuple[Tensor, Tensor]:
    """Return points on two interleaved half circles, (n, 2), and the half circle of each."""
    y = torch.arange(n) % 2
    angle = torch.rand(n) * math.pi + math.pi * y
    x = torch.stack([angle.cos() + y, angle.sin() + 0.5 * y], 1)
    return x + 0.08 * torch.randn(n, 2), y


def table(n: int = 1500, features: int = 16) -> tuple[Tensor, Tensor]:
    """Return features of unit variance, (n, features), and a smooth function of them, (n, 1)."""
    x = torch.randn(n, features)
    y = torch.sin(1.5 * x[:, :1]) + 0.5 * x[:, 1:2] * x[:, 2:3] + 0.5 * x[:, 3:4]
    return x, y + 0.1 * torch.randn(n, 1)


def waves(n: int = 600, length: int = 32) -> tuple[Tensor, Tensor]:
    """Return series, (n, length, 1), of sines with noise, and each one's next value, (n, 1)."""
    frequency, phase = 0.1 + 0.4 * torch.rand(n, 1), 6.3 * torch.rand(n, 1)
    whole = torch.sin(frequency * torch.arange(length + 1) + phase) + 0.05 * torch.randn(n, length + 1)
    return whole[:, :-1, None], whole[:, -1:]


def brackets(n: int = 1200, length: int = 16) -> tuple[Tensor, Tensor]:
    """Return sequences of the symbols 0 to 7, (n, length), and whether a sequence has more 1s than 2s."""
    x = torch.randint(0, 8, (n, length))
    y = ((x == 1).sum(1) > (x == 2).sum(1)).long()
    return x, y


def sums(n: int = 2000) -> tuple[Tensor, Tensor]:
    """Return sequences of symbols, (n, 12), in which each symbol follows from the two before it (a language)."""
    x = torch.randint(0, 10, (n, 12))
    for step in range(2, 12):
        x[:, step] = torch.where(torch.rand(n) < 0.9, (x[:, step - 1] + x[:, step - 2]) % 10, x[:, step])
    return x[:, :-1], x[:, 1:]


def communities(n: int = 120, classes: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Return a normalised adjacency (n, n), noisy features (n, 8) and the community of each node of a graph."""
    y = torch.arange(n) % classes
    near = torch.where(y[:, None] == y[None], 0.25, 0.02)
    links = (torch.rand(n, n) < near).float().triu(1)
    links = links + links.T + torch.eye(n)
    root = links.sum(1).rsqrt()
    x = F.one_hot(y, 8).float() * 0.3 + torch.randn(n, 8)
    return root[:, None] * links * root[None], x, y
