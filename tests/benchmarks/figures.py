"""Define the figures of the benchmarks and the machine on which they were measured, and print both."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from gradtui import __version__

HEADINGS = ("measured", "value", "budget", "")


class CannotMeasure(Exception):
    """Something that was to be measured did not happen; ``str()`` is one line."""


@dataclass(frozen=True)
class Measured:
    """One figure of this machine and its budget; NaN is a figure that could not be taken."""

    name: str
    value: float
    unit: str
    budget: float | None = None
    at_least: bool = False
    """Whether the budget is the smallest value that is accepted; otherwise it is the largest."""
    spread: tuple[float, float] | None = None
    """The quartiles of repeated measurements; None where there are none."""

    @property
    def ok(self) -> bool:
        """Return whether the figure is within its budget; a figure without a budget always is."""
        if self.budget is None:
            return True
        return self.value >= self.budget if self.at_least else self.value <= self.budget

    def to_json(self) -> dict[str, Any]:
        """Return the figure for `--json`, in four digits: none of them is stable beyond that."""
        value = float(f"{self.value:.4g}") if math.isfinite(self.value) else self.value
        fields = {"name": self.name, "value": value, "unit": self.unit, "budget": self.budget, "ok": self.ok}
        return fields if self.spread is None else {**fields, "spread": list(self.spread)}


def rows_of(figures: Sequence[Measured]) -> list[tuple[str, str, str, str]]:
    """Return the table: a heading, then one row a figure; a missed budget is marked by a sign and by words."""
    return [HEADINGS, *(_row(figure) for figure in figures)]


def _row(figure: Measured) -> tuple[str, str, str, str]:
    value = _with_unit(figure.value, figure.unit)
    if figure.spread is not None:
        value += " ({} to {})".format(*map(_number, figure.spread))
    if figure.budget is None:
        return figure.name, value, "", ""
    sign, missed = ("≥", "too little") if figure.at_least else ("≤", "over budget")
    verdict = "✓" if figure.ok else f"✖ {missed}"
    return figure.name, value, f"{sign} {_with_unit(figure.budget, figure.unit)}", verdict


def _with_unit(value: float, unit: str) -> str:
    # "12 % of a core", but "1.03×".
    return f"{_number(value)}{unit}" if unit == "×" else f"{_number(value)} {unit}"


def _number(value: float) -> str:
    """Write a number in three digits and without powers of ten."""
    if not math.isfinite(value) or abs(value) < 1000:
        return f"{value:.3g}"
    return f"{float(f'{value:.3g}'):,.0f}"


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine_line(*packages: str) -> str:
    """Describe the machine in one line: its load, and the versions of gradtui, Python and these packages."""
    load = os.getloadavg()[0]
    words = [
        f"gradtui {__version__}",
        f"{platform.system()} {platform.machine()}, {cores()} cores, load {load:.1f}",
        f"Python {platform.python_version()}",
        # Read from the packages' metadata: importing torch takes seconds.
        *(f"{name} {_version(name)}" for name in ("textual", "torch", "numpy", *packages)),
    ]
    return " · ".join(words)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"
