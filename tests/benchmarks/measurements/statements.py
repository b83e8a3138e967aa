"""Measure what short runs say of the cost of their own recording, which is among the first things a person reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import median

from tests.benchmarks.figures import CannotMeasure, Measured
from tests.benchmarks.home import Home


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """Yield the median of the default experiment, and the median and the highest of watched scripts."""
    said = [_default_run(home) for _ in range(1 if quick else 5)]
    yield Measured("overhead that the default experiment says of itself", median(said), "%", budget=5)
    words = ("0.5", "3") if quick else ("3", "6")
    shares = [100 * one for one in json.loads(home.answer_of("tests.benchmarks.short_trainings", *words))]
    what = "overhead that watched trainings of a few seconds say of themselves"
    yield Measured(f"{what}: median", median(shares), "%", budget=2)
    yield Measured(f"{what}: highest", max(shares), "%", budget=10)


def _default_run(home: Home) -> float:
    """Train the default experiment and return its overhead in percent."""
    said = json.loads(home.answer_of("gradtui", "run", "--quiet", "--json"))["overhead"]
    if said is None:
        raise CannotMeasure("the run says nothing of its cost")
    return 100 * float(said)
