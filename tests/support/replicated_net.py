"""Define a net and data that several processes train together."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn


class Net(nn.Module):
    """Layers in an order other than that in which they are called."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(12, 3)
        self.body = nn.Sequential(nn.Linear(8, 12), nn.Tanh(), nn.Linear(12, 12), nn.Tanh())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.body(x))
        return out


def material(folder: Path) -> tuple[Path, torch.Tensor, torch.Tensor, Net]:
    torch.manual_seed(0)
    x, y, net = torch.randn(32, 8), torch.arange(32) % 3, Net()
    torch.save((x, y, net), folder / "material.pt")
    return folder / "material.pt", x, y, net
