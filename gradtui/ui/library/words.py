"""Figures of a run in a few cells: moments, durations, shares, and the gradient over depth as one row of blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇"
"""Without the full one: blocks of two lines would run into each other."""
DECADES = 8.0
"""What the blocks reach down from the largest."""


def ago(seconds: float) -> str:
    """How long ago, in the unit that a person would say."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "now" if seconds < 10 else f"{seconds:.0f} s ago"


def duration(seconds: float | None) -> str:
    """In two figures or three: ``0.26 s``, ``12 s``, ``3.4 min``, ``11 h``."""
    if seconds is None or math.isnan(seconds):
        return "–"
    unit, size = next(
        ((u, s) for u, s in (("d", 86400), ("h", 3600), ("min", 60)) if seconds >= 1.5 * s), ("s", 1)
    )
    amount = seconds / size
    return f"{amount:.2f} {unit}" if amount < 1 else f"{amount:.{1 if amount < 10 else 0}f} {unit}"


def percent(share: float | None) -> str:
    """An accuracy; a dash where there is none."""
    return "–" if share is None else f"{share:.1%}"


def number(value: float | None) -> str:
    """Three figures; a dash where there is none."""
    return "–" if value is None else f"{value:.3g}"


def blocks(profile: Sequence[float]) -> str:
    """log10 of the gradient over depth, a block each: how far it is below the largest, down to DECADES.

    What is not a number has a sign of its own, as on the charts; 0 is a gradient of exactly zero.
    """
    finite = [value for value in profile if math.isfinite(value)]
    top = max(finite, default=0.0)
    return "".join(_block(value, top) for value in profile)


def _block(value: float, top: float) -> str:
    if math.isnan(value):
        return "×"
    if math.isinf(value):
        return "∞" if value > 0 else "0"
    share = max(0.0, 1 - (top - value) / DECADES)
    return _BLOCKS[min(len(_BLOCKS) - 1, int(share * len(_BLOCKS)))]
