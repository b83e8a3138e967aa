"""Define the training that both libraries run, and the same training by plain autograd."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tests.monitor.conftest import oracle

BATCH = 4
LR = 0.1


def examples(count: int = 48) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 8, generator=generator), torch.arange(count) % 3


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 12), nn.Tanh(), nn.Linear(12, 12), nn.Tanh(), nn.Linear(12, 3))


@dataclass(frozen=True)
class Truth:
    """The norms and the loss of every step."""

    layers: np.ndarray
    total: np.ndarray
    clipped: np.ndarray
    loss: np.ndarray
    weights: Tensor
    """All of them, at the end."""


def plain(model: nn.Sequential, accumulate: int, clip: float | None) -> Truth:
    """Return the data once, in order."""
    model = copy.deepcopy(model)
    x, y = examples()
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    layers, total, clipped, losses = [], [], [], []
    size = BATCH * accumulate
    for begin in range(0, len(x), size):
        optimizer.zero_grad()
        loss = cross_entropy(model(x[begin : begin + size]), y[begin : begin + size])
        loss.backward()
        losses.append(float(loss))
        layers.append([oracle(list(m.parameters())) for m in model if isinstance(m, nn.Linear)])
        total.append(oracle(list(model.parameters())))
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        clipped.append(oracle(list(model.parameters())))
        optimizer.step()
    weights = nn.utils.parameters_to_vector(model.parameters()).detach()
    return Truth(*map(np.array, (layers, total, clipped, losses)), weights=weights)
