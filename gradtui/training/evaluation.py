"""Loss and accuracy on the training and the test set, without disturbing the training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradtui.data import loss_and_accuracy
from gradtui.training.precision import autocast
from gradtui.training.session import Session

CHUNK = 512
"""Examples at a time."""
MOST = 2048
"""Examples of each set that an evaluation in mid-training looks at:

it shall not take longer than the training.
"""


@dataclass(frozen=True)
class Evaluation:
    """Mean loss and accuracy of the net in evaluation mode. Losses are without penalties."""

    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    examples: int
    """How many of both sets together were looked at."""


def evaluate(session: Session, *, whole: bool, cancelled: Callable[[], bool]) -> Evaluation | None:
    """Evaluate on both sets, or on the first MOST examples of each; None if cancelled between two chunks.

    Nothing random happens in evaluation mode, and batch norm's running statistics are read, not written.
    """
    net, d = session.net, session.dataset
    net.eval()
    try:
        results = []
        for x, y in ((d.train_x, d.train_y), (d.test_x, d.test_y)):
            count = len(x) if whole else min(len(x), MOST)
            result = _measure(session, x[:count], y[:count], cancelled)
            if result is None:
                return None
            results.append((*result, count))
    finally:
        net.train()
    (train_loss, train_accuracy, n), (test_loss, test_accuracy, m) = results
    return Evaluation(train_loss, train_accuracy, test_loss, test_accuracy, n + m)


def _measure(
    session: Session, x: Tensor, y: Tensor, cancelled: Callable[[], bool]
) -> tuple[float, float] | None:
    measure = loss_and_accuracy(session.dataset.shape.task)
    sums = torch.zeros(2, device=x.device)
    with torch.inference_mode():
        for start in range(0, len(x), CHUNK):
            if cancelled():
                return None
            chunk = slice(start, start + CHUNK)
            with autocast(session.exp.run, session.device):
                outputs = session.net(x[chunk])
            loss, accuracy = measure(outputs.float(), y[chunk])
            sums += torch.stack([loss, accuracy]) * len(x[chunk])
    loss_mean, accuracy_mean = (sums / max(1, len(x))).tolist()
    return loss_mean, accuracy_mean
