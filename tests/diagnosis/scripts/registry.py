"""Register the script trainings, and provide the recorder that each training gets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

import gradtui

BROKE = ("exploding", "nonfinite", "unstable-loss")
"""Any of these names a training whose numbers run away."""
STILL = ("not-learning", "no-gradient", "not-optimized")
"""Any of these names a training in which nothing moves."""


class Recorder:
    """A Recorder stands between a training and `gradtui.watch`.

    Args:
        logs: Whether the losses are logged; otherwise the call of `watch` is the only line of gradtui in the script.
        fixed: Whether a failing training is to be done without its fault.
    """

    def __init__(self, *, logs: bool, fixed: bool = False) -> None:
        self.fixed = fixed
        self.losses: list[float] = []
        """The first of the losses that were handed to `log`, at every call."""
        self._logs = logs
        self._probe: Any = None

    def watch(self, model: Any, optimizer: Any = None) -> None:
        """Watch the training as a person would, with one line."""
        self._probe = gradtui.watch(model, optimizer)

    def log(self, **losses: Any) -> None:
        """Log losses by their names, where this training is to log any."""
        self.losses.append(float(next(iter(losses.values()))))
        if self._logs and self._probe is not None:
            self._probe.log(**losses)

    def close(self) -> None:
        """End the recording."""
        if self._probe is not None:
            self._probe.close()

    def fell(self, by: float = 0.1) -> bool:
        """Return whether the mean of the last tenth of the losses is lower than that of the first tenth.

        Args:
            by: the share of the first mean by which it must have fallen.
        """
        some = max(1, len(self.losses) // 10)
        first, last = sum(self.losses[:some]) / some, sum(self.losses[-some:]) / some
        return math.isfinite(last) and last < first - by * abs(first)


@dataclass(frozen=True)
class Training:
    """A Training is one script's training with its verdict."""

    name: str
    codes: frozenset[str]
    """Any of these findings names the fault rightly; empty for a healthy training."""
    source: str
    """Where this kind of training, or this fault, is found."""
    train: Callable[[Recorder], bool]
    """It trains, and returns whether the net has learned."""


TRAININGS: dict[str, Training] = {}

Train = Callable[[Recorder], bool]


def healthy(source: str) -> Callable[[Train], Train]:
    """Register a training that learns."""
    return failing(source=source)


def failing(*codes: str, source: str) -> Callable[[Train], Train]:
    """Register a training with one fault, which any of the codes names; without it (`fixed`) the training learns."""

    def register(train: Train) -> Train:
        name = train.__name__
        assert name not in TRAININGS, name
        TRAININGS[name] = Training(name, frozenset(codes), source, train)
        return train

    return register


def loop(
    recorder: Recorder,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_of: Callable[[torch.Tensor], torch.Tensor],
    examples: int,
    *,
    batch: int = 32,
    steps: int = 200,
    clip: float = 0.0,
    scheduler: Any = None,
    clear: bool = True,
) -> bool:
    """Train with the loop that most scripts have, and return whether the loss fell.

    Args:
        loss_of: the loss of the examples with these numbers.
        clip: the total norm to which gradients are clipped; 0 clips nothing.
        clear: whether gradients are cleared before each step.
    """
    recorder.watch(model, optimizer)
    for picked in picks(examples, batch, steps):
        if clear:
            optimizer.zero_grad()
        loss = loss_of(picked)
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        recorder.log(loss=loss)
    return recorder.fell()


def picks(examples: int, batch: int, steps: int) -> Iterator[torch.Tensor]:
    """Yield the numbers of the examples of each batch, epoch after epoch, shuffled."""
    order, used = torch.randperm(examples), 0
    for _ in range(steps):
        if used + batch > examples:
            order, used = torch.randperm(examples), 0
        yield order[used : used + batch]
        used += batch
