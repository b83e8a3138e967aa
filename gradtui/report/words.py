"""Figures in words."""

from __future__ import annotations

import math


def compare_gradients(first: float, last: float) -> str:
    """How the gradient's norm in the first layer stands to the one in the last layer.

    A factor below two is no difference worth a word: He-initialised nets scatter by as much between seeds.
    """
    if not (math.isfinite(first) and math.isfinite(last)):
        return "the gradient is not a finite number"
    if first == 0 and last == 0:
        return "the gradient is exactly 0 everywhere"
    if first == 0:
        return "the gradient at the input is exactly 0"
    if last == 0:
        return "the gradient at the output is exactly 0"
    ratio = first / last
    if 0.5 < ratio < 2:
        return "the gradient at the input is about as strong as at the output"
    if ratio < 1:
        return f"the gradient at the input is {_factor(last / first)} × weaker than at the output"
    return f"the gradient at the input is {_factor(ratio)} × stronger than at the output"


def _factor(ratio: float) -> str:
    """Two significant digits, written out up to a million million, then as a power of ten."""
    if ratio < 10:
        return f"{ratio:.1f}"
    if ratio < 1e15:
        return f"{float(f'{ratio:.1e}'):,.0f}"
    return f"10^{math.log10(ratio):.0f}"


def seconds(value: float) -> str:
    """A duration as one says it: ``3.1 s``, ``2 min 05 s``, ``3 h 20 min``."""
    if value < 59.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def figure(value: float | None) -> str:
    """Four significant digits; a dash where there is no number at all."""
    return "–" if value is None else f"{value:.4g}"


def share(value: float | None) -> str:
    """A fraction in percent; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %"
