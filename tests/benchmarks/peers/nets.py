"""Define trainings as people write them: a model, an optimizer, and the loss of the next batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class Training(NamedTuple):
    """A training that can go on forever."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    loss: Callable[[], Tensor]
    """Return the loss of the next batch."""


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        branch: Tensor = self.second(torch.relu(self.first(self.norm(x))))
        return x + 0.05 * branch


class _Transformer(nn.Module):
    """A transformer of four blocks that predicts the next token."""

    def __init__(self, words: int = 512, width: int = 192, length: int = 96) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.position = nn.Parameter(0.02 * torch.randn(length, width))
        block = nn.TransformerEncoderLayer(
            width, 6, 4 * width, dropout=0.0, batch_first=True, norm_first=True, activation="gelu"
        )
        self.blocks = nn.TransformerEncoder(block, 4, enable_nested_tensor=False)
        self.head = nn.Linear(width, words)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(length))

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.embedding(tokens) + self.position
        out: Tensor = self.head(self.blocks(hidden, mask=self.mask, is_causal=True))
        return out


def training(name: str) -> Training:
    """Return one of MODELS, always with the same weights and batches. Raises KeyError on another name."""
    torch.manual_seed(0)
    return {"mlp": _mlp, "transformer": _transformer, "residual": _residual}[name]()


def _mlp() -> Training:
    hidden = [m for _ in range(49) for m in (nn.Linear(128, 128), nn.ReLU())]
    return _classifier(nn.Sequential(nn.Linear(64, 128), nn.ReLU(), *hidden[:-2], nn.Linear(128, 10)), 64)


def _residual() -> Training:
    blocks = [_Residual(64) for _ in range(499)]
    return _classifier(nn.Sequential(nn.Linear(64, 64), *blocks, nn.Linear(64, 10)), 32)


def _classifier(model: nn.Module, batch: int) -> Training:
    x, y = torch.randn(16, batch, 64), torch.randint(10, (16, batch))
    return _training(model, lambda at: cross_entropy(model(x[at]), y[at]))


def _transformer() -> Training:
    model = _Transformer()
    tokens = torch.randint(512, (16, 8, 97))
    return _training(
        model, lambda at: cross_entropy(model(tokens[at, :, :-1]).flatten(0, 1), tokens[at, :, 1:].flatten())
    )


def _training(model: nn.Module, loss: Callable[[int], Tensor]) -> Training:
    taken = 0

    def following() -> Tensor:
        nonlocal taken
        taken += 1
        return loss(taken % 16)

    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    return Training(model, optimizer, following)
