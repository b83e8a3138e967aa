"""Sees, number by number, the step at which a training breaks: at which it turns to no number, or blows up."""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from typing import Literal, NamedTuple

import numpy as np

from gradtui.diagnosis.case import NOT_BEGUN
from gradtui.diagnosis.rules_explosion import GROWTH, SPIKE, SPIKE_RISE, UNSTABLE_LOSS

Reason = Literal["nonfinite", "blow-up"]
Measure = Literal["loss", "grad_norm"]

WINDOW = 100
"""Steps whose median is what is usual: short enough for what is usual late in a training not to be what was so at
its beginning."""
REFRESH = 20
"""Usual steps between two looks at the median: it moves slowly, and costs more than all else here."""
CALM = 50
"""Steps in a row in which nothing is above those measures, after which a blow-up is over."""
MOST = 3
"""Blow-ups of a run that are told: of a training that swings, the fourth says nothing new."""


class Broken(NamedTuple):
    """A step that broke a training.

    Nonfinite: its loss or its gradient is no number. A blow-up: its loss stands above GROWTH times the usual and
    UNSTABLE_LOSS times the loss of chance, or the gradient that moved the weights, clipped where it is clipped,
    is longer than SPIKE times the usual and SPIKE_RISE times the first. These are the measures by which the
    diagnosis judges a whole run.
    """

    step: int
    reason: Reason
    measure: Measure
    """Which of the two it shows in; the loss goes first."""
    usual: float
    """The median of that over the last WINDOW steps; NaN of the first step."""
    loss: float
    before: float
    """The loss of the step before; NaN of the first step."""
    grad_norm: float
    """Of all parameters, before clipping."""
    norms: np.ndarray
    """(layers,): the same of each layer."""


class Recovered(NamedTuple):
    """The step after which a training has made good what a blow-up did to it: its loss is usually as low as it was
    before, and has left the loss of chance. That all is quiet again says little: so it is in a net that died."""

    step: int


class Watch:
    """Takes the numbers of each step, and keeps what is to be told until it is taken."""

    def __init__(self, chance_loss: float) -> None:
        self.holding = False
        """Whether the training is broken now: no state of it is worth keeping."""
        self._chance = chance_loss
        self._losses: deque[float] = deque(maxlen=WINDOW)
        self._norms: deque[float] = deque(maxlen=WINDOW)
        self._usual: dict[Measure, float] = {"loss": math.nan, "grad_norm": math.nan}
        self._most_loss = self._most_norm = math.inf
        self._first = self._before = math.nan
        self._count = 0
        self._calm = 0
        self._blow_ups = 0
        self._goal = -math.inf
        """The loss at which a training that blew up will have recovered."""
        self._ended = False
        self._news: list[Broken | Recovered] = []

    def take(self) -> list[Broken | Recovered]:
        """What happened since this was last asked, in its order."""
        news, self._news = self._news, []
        return news

    def look(
        self, step: int, loss: float, grad_norm: float, moved: float, norms: np.ndarray, *, skipped: bool
    ) -> None:
        """Take a step's numbers. `moved` is the norm after clipping; a `skipped` step has moved nothing: its
        gradient overflowed, and fp16's scale copes with that."""
        if self._ended:
            return
        self._now = (step, loss, self._before, grad_norm, norms)
        self._before = loss
        if not math.isfinite(loss) or not (skipped or math.isfinite(grad_norm)):
            self._ended = self.holding = True
            self._tell("nonfinite", "grad_norm" if math.isfinite(loss) else "loss")
        elif not skipped:
            self._judge(step, loss, moved)

    def _judge(self, step: int, loss: float, moved: float) -> None:
        if loss > self._most_loss or moved > self._most_norm:
            self._calm = 0
            if not self.holding:
                self.holding = True
                self._blow_ups += 1
                if math.isinf(self._goal):
                    self._goal = min(self._usual["loss"], NOT_BEGUN * self._chance)
                self._tell("blow-up", "loss" if loss > self._most_loss else "grad_norm")
        elif not self.holding:
            self._learn(step, loss, moved)
        elif self._calm < CALM - 1:
            self._calm += 1
        else:
            # What is usual from now on is learned anew.
            self.holding, self._calm = False, 0
            self._losses.clear()
            self._norms.clear()

    def _learn(self, step: int, loss: float, moved: float) -> None:
        """What is usual, from a step that was."""
        if not self._count:
            self._first = moved
        self._count += 1
        self._losses.append(loss)
        self._norms.append(moved)
        if self._count < REFRESH or self._count % REFRESH == 0:
            self._refresh(step)

    def _refresh(self, step: int) -> None:
        loss = median(self._losses)
        self._usual = {"loss": loss, "grad_norm": median(self._norms)}
        if self._blow_ups < MOST:
            self._most_loss = max(GROWTH * loss, UNSTABLE_LOSS * self._chance)
            self._most_norm = max(SPIKE * self._usual["grad_norm"], SPIKE_RISE * self._first)
        else:
            self._most_loss = self._most_norm = math.inf
        if loss <= self._goal and len(self._losses) >= REFRESH:
            self._goal = -math.inf
            self._news.append(Recovered(step))

    def _tell(self, reason: Reason, measure: Measure) -> None:
        step, loss, before, grad_norm, norms = self._now
        usual = self._usual[measure]
        self._news.append(Broken(step, reason, measure, usual, loss, before, grad_norm, norms))
