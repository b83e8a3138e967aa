"""The questions that every rule asks of a run: does it learn, is there enough to judge by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gradtui.diagnosis.evidence import Evidence, Floats
from gradtui.diagnosis.profile import Profile, middle, over_depth, over_lags

LEARNED = 0.5
"""Of the chance loss, in the last ten steps: it learned, whatever the profile (SCIENCE.md, rule 5)."""
LAST_STEPS = 10
"""How many steps that median spans (the same)."""
NOT_BEGUN = 0.9
"""Of the chance loss: above this nothing has been learned yet. The starved nets of SCIENCE.md end at 0.99 to
1.01, the slowest that learn (sigmoid with shortcuts, the plain net of 57 layers) at 0.6 to 0.75."""
BETTER = 0.25
"""Of the way from guessing to always right: a net that answers so much better than a guess has begun to learn, whatever
its loss (ACCURACY.md; nets that were only just made, by luck, come to 0.16) …"""
RISEN = 0.1
"""… if its accuracy has risen so much since it began, for two arms of three spirals are told apart by any net."""
ACCURATE = 0.4
"""The same share: as good as SCIENCE.md's nets that explode at the start and are held, 0.48 of ten digits and more."""
HELD = 0.65
"""Of the chance loss: a net with a sick profile that has come below this is held, by clipping, by a small rate or by
Adam. Rule 5 excuses at 0.5; SCIENCE.md's cures "batch 16" and "L1" learn, and end at 0.5 to 0.65."""
FAR_ABOVE = 1.5
"""Times the chance loss (SCIENCE.md, rule 2): between it and chance a loss tells nothing, wherever it goes."""
MIN_STEPS = 20
"""A live run says nothing but "not finite" before this: the recipes that are held by clipping or a small rate
need about so many steps to come down."""
DEVELOPED = 100
"""Steps after which a live run is judged by what came in training, and not only by how it began …"""
DEVELOPED_SHARE, DEVELOPED_MOST = 0.35, 1000
"""… or this share of the planned ones, but no more than so many: nets with batch norm, and those that adaptive rates
hold, begin with an uneven gradient and a plateau, which most leave within the first third (ACCURACY.md)."""
NEARLY_DONE = 0.8
"""Of the planned steps, for what only time can show: plateaus last for half of a run and more."""
PATIENCE = 2000
"""Steps, where no number of them is planned."""
ANSWERS = 128
"""Examples that an accuracy is taken over, at least."""
FALLING = 0.95
"""A later stretch of the loss over an earlier one: below this the run is on its way, so leave it be …"""
CLEARLY = 3.0
"""… if they differ by so many standard errors: the losses of small batches scatter by a tenth."""


@dataclass(frozen=True, eq=False)
class Case:
    """One run, as the rules see it."""

    evidence: Evidence

    @cached_property
    def depth(self) -> Profile:
        """The gradient along the hidden layers."""
        return over_depth(self.evidence)

    @cached_property
    def lags(self) -> Profile:
        """The gradient along time."""
        return over_lags(self.evidence.hidden_grad)

    @cached_property
    def chance(self) -> float:
        """The loss of somebody who guesses; where unknown (scripts), the loss that the run began with."""
        known = self.evidence.chance_loss
        if np.isfinite(known) and known > 0:
            return known
        return middle(self.evidence.loss.values[:3])

    @cached_property
    def loss_now(self) -> float:
        """Median of the last ten steps; NaN where none was recorded, infinite where it is no number."""
        last = self.evidence.loss.values[-LAST_STEPS:]
        return float(np.median(np.where(np.isnan(last), np.inf, last))) if len(last) else float("nan")

    @cached_property
    def relative_loss(self) -> float:
        """`loss_now` over the chance loss. NaN where the run records no loss, or chance has none."""
        return self.loss_now / self.chance if self.chance > 0 else float("nan")

    @cached_property
    def learned(self) -> bool:
        """Rule 5."""
        return self.relative_loss <= LEARNED

    @cached_property
    def _answers(self) -> tuple[float, float]:
        """How far from guessing (0) to always right (1) it was at first, and is now; NaN where that is unknown."""
        accuracy = self.evidence.accuracy.values
        rows = max(LAST_STEPS, -(-ANSWERS // self.batch_size) if self.batch_size else 0)
        if not self.evidence.chance_loss > 0 or len(accuracy) < rows:
            return float("nan"), float("nan")
        guessing = float(np.exp(-self.evidence.chance_loss))
        first, now = (float(np.mean(part)) for part in (accuracy[:rows], accuracy[-rows:]))
        return (first - guessing) / (1.0 - guessing), (now - guessing) / (1.0 - guessing)

    @cached_property
    def accurate(self) -> bool:
        """Whether its answers are good, of late: large weights make large losses of few errors."""
        return self._answers[1] >= ACCURATE

    @cached_property
    def begun(self) -> bool:
        """Whether the loss has left the chance loss clearly, or the answers have become better than guesses."""
        first, now = self._answers
        return self.relative_loss < NOT_BEGUN or (now >= BETTER and now - first >= RISEN) or self.accurate

    @cached_property
    def held(self) -> bool:
        """Whether it learns well enough for its profile to be no more than a remark."""
        return self.relative_loss <= HELD or self.accurate

    @cached_property
    def ripe(self) -> bool:
        """Whether there is enough to judge a profile by."""
        return self.evidence.step >= (1 if self.evidence.finished else MIN_STEPS)

    @cached_property
    def brief(self) -> bool:
        """Whether it was over before anybody could see whether it learns."""
        return self.evidence.finished and self.evidence.step < MIN_STEPS

    @cached_property
    def developed(self) -> bool:
        """Whether there is enough to judge by what came in training."""
        if self.evidence.finished:
            return self.ripe
        share = min(DEVELOPED_SHARE * self.evidence.steps_planned, DEVELOPED_MOST)
        return self.evidence.step >= max(share, DEVELOPED)

    @cached_property
    def nearly_done(self) -> bool:
        """Whether so much of the run is over that what has not come will not come."""
        if self.evidence.finished:
            return True
        planned = self.evidence.steps_planned
        return self.evidence.step >= max(NEARLY_DONE * planned if planned else PATIENCE, DEVELOPED)

    @cached_property
    def coming_down(self) -> bool:
        """Whether a run that is still training has been getting better, lately or since its second quarter: from far
        above chance, or to below it."""
        if self.evidence.finished:
            return False
        loss = self.evidence.loss.values
        span = max(LAST_STEPS, len(loss) // 10)
        if len(loss) < 2 * span:
            return False
        now = loss[-span:]
        earlier = (loss[-2 * span : -span], loss[len(loss) // 4 : len(loss) // 2])
        return any(
            fall(part, now) > (1.0 - FALLING) * middle(part)
            and (middle(part) > FAR_ABOVE * self.chance or middle(now) < self.chance)
            for part in earlier
        )

    @cached_property
    def batch_size(self) -> int:
        """0 where unknown."""
        experiment = self.evidence.experiment
        return experiment.data.batch_size if experiment else 0

    def progress(self) -> str:
        """The loss in words, for the end of a sentence."""
        when = "after 1 step" if self.evidence.step == 1 else f"after {self.evidence.step} steps"
        if np.isnan(self.loss_now):
            return when
        reference = "chance" if np.isfinite(self.evidence.chance_loss) else "at the start"
        return f"loss {number(self.loss_now)} ({reference} {number(self.chance)}) {when}"

    def ends(self) -> tuple[str, str]:
        """The first and the last hidden layer."""
        return self.evidence.layers[self.depth.indices[0]], self.evidence.layers[self.depth.indices[-1]]

    def names(self, indices: Sequence[int]) -> tuple[str, ...]:
        """The names of layers."""
        return self.evidence.names(indices)


def fall(before: Floats, now: Floats) -> float:
    """By how much the loss has come down from one stretch to another; 0 where that may be chance.

    By medians, for spikes do not count.
    """
    difference = middle(before) - middle(now)
    return difference if difference > CLEARLY * np.hypot(_error(before), _error(now)) else 0.0


def _error(values: Floats) -> float:
    """The standard error of a median, from the median deviation: 1.25 · 1.48 · MAD / √n."""
    return 1.86 * middle(np.abs(values - middle(values))) / float(np.sqrt(len(values)))


def number(value: float) -> str:
    """Three digits, and powers of ten where they are shorter."""
    return (
        f"{value:.3g}" if 1e-3 <= abs(value) < 1e5 or value == 0 or not np.isfinite(value) else f"{value:.1e}"
    )


def times(drop: float) -> str:
    """A factor given by its log10, in words that a newcomer reads at once."""
    if np.isneginf(drop):
        return "exactly 0"
    if abs(drop) >= 4:
        return f"10^{drop:.1f} times"
    return f"{10**drop:,.0f} times" if drop >= 2 else f"{10**drop:.2g} times"
