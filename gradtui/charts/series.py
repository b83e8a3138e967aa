"""Turn curves as they are given into curves as they are drawn: smoothed or as logarithms, with a range behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradtui.absent import absent_in, log10_of
from gradtui.charts.layer_axis import Floats
from gradtui.charts.scale import nice_step
from gradtui.charts.x_axis import STEPS, XAxis

_HUGE = 1e100
"""Larger values are reduced to this one, because their differences would not be finite."""


@dataclass(frozen=True)
class CurveData:
    """A CurveData is one curve as it is given: x (n,) finite and rising, y (n,), with gaps where y is not finite."""

    name: str
    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    """The lowest value of the steps that each point stands for, (n,); given together with the highest."""
    high: ArrayLike | None = None
    noisy: bool = True
    """This is true if the curve can be smoothed: an evaluation of a whole data set has no noise of batches."""
    only_compared: bool = False
    """This is true if the curve is drawn only for comparison: if it explodes, a linear axis does not follow it."""
    sign: str = ""
    """The character of one of many runs: it marks the curve's end, and draws its line where there are no colours."""
    axis: XAxis = STEPS
    """The places of the steps x on the horizontal axis; where an axis has none, the curve has no point."""

    def same_as(self, other: CurveData) -> bool:
        """Return whether another curve has the same numbers and the same name."""
        return (
            self._words() == other._words()
            and self.axis.same_as(other.axis)
            and all(
                one is two or (one is not None and two is not None and _same(one, two))
                for one, two in zip(self._arrays(), other._arrays(), strict=True)
            )
        )

    def _words(self) -> tuple[object, ...]:
        return self.name, self.noisy, self.only_compared, self.sign

    def _arrays(self) -> tuple[ArrayLike | None, ...]:
        return self.x, self.y, self.low, self.high


@dataclass(frozen=True, eq=False)
class Curve:
    """A Curve is a curve in the units of its chart's y axis; all arrays have the shape (n,)."""

    name: str
    steps: Floats
    x: Floats
    """The places of the steps on the horizontal axis, rising."""
    values: Floats
    """The numbers for the legend."""
    y: Floats
    """The numbers to draw: -inf where the value is 0 on a log axis, otherwise finite or NaN for a gap."""
    behind: Floats | None
    """The numbers before smoothing; None where nothing was smoothed."""
    low: Floats | None
    """The lowest value of the steps that each point stands for; None where a point is one step."""
    high: Floats | None
    only_compared: bool = False
    sign: str = ""

    @property
    def smooth(self) -> bool:
        """Return whether the curve is a running mean."""
        return self.behind is not None

    @property
    def broken(self) -> NDArray[np.bool_]:
        """Return whether there is a gap at each point, (n,)."""
        return ~(np.isfinite(self.y) | np.isneginf(self.y))

    def at(self, step: float | None) -> float | None:
        """Return the last value at a step (None: the newest), or None before the first."""
        index = len(self.x) - 1 if step is None else int(np.searchsorted(self.steps, step, side="right")) - 1
        return float(self.values[index]) if index >= 0 else None

    def extent(self, low: float, high: float) -> Floats:
        """Return all numbers that are drawn between two x, and those of the neighbours that lines come from."""
        part = self.within(low, high)
        drawn = [self.y, self.behind, self.low, self.high]
        return np.concatenate([values[part] for values in drawn if values is not None])

    def within(self, low: float, high: float) -> slice:
        """Return the points between two x, with a neighbour on each side."""
        first, last = np.searchsorted(self.x, [low, high], side="left").tolist()
        return slice(max(0, first - 1), last + 1)


def curve_of(series: CurveData, *, log: bool = False, complement: bool = False, over: float = 0.0) -> Curve:
    """Return a curve as it is drawn.

    Args:
        series: the curve as it is given.
        log: draw log10 of the values.
        complement: draw 1 - y.
        over: the steps that a noisy curve is smoothed over; 0 is none.

    Raises:
        ValueError: naming the series, where its arrays do not fit together.
    """
    x, given = _flat(series.x), _flat(series.y)
    if len(x) != len(given):
        raise ValueError(f"series {series.name!r}: {len(x)} x and {len(given)} y")
    low, high = (None if bound is None else _flat(bound) for bound in (series.low, series.high))
    if low is not None and high is not None and complement:
        low, high = 1 - high, 1 - low
    places = series.axis.places(x)
    there = ~absent_in(given) & ~np.isnan(places)
    if not there.all():
        # A step without a number, or without a place, is neither a point of the curve nor a gap in it.
        x, places, given = x[there], places[there], given[there]
        low, high = (None if bound is None else bound[there] for bound in (low, high))
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
        steps=x,
        x=places,
        values=values if behind is not None else given,
        y=y,
        behind=drawn(behind),
        low=drawn(low),
        high=drawn(high),
        only_compared=series.only_compared,
        sign=series.sign,
    )


def _flat(numbers: ArrayLike) -> Floats:
    return np.asarray(numbers, np.float64).ravel()


def _cut(values: Floats) -> Floats:
    """Limit large numbers; infinity and NaN stay."""
    return np.where(np.isfinite(values), np.clip(values, -_HUGE, _HUGE), values)


def _same(one: ArrayLike, other: ArrayLike) -> bool:
    return np.array_equal(np.asarray(one, np.float64), np.asarray(other, np.float64), equal_nan=True)


Smoothing = Literal["off", "light", "strong"]

LEVELS: tuple[Smoothing, ...] = ("off", "light", "strong")
"""The levels, in the order in which a key goes through them."""

_SHARES = {"light": 1 / 50, "strong": 1 / 10}
"""Shares of the whole x axis; a number of points would change its meaning when a long run halves its points."""


def next_level(level: str) -> Smoothing:
    """Return the level after this one, or the first where the word names no level."""
    return LEVELS[(LEVELS.index(level) + 1) % len(LEVELS)] if level in LEVELS else LEVELS[0]


def smoothing_steps(level: str, span: float) -> float:
    """Return the steps that a level smooths over, 1, 2 or 5 × 10^k, on an axis of `span` steps; 0 means none."""
    share = _SHARES.get(level, 0.0) * span
    # Rounded, so that the curve does not change with every step by which the axis of an endless run grows.
    return nice_step(share) if share > 0 and math.isfinite(share) else 0.0


def smoothed(x: Floats, y: Floats, over: float) -> Floats:
    """Return at each point the mean of it and of those before it that are less than `over` of x away.

    x is (n,) and rising, y is (n,). Values that are not finite are left out, and stay as gaps. Later points do not
    count, so no value depends on the future. The mean is of the values themselves, also where the axis shows their
    logarithms. A window forgets older values, which an exponential mean never does: after the error has become 0, an
    exponential mean would draw a straight line down a log axis, decade after decade.
    """
    if over <= 0 or not len(x):
        return y
    finite = np.isfinite(y)
    first, last = np.searchsorted(x, x - over, side="right"), np.arange(1, len(x) + 1)
    # Each window is summed separately, because differences of running sums lose all digits after a spike of 1e30.
    windows = np.column_stack([first, last]).ravel()
    total, count = (
        np.add.reduceat(np.append(part, 0.0), windows)[::2]
        for part in (np.where(finite, y, 0.0), finite.astype(np.float64))
    )
    return np.where(finite, total / np.maximum(count, 1.0), y)
