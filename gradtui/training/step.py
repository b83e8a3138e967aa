"""One optimizer step, from a batch to moved weights."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gradtui.data import loss_and_accuracy
from gradtui.probe.gradients import Norms
from gradtui.training import optimizers
from gradtui.training.clipping import clip
from gradtui.training.penalties import Penalties
from gradtui.training.precision import autocast
from gradtui.training.session import Session


class Outcome(NamedTuple):
    """What a step gave. Tensors stand on the device, and nobody has waited for them."""

    loss: Tensor
    """Mean over the batch, without penalties, whatever `optimizer.loss` says: so it compares to chance."""
    accuracy: Tensor
    penalty: float | Tensor
    norms: Norms
    """Of the gradients: with penalties, before clipping, without the loss's scale."""
    clipped: float | Tensor | None
    """Norm of all gradients together after clipping; None where nothing clips."""
    lr: float
    scale: float
    skipped: bool


class Stepper:
    """Takes the steps of a session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.reduction = session.batch_size if session.exp.optimizer.loss == "sum" else 1
        """The loss that is trained on is the mean loss times this."""
        self._measure = loss_and_accuracy(session.dataset.shape.task, session.exp.optimizer.loss)
        self._penalties = Penalties(session.flat)
        self._autocast = autocast(session.exp.run, session.device)

    def forward(self) -> tuple[Tensor, Tensor]:
        """The loss to train on and the accuracy of the next batch; all gradients are cleared."""
        s = self.session
        x, y = self._batch()
        s.flat.zero_()
        with self._autocast:
            outputs = s.net(x)
        return self._measure(outputs.float(), y)

    def _batch(self) -> tuple[Tensor, Tensor]:
        return next(self.session.batches)

    def backward(self, loss: Tensor) -> Tensor:
        """Put the gradient into the buffer, times the loss's scale. Returns the mean loss, detached."""
        scale = self.session.scale.value
        torch.autograd.backward(loss if scale == 1 else loss * scale)
        loss = loss.detach()
        return loss if self.reduction == 1 else loss / self.reduction

    def measure(self) -> tuple[Norms, float | Tensor]:
        """Norms of the gradients as they shall be recorded, and the penalty."""
        s = self.session
        if s.scale.value != 1:
            s.flat.gradients.mul_(1 / s.scale.value)
        penalty = self._penalties.add(s.exp.cures)
        return s.flat.measure(), penalty

    def move(self, loss: Tensor, accuracy: Tensor, norms: Norms, penalty: float | Tensor) -> Outcome:
        """Clip, and move the weights. Waits for the device only where fp16's scale must know of overflows."""
        s = self.session
        scale, lr, cures = s.scale.value, s.lr, s.exp.cures
        total = s.flat.total(norms) if cures.clip_norm or cures.clip_value or s.scale.adapts else None
        taken = total is None or s.scale.accept(math.isfinite(total))
        clipped = None
        if taken:
            if total is not None:
                clipped = clip(s.flat, total, cures)
            optimizers.set_rate(s.optimizer, lr)
            s.optimizer.step()
        s.step += 1
        return Outcome(loss, accuracy, penalty, norms, clipped, lr, scale, not taken)
