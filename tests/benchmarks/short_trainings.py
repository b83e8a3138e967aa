"""Train several small nets for a few seconds each, watched by default, and print what each says of its own cost.

``python -m tests.benchmarks.short_trainings SECONDS NETS`` prints one JSON list of `probe.overhead`. The steps take one
to twenty milliseconds.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import cross_entropy

import gradtui

CLASSES = 10


def _dense(layers: int, width: int) -> nn.Module:
    hidden = [part for _ in range(layers - 2) for part in (nn.Linear(width, width), nn.ReLU())]
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), *hidden, nn.Linear(width, CLASSES))


def _convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(32 * 64, CLASSES),
    )  # fmt: skip


def _transformer() -> nn.Module:
    block = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
    encoder = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
    return nn.Sequential(
        nn.Unflatten(1, (8, 8)), nn.Linear(8, 32), encoder, nn.Flatten(), nn.Linear(256, CLASSES)
    )


TRAININGS: list[tuple[Callable[[], nn.Module], int]] = [
    (lambda: _dense(4, 64), 64),
    (lambda: _dense(20, 64), 128),
    (_convolutional, 32),
    (_transformer, 16),
    (lambda: _dense(10, 256), 256),
    (lambda: _dense(50, 128), 64),
]
"""A net, and the examples of a batch."""


def main(seconds: float, nets: int) -> None:
    """Train the first nets and print what each says."""
    torch.set_num_threads(1)
    print(json.dumps([_overhead(make(), batch, seconds) for make, batch in TRAININGS[:nets]]))


def _overhead(model: nn.Module, batch: int, seconds: float) -> float:
    x, y = torch.randn(batch, 64), torch.randint(CLASSES, (batch,))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    probe = gradtui.watch(model, optimizer, runs=Path(os.environ["GRADTUI_HOME"]) / "runs")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        probe.log(loss=loss)
    probe.close()
    return probe.overhead


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
