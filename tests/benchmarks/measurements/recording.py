"""Measure what recording costs the lab's own trainer: time and bytes for each step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.figures import Measured
from tests.benchmarks.home import Home

TRAINER = 1.03
"""The budget of the lab's own trainer, as a ratio to a plain loop that records nothing."""


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """Yield ratios of recorded steps to unrecorded ones; 1,000 layers take too long for a quick measurement."""
    dense = _cost(home, "dense", *((10, 10) if quick else (40, 10)))
    yield Measured("recorded step ÷ bare torch loop, 50 × 128", dense["ratio"], "×", TRAINER)
    yield Measured("recorded step ÷ unrecorded, 50 × 128", dense["recorded"] / dense["own"], "×", 1.04)
    yield Measured("bytes on disk per step, 50 layers", dense["bytes"], "B", 500)
    if not quick:
        deep = _cost(home, "residual", 8, 4)
        yield Measured("recorded step ÷ bare torch loop, 1,000 × 64", deep["ratio"], "×", TRAINER)
        yield Measured("recorded step ÷ unrecorded, 1,000 × 64", deep["recorded"] / deep["own"], "×", TRAINER)


def _cost(home: Home, net: str, rounds: int, steps: int) -> dict[str, Any]:
    # Run as a module: an import would bring torch into this process.
    printed = home.answer_of("tests.benchmarks.recorded_steps", net, str(rounds), str(steps))
    cost: dict[str, Any] = json.loads(printed)
    return cost
