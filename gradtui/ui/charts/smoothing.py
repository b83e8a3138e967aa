"""A running mean of a noisy curve: off, light or strong."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from gradtui.ui.charts.folding import Floats
from gradtui.ui.charts.scale import nice_step

Smoothing = Literal["off", "light", "strong"]

LEVELS: tuple[Smoothing, ...] = ("off", "light", "strong")
"""In the order in which a key goes through them."""

_SHARES = {"light": 1 / 50, "strong": 1 / 10}
"""Of the whole x axis. A number of points would mean another thing whenever a long run halves its points."""


def following(level: str) -> Smoothing:
    """The level after this one; of a word that is none, the first."""
    return LEVELS[(LEVELS.index(level) + 1) % len(LEVELS)] if level in LEVELS else LEVELS[0]


def steps_of(level: str, span: float) -> float:
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
