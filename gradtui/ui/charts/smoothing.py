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
    """At each point the mean of it and all before it, whose weight falls by e every `over` of x.

    x: (n,) rising, y: (n,). What is not finite has no weight and stays as it is, a gap. No later point counts, so
    what one sees at a step is what one could know there; and none before the first is made up, as an average that
    starts from 0 would do. The mean is of the values themselves, also where the axis shows their logarithms.
    """
    if over <= 0:
        return y
    finite = np.isfinite(y)
    fade = np.exp(-np.diff(x, prepend=x[:1]) / over)
    total = weight = 0.0
    means = y.astype(np.float64, copy=True)
    for index, (keep, value, known) in enumerate(
        zip(fade.tolist(), y.tolist(), finite.tolist(), strict=True)
    ):
        total, weight = total * keep, weight * keep
        if known:
            total, weight = total + value, weight + 1.0
            means[index] = total / weight
    return means
