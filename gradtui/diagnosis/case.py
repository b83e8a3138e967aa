"""The questions that every rule asks of a run: does it learn, is there enough to judge by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gradtui.diagnosis.evidence import Evidence
from gradtui.diagnosis.profile import Profile, middle, over_depth, over_lags

LEARNED = 0.5
"""Of the chance loss, in the last ten steps: it learned, whatever the profile (SCIENCE.md, rule 5)."""
LAST_STEPS = 10
"""How many steps that median spans (the same)."""
NOT_BEGUN = 0.9
"""Of the chance loss: above this nothing has been learned yet. The starved nets of SCIENCE.md end at 0.99 to
1.01, the slowest that learn (sigmoid with shortcuts, the plain net of 57 layers) at 0.6 to 0.75."""
MIN_STEPS = 20
"""A live run says nothing but "not finite" before this: the recipes that are held by clipping or a small rate
need about so many steps to come down."""
FALLING = 0.95
"""A later stretch of the loss over an earlier one: below this the run is on its way, so leave it be."""


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
    def accurate(self) -> bool:
        """Whether it is right more than half the way from guessing to always, in the last ten steps: large weights make
        large losses of few errors."""
        if not np.isfinite(self.evidence.chance_loss):
            return False
        guessing = float(np.exp(-self.evidence.chance_loss))
        return middle(self.evidence.accuracy.values[-LAST_STEPS:]) >= (1.0 + guessing) / 2.0

    @cached_property
    def begun(self) -> bool:
        """Whether the loss has left the chance loss clearly."""
        return self.relative_loss < NOT_BEGUN or self.accurate

    @cached_property
    def ripe(self) -> bool:
        """Whether there is enough to judge a profile by."""
        return self.evidence.step >= (1 if self.evidence.finished else MIN_STEPS)

    @cached_property
    def brief(self) -> bool:
        """Whether it was over before anybody could see whether it learns."""
        return self.evidence.finished and self.evidence.step < MIN_STEPS

    @cached_property
    def coming_down(self) -> bool:
        """Whether a run that is still training has lately been getting better."""
        if self.evidence.finished:
            return False
        loss = self.evidence.loss.values
        span = max(LAST_STEPS, len(loss) // 10)
        if len(loss) < 2 * span:
            return False
        newest, before = middle(loss[-span:]), middle(loss[-2 * span : -span])
        return newest < FALLING * before

    @cached_property
    def batch_size(self) -> int:
        """0 where unknown."""
        experiment = self.evidence.experiment
        return experiment.data.batch_size if experiment else 0

    def progress(self) -> str:
        """The loss in words, for the end of a sentence."""
        if np.isnan(self.loss_now):
            return f"after {self.evidence.step} steps"
        reference = "chance" if np.isfinite(self.evidence.chance_loss) else "at the start"
        return f"loss {number(self.loss_now)} ({reference} {number(self.chance)}) after {self.evidence.step} steps"

    def ends(self) -> tuple[str, str]:
        """The first and the last hidden layer."""
        return self.evidence.layers[self.depth.indices[0]], self.evidence.layers[self.depth.indices[-1]]

    def names(self, indices: Sequence[int]) -> tuple[str, ...]:
        """The names of layers."""
        return self.evidence.names(indices)


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
