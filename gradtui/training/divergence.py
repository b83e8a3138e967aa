"""Detect, from the numbers of each step, at which step a training diverges, that is becomes non-finite or blows up."""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from typing import Literal, NamedTuple

import numpy as np

from gradtui.diagnosis.thresholds import GROWN_RATIO, SPIKE_RATIO, SPIKE_RISE, UNLEARNED_LOSS, UNSTABLE_LOSS

Reason = Literal["nonfinite", "blow-up"]
Measure = Literal["loss", "grad_norm"]

MEDIAN_STEPS = 100
"""The steps whose median is the usual value; they are few, so that the usual value follows the training."""
MEDIAN_REFRESH_STEPS = 20
"""The usual steps between two computations of the median, which changes slowly and is the most expensive part here."""
CALM_STEPS = 50
"""A blow-up is over after this many steps in a row within the limits."""
REPORTED_BLOW_UPS = 3
"""The most blow-ups of a run that are reported; in an unstable training, more would say nothing new."""


class Divergence(NamedTuple):
    """A Divergence is a step at which a training diverges.

    "nonfinite": its loss or its gradient is not a finite number. "blow-up": its loss is above GROWN_RATIO times the
    usual and UNSTABLE_LOSS times the loss of chance, or the gradient that moved the weights, clipped where it is
    clipped, is longer than SPIKE_RATIO times the usual and SPIKE_RISE times the first. The diagnosis judges whole runs
    by the same limits.
    """

    step: int
    reason: Reason
    measure: Measure
    """The measure that shows the divergence; the loss if both do."""
    usual: float
    """The median of `measure` over the last MEDIAN_STEPS steps; NaN for the first step."""
    loss: float
    before: float
    """The loss of the step before; NaN for the first step."""
    grad_norm: float
    """The norm of all parameters' gradients, before clipping."""
    norms: np.ndarray
    """The norm of each layer's gradient, before clipping, (layers,)."""


class Recovery(NamedTuple):
    """A Recovery is the step after which a training has recovered from a blow-up.

    Its usual loss is as low as before the blow-up, and below the loss of chance. Steady numbers alone do not show a
    recovery, because those of a net with dead units are steady too.
    """

    step: int


class DivergenceDetector:
    """A DivergenceDetector finds divergences and recoveries in the numbers of each step."""

    def __init__(self, chance_loss: float) -> None:
        self.diverged = False
        """This is true while the training is diverged, so that its state should not be saved."""
        self._chance = chance_loss
        self._losses: deque[float] = deque(maxlen=MEDIAN_STEPS)
        self._norms: deque[float] = deque(maxlen=MEDIAN_STEPS)
        self._usual: dict[Measure, float] = {"loss": math.nan, "grad_norm": math.nan}
        self._loss_limit = self._norm_limit = math.inf
        self._first_norm = self._loss_before = math.nan
        self._usual_steps = 0
        self._calm_steps = 0
        self._blow_ups = 0
        self._recovered_loss = -math.inf
        """The usual loss at which a training that blew up counts as recovered."""
        self._nonfinite = False
        self._found: list[Divergence | Recovery] = []

    def take(self) -> list[Divergence | Recovery]:
        """Return the divergences and recoveries since the last call, in order."""
        found, self._found = self._found, []
        return found

    def add_step(
        self, step: int, loss: float, grad_norm: float, moved: float, norms: np.ndarray, *, skipped: bool
    ) -> None:
        """Take a step's numbers.

        `moved` is the norm after clipping. A `skipped` step has not changed the weights, because its gradient
        overflowed in fp16; this is not a divergence.
        """
        if self._nonfinite:
            return
        self._current = (step, loss, self._loss_before, grad_norm, norms)
        self._loss_before = loss
        if not math.isfinite(loss) or not (skipped or math.isfinite(grad_norm)):
            self._nonfinite = self.diverged = True
            self._report("nonfinite", "grad_norm" if math.isfinite(loss) else "loss")
        elif not skipped:
            self._judge(step, loss, moved)

    def _judge(self, step: int, loss: float, moved: float) -> None:
        if loss > self._loss_limit or moved > self._norm_limit:
            self._calm_steps = 0
            if not self.diverged:
                self.diverged = True
                self._blow_ups += 1
                if math.isinf(self._recovered_loss):
                    self._recovered_loss = min(self._usual["loss"], UNLEARNED_LOSS * self._chance)
                self._report("blow-up", "loss" if loss > self._loss_limit else "grad_norm")
        elif not self.diverged:
            self._learn_usual(step, loss, moved)
        elif self._calm_steps < CALM_STEPS - 1:
            self._calm_steps += 1
        else:
            # The usual values are computed again from the steps after a blow-up.
            self.diverged, self._calm_steps = False, 0
            self._losses.clear()
            self._norms.clear()

    def _learn_usual(self, step: int, loss: float, moved: float) -> None:
        if not self._usual_steps:
            self._first_norm = moved
        self._usual_steps += 1
        self._losses.append(loss)
        self._norms.append(moved)
        if self._usual_steps < MEDIAN_REFRESH_STEPS or self._usual_steps % MEDIAN_REFRESH_STEPS == 0:
            self._refresh(step)

    def _refresh(self, step: int) -> None:
        loss = median(self._losses)
        self._usual = {"loss": loss, "grad_norm": median(self._norms)}
        if self._blow_ups < REPORTED_BLOW_UPS:
            self._loss_limit = max(GROWN_RATIO * loss, UNSTABLE_LOSS * self._chance)
            self._norm_limit = max(SPIKE_RATIO * self._usual["grad_norm"], SPIKE_RISE * self._first_norm)
        else:
            self._loss_limit = self._norm_limit = math.inf
        if loss <= self._recovered_loss and len(self._losses) >= MEDIAN_REFRESH_STEPS:
            self._recovered_loss = -math.inf
            self._found.append(Recovery(step))

    def _report(self, reason: Reason, measure: Measure) -> None:
        step, loss, before, grad_norm, norms = self._current
        usual = self._usual[measure]
        self._found.append(Divergence(step, reason, measure, usual, loss, before, grad_norm, norms))
