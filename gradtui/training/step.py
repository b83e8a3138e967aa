"""Take one training step: forward, backward, measuring, clipping, and the update of the weights.

`take_step` is the only definition of the order in which a step is taken and measured. The training loop, the replay of
a divergence and the preflight all call it, so that they record the same numbers for the same step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gradtui.data import loss_and_accuracy
from gradtui.experiment import Cures
from gradtui.probe.flat_gradients import FlatGradients, RowNorms
from gradtui.training import optimizers
from gradtui.training.sampling import StepSampler
from gradtui.training.session import Session


class StepResult(NamedTuple):
    """A StepResult holds the numbers of one step. Its tensors are on the device and may not be computed yet."""

    loss: Tensor
    """The mean over the batch, without penalties, for any `optimizer.loss`, so that it can be compared with chance."""
    accuracy: Tensor
    penalty: float | Tensor
    norms: RowNorms
    """The norms of the gradients: with penalties, before clipping, without the loss's scale."""
    clipped: float | Tensor | None
    """The norm of all gradients together after clipping; None where nothing clips."""
    lr: float
    scale: float
    skipped: bool


class Stepper:
    """A Stepper computes the parts of a session's steps."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.reduction = session.batch_size if session.exp.optimizer.loss == "sum" else 1
        """The factor between the mean loss and the loss that is minimised."""
        self._loss_and_accuracy = loss_and_accuracy(session.dataset.shape.task, session.exp.optimizer.loss)
        self._penalties = Penalties(session.flat)
        self._autocast = session.autocast()

    def forward(self) -> tuple[Tensor, Tensor]:
        """Clear all gradients, and return the loss to minimise and the accuracy on the next batch."""
        s = self.session
        x, y = self._batch()
        s.flat.zero_()
        with self._autocast:
            outputs = s.net(x)
        return self._loss_and_accuracy(outputs.float(), y)

    def _batch(self) -> tuple[Tensor, Tensor]:
        return next(self.session.batches)

    def backward(self, loss: Tensor) -> Tensor:
        """Compute the gradient, times the loss scale, into the buffer. Returns the mean loss, detached."""
        scale = self.session.scale.value
        torch.autograd.backward(loss if scale == 1 else loss * scale)
        loss = loss.detach()
        return loss if self.reduction == 1 else loss / self.reduction

    def measure(self) -> tuple[RowNorms, float | Tensor]:
        """Unscale the gradients and add those of the penalties. Returns the norms to record, and the penalty."""
        s = self.session
        if s.scale.value != 1:
            s.flat.gradients.mul_(1 / s.scale.value)
        penalty = self._penalties.add(s.exp.cures)
        return s.flat.row_norms(), penalty

    def move(self, loss: Tensor, accuracy: Tensor, norms: RowNorms, penalty: float | Tensor) -> StepResult:
        """Clip, and update the weights. It waits for the device only where fp16's scale has to detect overflows."""
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
        return StepResult(loss, accuracy, penalty, norms, clipped, lr, scale, not taken)


def take_step(
    stepper: Stepper,
    sampler: StepSampler,
    record: Callable[[int, float, StepResult], None] | None = None,
    *,
    sample: bool = False,
    move: bool = True,
    moment: float | None = None,
    spent: float = 0.0,
) -> StepResult:
    """Take one step and measure it.

    Args:
        sampler: writes the sample of the step if one is due, and adds up the cost of measuring.
        record: is called with the number, the time and the result of the step.
        sample: whether to take a sample in any case.
        move: whether to clip the gradients and to update the weights. Without it, the session stays before the step.
        moment: the time of the step's rows in seconds since 1970; by default now.
        spent: seconds that the caller has already spent on recording this step.
    """
    session, clock = stepper.session, sampler.clock
    step = session.step + 1
    begin = clock()
    sampler.begin(sample=sample)
    loss, accuracy = stepper.forward()
    if sampler.active:
        sampler.after_forward()
    mean_loss = stepper.backward(loss)
    if sampler.active:
        sampler.after_backward(stepper.reduction * session.scale.value)
    measuring = clock()
    norms, penalty = stepper.measure()
    measured = clock()
    if sampler.active:
        sampler.before_clip()
    if move:
        result = stepper.move(mean_loss, accuracy, norms, penalty)
    else:
        result = StepResult(
            mean_loss, accuracy, penalty, norms, None, session.lr, session.scale.value, skipped=False
        )
    recording = clock()
    moment = time.time() if moment is None else moment
    if record is not None:
        record(step, moment, result)
    end = clock()
    every_step = spent + (measured - measuring) + (end - recording)
    if sampler.active:
        sampler.write(step, moment, moved=move)
        end = clock()
    sampler.count(spent + end - begin, every_step)
    return result


def clip(flat: FlatGradients, total: float | Tensor, cures: Cures) -> float | Tensor:
    """Clip the gradients in place: each number first, then the norm of all together.

    `total` is their norm. Returns their norm afterwards, and waits for the device as little as possible.

    Clipping by norm follows torch.nn.utils.clip_grad_norm_ (Pascanu, Mikolov, Bengio 2013), but the norm is computed in
    float64 and without the 1e-6 that torch adds, so a norm of 1e25 is clipped correctly. As in torch, an infinite or
    NaN norm makes the gradients that were so NaN.
    """
    if cures.clip_value:
        flat.gradients.clamp_(-cures.clip_value, cures.clip_value)
        total = flat.total(flat.row_norms())
    if cures.clip_norm and isinstance(total, Tensor):
        shrink = (cures.clip_norm / total).clamp(max=1.0)
        flat.gradients.mul_(shrink)
        total = total * shrink
    elif cures.clip_norm and not total <= cures.clip_norm:
        # On the CPU the norm is known, so the multiplication is skipped where it would change nothing.
        flat.gradients.mul_(cures.clip_norm / total)
        total = total * (cures.clip_norm / total)
    return total


class Penalties:
    """A Penalties object adds the gradients of the penalties l1 · Σ|w| and l2/2 · Σw² on the weights.

    Biases, norms' scales and learned scalars have no penalty. Unlike AdamW's decay, the penalties are part of the loss:
    their gradient is recorded, clipped and used by the optimizer like any other.
    """

    def __init__(self, flat: FlatGradients) -> None:
        self._flat = flat
        self._mask: Tensor | None = None

    def add(self, cures: Cures) -> float | Tensor:
        """Add the gradients; returns the penalty's value () on the device, 0.0 where there is none."""
        if not cures.l1 and not cures.l2:
            return 0.0
        if self._mask is None:
            self._mask = self._flat.marked(_is_weight)
        weights = self._flat.weights * self._mask
        value = weights.new_zeros(())
        if cures.l1:
            self._flat.gradients.add_(weights.sign(), alpha=cures.l1)
            value = value + cures.l1 * weights.abs().sum()
        if cures.l2:
            self._flat.gradients.add_(weights, alpha=cures.l2)
            value = value + 0.5 * cures.l2 * weights.square().sum()
        return value


def _is_weight(parameter: nn.Parameter) -> bool:
    """Return whether a parameter is a matrix or a kernel."""
    return parameter.dim() > 1
