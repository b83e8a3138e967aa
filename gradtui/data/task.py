"""Compute loss and accuracy by task, and their values for a net that guesses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

IGNORED = -100
"""The answer that marks a step of a sequence that does not count, as in torch."""
TOLERANCE = 0.04
"""The largest error of a number that counts as right (Hochreiter and Schmidhuber 1997, on the adding problem)."""

Task = Literal["classify", "regress", "sequence"]
Measure = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def loss_and_accuracy(task: Task, reduction: Literal["mean", "sum"] = "mean") -> Measure:
    """Return a function (outputs, answers) -> (loss, accuracy), both 0-dimensional and on the device.

    classify and sequence: the loss is the cross-entropy in nats over all steps that count. regress: the loss is the
    squared error, and the accuracy the share of examples with all numbers within ``TOLERANCE``. ``reduction`` "sum"
    adds the loss over the examples of the batch, and takes the mean over the numbers or steps of one example, so a
    batch of B gives B times the loss of "mean".
    """
    return _Regression(reduction) if task == "regress" else _Classification(reduction)


class _Classification:
    def __init__(self, reduction: str) -> None:
        self.sum = reduction == "sum"

    def __call__(self, outputs: Tensor, answers: Tensor) -> tuple[Tensor, Tensor]:
        examples = answers.shape[0]
        if answers.dim() == 1:
            loss = F.cross_entropy(outputs, answers)
            accuracy = (outputs.detach().argmax(1) == answers).float().mean()
        else:
            flat = answers.reshape(-1)
            rows = outputs.reshape(len(flat), -1)
            loss = F.cross_entropy(rows, flat, ignore_index=IGNORED)
            counted = flat != IGNORED
            right = (rows.detach().argmax(1) == flat) & counted
            accuracy = right.sum() / counted.sum()
        return loss * examples if self.sum else loss, accuracy


class _Regression:
    def __init__(self, reduction: str) -> None:
        self.sum = reduction == "sum"

    def __call__(self, outputs: Tensor, answers: Tensor) -> tuple[Tensor, Tensor]:
        loss = F.mse_loss(outputs, answers)
        near = (outputs.detach() - answers).abs() <= TOLERANCE
        accuracy = near.all(1).float().mean()
        return loss * answers.shape[0] if self.sum else loss, accuracy


def chance(task: Task, train_y: Tensor) -> tuple[float, float]:
    """Return the loss and accuracy of a net that ignores its input.

    With classes it guesses all that occur with equal probability, which gives ln(classes) and 1/classes. With numbers
    it gives the mean of the training answers: the loss is their variance, and the accuracy the share of them within
    ``TOLERANCE`` of the mean.
    """
    if task != "regress":
        classes = max(2, int((torch.unique(train_y) != IGNORED).sum()))
        return math.log(classes), 1.0 / classes
    far = train_y.double() - train_y.double().mean(0)
    return float(far.square().mean()), float((far.abs() <= TOLERANCE).all(1).double().mean())


def as_answers(values: Tensor, task: Task) -> Tensor:
    """Return answers in the type that the loss takes: int64 for classes, float32 for numbers."""
    return values.to(torch.float32 if task == "regress" else torch.int64)
