"""A curve as it is given, and as it is drawn: smoothed, as logarithms, with what lies behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradtui.charts.layer_axis import Floats
from gradtui.charts.scale import log10_of, nice_step

_HUGE = 1e100
"""Values are cut here: the differences of larger ones are no longer finite."""


@dataclass(frozen=True)
class CurveData:
    """One curve. x: (n,) finite and rising, y: (n,); what is not finite is a gap, marked on the axis."""

    name: str
    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    """Least and largest of the steps that each point stands for, (n,) each; both or none …"""
    high: ArrayLike | None = None
    noisy: bool = True
    """Whether smoothing is meant for it. What was evaluated on a whole data set is no noise of a batch."""
    guest: bool = False
    """Whether it is there to be compared with: where it explodes, it leaves a linear axis to the others."""
    sign: str = ""
    """Of one among many runs: a character that stands for it, at its end and where no colour tells curves apart."""

    def same_as(self, other: CurveData) -> bool:
        """Whether it holds the same numbers under the same name."""
        return self._words() == other._words() and all(
            one is two or (one is not None and two is not None and _same(one, two))
            for one, two in zip(self._arrays(), other._arrays(), strict=True)
        )

    def _words(self) -> tuple[object, ...]:
        return self.name, self.noisy, self.guest, self.sign

    def _arrays(self) -> tuple[ArrayLike | None, ...]:
        return self.x, self.y, self.low, self.high


@dataclass(frozen=True, eq=False)
class Curve:
    """A series in the units of its chart's y axis, all arrays (n,)."""

    name: str
    x: Floats
    values: Floats
    """As they stand in the legend."""
    y: Floats
    """As they are drawn: -inf where a logarithm has no place for exactly 0, otherwise finite or a gap."""
    behind: Floats | None
    """What was there before it was smoothed."""
    low: Floats | None
    """The range of the steps that a point stands for …"""
    high: Floats | None
    """… where that is more than a point."""
    guest: bool = False

    sign: str = ""
    """The character that stands for it."""

    @property
    def smooth(self) -> bool:
        """Whether it is a running mean."""
        return self.behind is not None

    @property
    def broken(self) -> NDArray[np.bool_]:
        """Where there is a gap, (n,)."""
        return ~(np.isfinite(self.y) | np.isneginf(self.y))

    def at(self, step: float | None) -> float | None:
        """The value that was the last one at a step (None: the newest); None before the first."""
        index = len(self.x) - 1 if step is None else int(np.searchsorted(self.x, step, side="right")) - 1
        return float(self.values[index]) if index >= 0 else None

    def extent(self, low: float, high: float) -> Floats:
        """All numbers that are drawn between two x, and those of the neighbours that lines come from."""
        part = self.within(low, high)
        drawn = [self.y, self.behind, self.low, self.high]
        return np.concatenate([values[part] for values in drawn if values is not None])

    def within(self, low: float, high: float) -> slice:
        """The points between two x, with a neighbour on each side."""
        first, last = np.searchsorted(self.x, [low, high], side="left").tolist()
        return slice(max(0, first - 1), last + 1)


def curve_of(series: CurveData, *, log: bool = False, complement: bool = False, over: float = 0.0) -> Curve:
    """The curve of a series. log: in log10; complement: of 1 - y; over: the steps that a noisy one is smoothed over.

    Raises:
        ValueError: naming the series, where its arrays do not fit together.
    """
    x, given = _flat(series.x), _flat(series.y)
    if len(x) != len(given):
        raise ValueError(f"series {series.name!r}: {len(x)} x and {len(given)} y")
    low, high = (None if bound is None else _flat(bound) for bound in (series.low, series.high))
    if low is not None and high is not None and complement:
        low, high = 1 - high, 1 - low
    given = 1 - given if complement else given
    cut = _cut(given)
    values = smoothed(x, cut, over) if series.noisy else cut
    behind = cut if values is not cut else None
    if low is None or high is None or np.array_equal(low, high, equal_nan=True):
        low = high = None

    def drawn(numbers: Floats | None) -> Floats | None:
        if numbers is None:
            return None
        return log10_of(numbers) if log else np.where(np.isfinite(numbers), _cut(numbers), np.nan)

    y = drawn(values)
    assert y is not None
    return Curve(
        name=series.name,
        x=x,
        values=values if behind is not None else given,
        y=y,
        behind=drawn(behind),
        low=drawn(low),
        high=drawn(high),
        guest=series.guest,
        sign=series.sign,
    )


def _flat(numbers: ArrayLike) -> Floats:
    return np.asarray(numbers, np.float64).ravel()


def _cut(values: Floats) -> Floats:
    """Infinity and NaN stay what they are."""
    return np.where(np.isfinite(values), np.clip(values, -_HUGE, _HUGE), values)


def _same(one: ArrayLike, other: ArrayLike) -> bool:
    return np.array_equal(np.asarray(one, np.float64), np.asarray(other, np.float64), equal_nan=True)


Smoothing = Literal["off", "light", "strong"]

LEVELS: tuple[Smoothing, ...] = ("off", "light", "strong")
"""In the order in which a key goes through them."""

_SHARES = {"light": 1 / 50, "strong": 1 / 10}
"""Of the whole x axis. A number of points would mean another thing whenever a long run halves its points."""


def next_level(level: str) -> Smoothing:
    """The level after this one; of a word that is none, the first."""
    return LEVELS[(LEVELS.index(level) + 1) % len(LEVELS)] if level in LEVELS else LEVELS[0]


def smoothing_steps(level: str, span: float) -> float:
    """How many steps a level smooths over where the axis spans so many: 1, 2, 5 × 10^k; 0 is not at all."""
    share = _SHARES.get(level, 0.0) * span
    # Round, so that the axis of a run without a planned end may grow a while and the curve stays as it is.
    return nice_step(share) if share > 0 and math.isfinite(share) else 0.0


def smoothed(x: Floats, y: Floats, over: float) -> Floats:
    """At each point the mean of it and of those before it that are less than `over` of x away.

    x: (n,) rising, y: (n,). What is not finite counts for nothing and stays as it is, a gap. No later point counts,
    so what one sees at a step is what one could know there. The mean is of the values themselves, also where the
    axis shows their logarithms. Each window forgets the ones before it wholly, which an exponential mean never
    does: after the error has become 0, its memory would draw a straight line down a log axis, decade after decade.
    """
    if over <= 0 or not len(x):
        return y
    finite = np.isfinite(y)
    first, last = np.searchsorted(x, x - over, side="right"), np.arange(1, len(x) + 1)
    # Sums of each window by itself: as differences of running sums, all after a spike of 1e30 would be lost.
    windows = np.column_stack([first, last]).ravel()
    total, count = (
        np.add.reduceat(np.append(part, 0.0), windows)[::2]
        for part in (np.where(finite, y, 0.0), finite.astype(np.float64))
    )
    return np.where(finite, total / np.maximum(count, 1.0), y)
