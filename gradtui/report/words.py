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
    return compare_decades(math.log10(first) - math.log10(last))


def compare_decades(difference: float) -> str:
    """The same from the difference of their log10, which also holds what no float can."""
    if abs(difference) < math.log10(2):
        return "the gradient at the input is about as strong as at the output"
    how = "weaker" if difference < 0 else "stronger"
    return f"the gradient at the input is {_factor(abs(difference))} × {how} than at the output"


def _factor(decades: float) -> str:
    """Two significant digits, written out up to a thousand million million, then as a power of ten."""
    if decades < 1:
        return f"{10**decades:.1f}"
    if decades < 15:
        return f"{float(f'{10**decades:.1e}'):,.0f}"
    return f"10^{decades:.0f}"


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
