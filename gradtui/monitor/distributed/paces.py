"""Which steps are measured, agreed upon without asking: those divisible by a period that process 0 posts up.

A period is a power of two. While one is changing, two processes may go by different ones; every step that the
slower measures the faster measures too, so rows are fewer for a moment, and none is wrong.
"""

from __future__ import annotations

import math

from gradtui.probe.sampling_budget import SamplingBudget

FIRST = {"rows": 1, "looks": 16}
"""Periods until more is known."""
MARGIN = 1.25
"""A period is halved when half of it would be enough by so much: at its edge it would go back and forth."""


def next_period(now: int, thinning: SamplingBudget, steps: int) -> int:
    """The period that keeps within the thinning's share, when so many steps have been taken."""
    needed = thinning.period(steps)
    if needed > now:
        return int(2 ** math.ceil(math.log2(needed)))
    return now // 2 if now > 1 and needed * MARGIN <= now / 2 else now
