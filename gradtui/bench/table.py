"""The figures as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gradtui.bench.measured import Measured

HEADINGS = ("measured", "value", "budget", "")


def rows_of(figures: Sequence[Measured]) -> list[tuple[str, str, str, str]]:
    """A heading, then a row a figure; what is over its budget is marked by a sign and by words."""
    return [HEADINGS, *(_row(figure) for figure in figures)]


def _row(figure: Measured) -> tuple[str, str, str, str]:
    value = _join(figure.value, figure.unit)
    if figure.spread is not None:
        value += " ({} to {})".format(*map(_number, figure.spread))
    if figure.budget is None:
        return figure.name, value, "", ""
    sign, missed = ("≥", "too little") if figure.at_least else ("≤", "over budget")
    verdict = "✓" if figure.ok else f"✖ {missed}"
    return figure.name, value, f"{sign} {_join(figure.budget, figure.unit)}", verdict


def _join(value: float, unit: str) -> str:
    # "12 % of a core", but "1.03×".
    return f"{_number(value)}{unit}" if unit == "×" else f"{_number(value)} {unit}"


def _number(value: float) -> str:
    """Three digits, and no powers of ten."""
    if not math.isfinite(value) or abs(value) < 1000:
        return f"{value:.3g}"
    return f"{float(f'{value:.3g}'):,.0f}"
