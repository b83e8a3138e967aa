"""Figures in words, the same on the screen and in reports."""

from __future__ import annotations

import math

_UNITS = ((18, None), (15, "million billion"), (12, "trillion"), (9, "billion"), (6, "million"))


def compare_decades(decades: float) -> str:
    """How the gradient at the input stands to the one at the output, from the difference of their log10.

    A factor below two is no difference worth a word: He-initialised nets scatter by as much between seeds.
    """
    if abs(decades) < math.log10(2):
        return "as strong at the input as at the output"
    return f"{times(abs(decades))} times {'weaker' if decades < 0 else 'stronger'} at the input"


def times(decades: float) -> str:
    """A factor of so many decades as people say it: ``630 billion``; beyond words as a power of ten."""
    for least, unit in _UNITS:
        if decades >= least:
            return f"{_two_digits(10 ** (decades - least))} {unit}" if unit else f"10^{decades:.0f}"
    return _two_digits(10**decades)


def _two_digits(number: float) -> str:
    if number < 9.95:
        return f"{number:.1f}"
    return f"{float(f'{number:.1e}'):,.0f}"


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
