"""Compute the range of values that the charts of one metric share, and where its ticks lie."""

from __future__ import annotations

import math
import re
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gradtui.charts.layer_axis import Floats
from gradtui.words import FRACTION, as_factor

ScaleKind = Literal["log", "linear"]

LEAST_DECADES = 4
"""The least number of decades on a log axis: a healthy net spans half a decade, which over the whole height would look
like vanishing (wandb issue 4699)."""

UPDATES_UNTIL_SHRINK = 50
"""The axis shrinks by two decades or more only after this many updates in a row fit the smaller range."""

_FARTHEST = {"log": 99.0, "linear": 1e100}
"""Values beyond this are drawn at the edge: their labels would need more than five characters, and the difference of
two of them could overflow."""

ZERO_SIZE = 1e-100
"""Values smaller than this are 0 on a linear axis."""

_STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 50, 100, 200)


class Scale:
    """A Scale is a range of values that grows at once and shrinks late, so that bars and colours do not jump.

    kind "log": values are log10 numbers and the range is whole decades, at least `least` of them.
    kind "linear": values are plain numbers and the range starts as `low … high`.
    `version` counts the changes of the range: a chart that drew another version repaints whole.
    """

    def __init__(
        self,
        kind: ScaleKind = "log",
        low: float | None = None,
        high: float | None = None,
        *,
        least: int = LEAST_DECADES,
    ) -> None:
        self.kind: ScaleKind = kind
        self.least = least
        self._start = (low, high) if low is not None and high is not None else None
        self.version = 0
        self.reset()

    @property
    def percent(self) -> bool:
        """Return whether the values are fractions, 0 to 1, whose labels are percentages as in all lists and texts."""
        return self.kind == "linear" and self._start == FRACTION

    def reset(self) -> None:
        """Forget the range, because another run is shown."""
        start = self._start or ((-float(self.least), 0.0) if self.kind == "log" else (0.0, 1.0))
        self.low, self.high = start
        self._untouched = self._start is None
        self._calm = 0
        self._calm_range = (math.inf, -math.inf)
        self.version += 1

    def include(self, values: Floats) -> bool:
        """Make room for the finite values (up to 1e99, or 1e100 if linear); return whether the range changed.

        Each call has to pass all values in view, because the axis shrinks when values are missing for a while.
        """
        finite = values[np.isfinite(values)]
        if not finite.size:
            return False
        if self._start and self._start[0] <= finite.min() and finite.max() <= self._start[1]:
            # The ends of the metric, such as 0 to 100 % of a fraction, already hold the values, even equal ones.
            return False
        far = _FARTHEST[self.kind]
        low, high = np.clip([float(finite.min()), float(finite.max())], -far, far).tolist()
        # Labels could not tell values this close to 0 from 0.
        low, high = self._rounded(*(0.0 if abs(end) < ZERO_SIZE else end for end in (low, high)))
        if self._untouched:
            self._untouched = False
            return self._set(low, high)
        if low < self.low or high > self.high:
            return self._set(min(low, self.low), max(high, self.high))
        if self.kind == "linear":
            return False
        if (low - self.low) + (self.high - high) < 2:
            self._calm, self._calm_range = 0, (math.inf, -math.inf)
            return False
        self._calm += 1
        self._calm_range = min(low, self._calm_range[0]), max(high, self._calm_range[1])
        return self._calm >= UPDATES_UNTIL_SHRINK and self._set(*self._calm_range)

    def _rounded(self, low: float, high: float) -> tuple[float, float]:
        if self.kind == "log":
            low, high = float(math.floor(low)), float(math.ceil(high))
            # The range is extended downwards, so that values that are equal in all layers become tall bars.
            return min(low, high - self.least), high
        if high - low <= 1e-9 * max(abs(low), abs(high)):
            room = 0.1 * max(abs(low), abs(high)) or 0.5
            low, high = low - room, high + room
        nice = nice_step((high - low) / 8)
        return math.floor(low / nice) * nice, math.ceil(high / nice) * nice

    def _set(self, low: float, high: float) -> bool:
        self._calm, self._calm_range = 0, (math.inf, -math.inf)
        if (low, high) == (self.low, self.high):
            return False
        self.low, self.high = low, high
        self.version += 1
        return True

    def share(self, values: Floats) -> NDArray[np.float64]:
        """Return where values lie in the range, in any shape: 0 at its low end, 1 at its high end; NaN stays."""
        clipped = np.clip(values, self.low, self.high)
        return np.asarray((clipped - self.low) / (self.high - self.low), np.float64)

    def ticks(self, room: int) -> list[float]:
        """Return at most `room` values for labels, low to high; always at least one."""
        span = self.high - self.low
        room = max(1, room)
        if self.kind == "linear":
            step = nice_step(span / max(1, room - 1))
            ticks = self._multiples(step)
            if len(ticks) < 2 <= room:
                # One label does not say how long the axis is; the next smaller step gives two or three.
                finer = self._multiples(nice_step(step / 2.5))
                ticks = finer if len(finer) <= room else ticks
            return ticks[:room] or [self.low]
        step = next((s for s in _STEPS if span / s + 1 <= room), _STEPS[-1])
        top = math.floor(self.high / step) * step
        ticks = [float(tick) for tick in range(top, math.ceil(self.low) - 1, -step)][::-1]
        # The ends serve as ticks where fewer than two multiples lie inside.
        return ticks if len(ticks) > 1 else [self.low, self.high][-room:]

    def _multiples(self, step: float) -> list[float]:
        first = math.ceil(self.low / step - 1e-9)
        count = math.floor(self.high / step + 1e-9) - first + 1
        return [(first + i) * step for i in range(count)]

    def label(self, value: float, room: int = 5) -> str:
        """Return the value as text of at most `room` characters: 1e-12 on a log axis, 50% of a fraction, else 0.5."""
        if self.percent:
            return f"{100 * value:.3g}%"[:room]
        if self.kind == "log":
            return f"1e{round(value)}"[:room]
        for digits in (4, 3, 2, 1):
            text = re.sub(r"e\+?(-?)0*", r"e\1", f"{value:.{digits}g}")
            if len(text) <= room:
                return text
        # Numbers such as -1e-10 need six characters; a label without digits is better than a wrong one.
        return "~0" if abs(value) < 1 else "..."

    def figure(self, value: float) -> str:
        """Return the value as a text of two digits, where a label of the axis is too coarse."""
        return as_factor(value) if self.kind == "log" else f"{value:.0%}" if self.percent else f"{value:.2g}"


def nice_step(step: float) -> float:
    """Return the smallest of 1, 2, 5 × 10^k that is at least `step`."""
    magnitude = 10.0 ** math.floor(math.log10(step))
    return next((f * magnitude for f in (1, 2, 5) if f * magnitude >= step * (1 - 1e-9)), 10 * magnitude)
