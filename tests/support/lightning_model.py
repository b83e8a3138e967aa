"""Define a small classifier as a Lightning module."""

from __future__ import annotations

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from tests.integrations.material import LR, net


class Classifier(LightningModule):
    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__()
        self.net = net()
        self.fails_at = fails_at

    def training_step(self, batch: tuple[Tensor, Tensor], number: int) -> Tensor:
        if number == self.fails_at:
            raise RuntimeError("no more data")
        x, y = batch
        return nn.functional.cross_entropy(self.net(x), y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=LR)
