"""Place the steps of a run on the horizontal axis of its curves: by step, by time or by a logged number."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gradtui.charts.heat import step_label
from gradtui.charts.layer_axis import Floats
from gradtui.charts.scale import Scale, nice_step
from gradtui.words import plain_exponents

STEP, TIME = "step", "time"
"""The axes that every run has."""

_CLOCK = (
    1,
    2,
    5,
    10,
    15,
    30,
    *(60 * m for m in (1, 2, 5, 10, 15, 30)),
    *(3600 * h for h in (1, 2, 3, 6, 12)),
)
_DAY = 86400


@dataclass(frozen=True, eq=False)
class XAxis:
    """An XAxis gives each step its place: the step itself, another number at that step, or its logarithm.

    `steps` and `values`, both (n,) and rising, are the points between which the axis runs evenly. None is the step.
    """

    what: str = STEP
    """The name of the number: "step", "time" in seconds since the first row, or a name that a script logs."""
    log: bool = False
    steps: Floats | None = None
    values: Floats | None = None

    def same_as(self, other: XAxis) -> bool:
        """Return whether another axis gives every step the same place."""
        pairs = zip((self.steps, self.values), (other.steps, other.values), strict=True)
        return (self.what, self.log) == (other.what, other.log) and all(
            a is b or (a is not None and b is not None and np.array_equal(a, b)) for a, b in pairs
        )

    def places(self, steps: ArrayLike) -> Floats:
        """Return the places of steps, in any shape; NaN where the axis has none, such as 0 on a logarithmic one."""
        given = np.asarray(steps, np.float64)
        values = given
        if self.steps is not None and self.values is not None:
            values = np.interp(given, self.steps, self.values, left=np.nan, right=np.nan)
        if not self.log:
            return values
        known = np.where(values > 0, values, np.nan)
        return np.asarray(np.log10(known), np.float64)

    def nearest(self, steps: ArrayLike) -> Floats:
        """Return the places of steps, in any shape; those without one are put at the end of the axis beside them."""
        low, high = (1.0, math.inf) if self.log else (-math.inf, math.inf)
        if self.steps is not None and self.values is not None:
            positive = np.flatnonzero(self.values > 0) if self.log else np.arange(len(self.steps))
            low, high = float(self.steps[positive[0]]), float(self.steps[-1])
        return self.places(np.clip(np.asarray(steps, np.float64), low, high))

    def step_at(self, place: float) -> float:
        """Return the step at a place, or the first or last step beyond the ends of the axis."""
        value = self._value(place)
        if self.steps is None or self.values is None:
            return value
        return float(np.interp(value, self.values, self.steps))

    def ticks(self, low: float, high: float, room: int) -> list[float]:
        """Return at most `room` places for labels between two places, low to high."""
        if self.log and high - low >= 1:
            decades = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
            apart = -(-len(decades) // max(1, room))
            finer = (0.0, math.log10(2), math.log10(5)) if 3 * len(decades) <= room else (0.0,)
            ticks = [decade + part for decade in range(decades.start - 1, decades.stop) for part in finer]
            return [at for at in ticks if low - 1e-9 <= at <= high + 1e-9 and math.floor(at) % apart == 0]
        if self.log:
            # Within a decade the logarithm is nearly even, and plain numbers are round.
            plain = XAxis(self.what).ticks(self._value(low), self._value(high), room)
            return [math.log10(value) for value in plain if value > 0]
        if self.what != TIME:
            ticks = Scale("linear", low, high).ticks(room)
            # There is no step 1.5.
            return [at for at in ticks if self.what != STEP or at == round(at)] or ticks
        least = (high - low) / max(1, room - 1)
        step = next((one for one in _CLOCK if one >= least), 0) or nice_step(least / _DAY) * _DAY
        # Labels of a minute or more have no fractions of a second.
        step = nice_step(least) if least < 1 and high < 60 else step
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        return [index * step for index in range(first, last + 1)][:room] or [low]

    def label(self, place: float, span: float) -> str:
        """Return the number at a place in few characters. span: the places that the axis shows."""
        value = self._value(place)
        if self.what == TIME:
            return clock(value)
        whole = value >= 0 and (value >= 10 and span >= 1 if self.log else span >= 2)
        if whole and value < 1e15:
            return step_label(round(value))
        return plain_exponents(f"{value:.4g}" if self.log else f"{value:.3g}")

    @property
    def words(self) -> str:
        """Return what the title of a chart says of the axis; "" for the steps, which need no word."""
        if not self.log:
            return "" if self.what == STEP else f"by {self.what}"
        return f"by log {self.what}"

    def _value(self, place: float) -> float:
        return 10.0 ** min(place, 300.0) if self.log else place


STEPS = XAxis()
"""The axis of steps, evenly spaced."""


def rising_axis(what: str, steps: ArrayLike, values: ArrayLike, *, log: bool = False) -> XAxis | None:
    """Return the axis of a number that a run has recorded; None where it falls somewhere, or does not rise at all.

    A number that stays the same for several steps, as an epoch does, is taken to grow evenly until its next value.
    Before the first value and after the last one it continues with the slope beside them. Values that are not
    finite count as missing.

    Args:
        what: its name.
        steps: (n,), rising.
        values: (n,), at these steps.
        log: give the steps the logarithms of the number.
    """
    at, known = np.asarray(steps, np.float64).ravel(), np.asarray(values, np.float64).ravel()
    there = np.isfinite(known)
    at, known = at[there], known[there]
    if len(known) < 2 or (np.diff(known) < 0).any():
        return None
    last_step = float(at[-1])
    new = np.diff(known, prepend=-np.inf) > 0
    at, known = at[new], known[new]
    if len(known) < 2:
        return None
    before, after = at[1] - at[0], at[-1] - at[-2]
    first_value = known[0] - (known[1] - known[0])
    if known[0] >= 0:
        # A count does not begin below 0: it was 0 until it began to grow.
        share = 1.0 if first_value >= 0 else known[0] / (known[1] - known[0])
        before, first_value = before * share, max(0.0, first_value)
    ends = at[0] - before, at[-1] + after
    last_value = known[-1] + (known[-1] - known[-2])
    if before > 0:
        at, known = np.append(ends[0], at), np.append(first_value, known)
    at, known = np.append(at, ends[1]), np.append(known, last_value)
    if last_step > ends[1]:
        # The last value was recorded for longer than the one before: it stays, but for a step an axis has to rise.
        at, known = np.append(at, last_step), np.append(known, np.nextafter(last_value, np.inf))
    if log and not (known > 0).any():
        return None
    return XAxis(what, log, at, known)


def clock(seconds: float) -> str:
    """Return a time since the beginning in few characters: 0, 2.5s, 40s, 1m30, 2h, 2h15, 3d, 3d12h."""
    if seconds < 59.95:
        return "0" if seconds <= 0 else plain_exponents(f"{seconds:.3g}") + "s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m" + (f"{whole % 60:02}" if whole % 60 else "")
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60}h" + (f"{minutes % 60:02}" if minutes % 60 else "")
    hours = round(seconds / 3600)
    days = hours // 24
    return f"{step_label(days)}d" + (f"{hours % 24}h" if hours % 24 and days < 1000 else "")
