"""Interpret the loss of a run: the loss of guessing, whether multiples of it mean anything, and how far it has moved.

A loss that cannot fall below 0, such as cross-entropy or a squared error, is judged as a multiple of the loss of
guessing. Any other loss (a negative cosine, a log-likelihood, a critic's score) has no zero point: it is judged by how
far it has moved, measured by its own scatter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from gradtui.diagnosis.evidence import Floats, Series
from gradtui.diagnosis.profile import median_of_known
from gradtui.diagnosis.thresholds import (
    AROUND_ZERO_SHARE,
    BELOW_ZERO,
    BLOWN_UP_RATIO,
    CLEAR_ERRORS,
    CONSTANT_SCATTER,
    FAR_ABOVE_CHANCE,
    FEWEST_LOSS_STEPS,
    FEWEST_LOSSES,
    JUMPED_LOSS,
    LOSS_STEPS,
    NO_FLOOR_FALL,
    NO_FLOOR_LEVEL,
    SCATTERS_WIDELY,
    STEADY_FALL,
    UNLEARNED_LOSS,
    VARIED_SCATTER,
)

WIDE_START = 20
"""The number of losses whose median is the loss at the start, if single losses scatter widely."""
LossKind = Literal["", "bounded", "free"]
"""The kind is "bounded" for a loss that is known to be an error that cannot fall below 0, "free" for one that is known
to be something else, and "" for an unknown one."""


@dataclass(frozen=True, eq=False)
class LossCourse:
    """A LossCourse is the loss of one run over its steps, and what is known about the loss."""

    series: Series
    known_guessing: float = float("nan")
    """The loss of guessing as the task gives it; NaN if it does not."""
    kind: LossKind = ""
    trained_before: bool = False
    """Whether the weights had been trained before: then the first loss is not that of guessing."""
    constant: float = float("nan")
    """The least loss that the same answer to every example reaches; NaN where it is not known."""
    terms: int = 1
    """The number of terms that add up to it, as far as that is known."""

    @cached_property
    def values(self) -> Floats:
        """Return the recorded losses that are finite."""
        return self.series.values[np.isfinite(self.series.values)]

    # -- the zero point

    @cached_property
    def in_multiples(self) -> bool:
        """Return whether multiples of the loss mean anything: whether 0 is its lowest possible value.

        A loss that has been below 0 by more than rounding has no floor at 0, whatever its kind.
        """
        if np.isfinite(self.known_guessing):
            return True
        if not len(self.values):
            return False
        return self.kind != "free" and bool(self.values.min() >= -BELOW_ZERO * abs(self.values.max()))

    @cached_property
    def first(self) -> float:
        """Return the loss at the start: the median of the first three, of more if single losses scatter widely, or
        the first alone if the second and third have already blown up.

        With few losses this is taken from their first half only, so that no loss is compared with itself.
        """
        first = self.series.values[:1]
        early = median_of_known(self.series.values[: max(1, min(3, len(self.series) // 2))])
        if (
            len(first)
            and self.in_multiples
            and early > JUMPED_LOSS * first[0] > 0
            and self._stays_above(first[0])
        ):
            return float(first[0])
        if self.scatters_widely:
            early = median_of_known(self.series.values[: max(3, min(WIDE_START, len(self.series) // 8))])
        return early

    def _stays_above(self, first: float) -> bool:
        """Return whether the next losses are above the first one by more than these losses scatter."""
        following = self.series.values[1:6]
        return len(following) > 1 and bool((following > FAR_ABOVE_CHANCE * first).all())

    @cached_property
    def guessing(self) -> float:
        """Return the loss of guessing: the known one, or else the one at the start of fresh weights. It is NaN for a
        loss without a floor and for weights that were trained before."""
        if np.isfinite(self.known_guessing) and self.known_guessing > 0:
            return self.known_guessing
        return self.first if self.in_multiples and not self.trained_before else float("nan")

    # -- the present

    @cached_property
    def now(self) -> float:
        """Return the median of the last losses; NaN where none was recorded, infinite where it is not finite.

        With few losses this is taken from their last half only, so that no loss is compared with itself.
        """
        count = len(self.series)
        last = self.series.values[-max(1, min(LOSS_STEPS, count // 2)) :] if count else self.series.values
        return float(np.median(np.where(np.isnan(last), np.inf, last))) if count else float("nan")

    @cached_property
    def relative(self) -> float:
        """Return `now` divided by the loss of guessing; NaN if one is unknown, or if a single loss is both."""
        if len(self.series) < 2 and not self.known_guessing > 0:
            return float("nan")
        return self.now / self.guessing if self.guessing > 0 else float("nan")

    # -- its scatter

    @cached_property
    def scatter(self) -> float:
        """Return by how much neighbouring losses differ in the run's second half, as a standard deviation."""
        return scatter_of(self.values[len(self.values) // 2 :])

    @cached_property
    def around_zero(self) -> bool:
        """Return whether the loss keeps changing its sign from step to step.

        The size of such a loss (an advantage, a difference of two scores, rounding noise) says nothing about what is
        learned. A log-likelihood, on the other hand, crosses 0 once.
        """
        if len(self.values) < FEWEST_LOSSES:
            return False
        halves = np.array_split(self.values, 2)
        return all(min((half > 0).mean(), (half < 0).mean()) >= AROUND_ZERO_SHARE for half in halves) or bool(
            abs(float(np.median(self.values))) <= self.scatter
            and (self.values > 0).any()
            and min((halves[1] > 0).mean(), (halves[1] < 0).mean()) >= AROUND_ZERO_SHARE
        )

    @cached_property
    def scatters_widely(self) -> bool:
        """Return whether single losses scatter about as much as their own size, so that they have no clear level, as
        with one episode or one example per step."""
        if len(self.values) < FEWEST_LOSSES:
            return False
        level = abs(median_of_known(self.values[len(self.values) // 2 :]))
        return not self.scatter <= SCATTERS_WIDELY * level

    @cached_property
    def has_fallen(self) -> bool:
        """Return whether the loss is clearly below where it began, and by more than single losses scatter."""
        if len(self.values) < FEWEST_LOSSES:
            return len(self.values) > 1 and bool(self.now < self.first)
        part = max(3, len(self.values) // 8)
        fallen = loss_fall(self.values[:part], self.values[-part:])
        return fallen > min(scatter_of(self.values[:part]), self.scatter)

    @cached_property
    def only_constant(self) -> bool:
        """Return whether the answers are no better than the best one that is the same for every example.

        A net whose biases alone learn comes to this loss, which may be a small share of that of the start: the mean
        of the targets, or the shares of the classes. The loss of the last quarter is compared with it, by
        UNLEARNED_LOSS, as with the loss of guessing.
        """
        if not np.isfinite(self.constant) or self.trained_before or len(self.values) < FEWEST_LOSSES:
            return False
        late = self.values[-max(LOSS_STEPS, len(self.values) // 4) :]
        return median_of_known(late) >= UNLEARNED_LOSS * self.constant

    @cached_property
    def is_constant(self) -> bool:
        """Return whether the loss has become constant at a level above 0, although its batches differ.

        The loss of a net whose outputs depend on the input differs from batch to batch unless it is 0. If it differed
        at first and no longer does, the outputs no longer depend on the input: all embeddings are equal, for example.
        """
        if len(self.values) < 4 * FEWEST_LOSSES or not self.in_multiples:
            return False
        early, late = self.values[: len(self.values) // 8], self.values[-len(self.values) // 3 :]
        varied = roughness_of(early) >= VARIED_SCATTER * median_of_known(early) > 0
        deviation = float(np.percentile(np.abs(late - np.median(late)), 90))
        return varied and deviation <= CONSTANT_SCATTER * median_of_known(late)

    # -- a loss that rises again

    @cached_property
    def lowest(self) -> LowestLevel | None:
        """Return where the loss was lowest, by medians over a tenth of the run; None for a short run or for a loss
        whose multiples mean nothing."""
        span = max(FEWEST_LOSS_STEPS, len(self.values) // 10)
        if not self.in_multiples or len(self.values) < 4 * span:
            return None
        starts = range(0, len(self.values) - span + 1, span // 2)
        medians = [median_of_known(self.values[at : at + span]) for at in starts]
        row = starts[int(np.argmin(medians))]
        now = self.values[-span:]
        return LowestLevel(
            slice(row, row + span),
            min(medians),
            median_of_known(now),
            loss_fall(now, self.values[row : row + span]),
        )

    # -- falling without end

    @cached_property
    def falls_without_end(self) -> int | None:
        """Return the row from which the loss falls towards minus infinity; None where it does not.

        A loss with a floor slows down as it approaches it. This one falls as fast in the second half as in the first,
        to many times its size at the start. A loss that ends so many times lower as BLOWN_UP_RATIO says has run away
        too, even if it then scatters: no floor is so far below the start.
        """
        count = len(self.values)
        if count < FEWEST_LOSSES or self.values.min() >= 0:
            return None
        broken = np.flatnonzero(np.isneginf(self.series.values))
        size = max(float(np.abs(self.values[:3]).max()), scatter_of(self.values[: max(4, count // 8)]))
        third = count // 3
        begin, middle, end = self.values[:third], self.values[third : 2 * third], self.values[-third:]
        fast = loss_fall(middle, end) >= STEADY_FALL * max(
            0.0, median_of_known(begin) - median_of_known(middle)
        )
        far = median_of_known(end) < -max(NO_FLOOR_LEVEL, NO_FLOOR_FALL * size)
        away = median_of_known(end) < -BLOWN_UP_RATIO * max(NO_FLOOR_LEVEL, size)
        if not (far and fast and loss_fall(middle, end) > 0) and not away and not len(broken):
            return None
        below = np.flatnonzero(self.series.values < -NO_FLOOR_FALL * size)
        return int(below[0]) if len(below) else int(broken[0])


@dataclass(frozen=True)
class LowestLevel:
    """A LowestLevel says where a loss was lowest, and by how much it has risen since."""

    rows: slice
    """The rows of the stretch in which it was lowest, among those with a finite loss."""
    level: float
    """The median loss of that stretch."""
    now: float
    """The median loss of the newest stretch, which is as long."""
    rise: float
    """`now` minus `level`; 0 if the difference may be chance."""


def loss_fall(before: Floats, now: Floats) -> float:
    """Return by how much the median of `now` is below that of `before`; 0 if that may be chance."""
    difference = median_of_known(before) - median_of_known(now)
    return difference if difference > CLEAR_ERRORS * np.hypot(_error(before), _error(now)) else 0.0


def _error(values: Floats) -> float:
    """Return the standard error of a median, from the median deviation: 1.25 · 1.48 · MAD / √n."""
    deviation = median_of_known(np.abs(values - median_of_known(values)))
    return 1.86 * deviation / float(np.sqrt(len(values))) if len(values) else float("nan")


def scatter_of(values: Floats) -> float:
    """Return the standard deviation of neighbouring values, from the median difference: 1.48 / √2 of it.

    A slow trend does not add to it. It is 0 for fewer than two values.
    """
    return 1.05 * median_of_known(np.abs(np.diff(values))) if len(values) > 1 else 0.0


def roughness_of(values: Floats) -> float:
    """Return the standard deviation of single values beside a trend, from second differences: 1.48 / √6 of these."""
    return 0.605 * median_of_known(np.abs(np.diff(values, 2))) if len(values) > 2 else 0.0
