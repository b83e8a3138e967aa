"""Measure how fast a run of a million steps is drawn, and in how much memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.benchmarks.figures import Measured
from tests.benchmarks.home import Home
from tests.benchmarks.lab import OPENING, bars, has_footer, step_of
from tests.benchmarks.made_runs import finished_run
from tests.benchmarks.processes import memory_mb

SIZE = (120, 36)
LAYERS = 50
STEPS = 1_000_000

STILL = 1.0
"""Seconds without a change after which the picture counts as whole: every chart redraws at least twice in one."""


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """Yield the time from the first frame, which comes before any run, to the last cell that changes."""
    folder = finished_run(home.runs, layers=LAYERS, steps=STEPS)
    opened = [_open(home, folder) for _ in range(1 if quick else 3)]
    seconds, megabytes = zip(*opened, strict=True)
    what = f"a run of {STEPS:,} steps × {LAYERS} layers"
    yield Measured(f"{what}: first frame to the whole picture", 1000 * median(seconds), "ms", budget=200)
    yield Measured(f"{what}: memory at most", max(megabytes), "MB", budget=150)


def _open(home: Home, folder: Path) -> tuple[float, float]:
    """Return the seconds until the run was drawn, and the largest memory."""
    with home.terminal(SIZE, "gradtui", "attach", str(folder)) as terminal:
        first = terminal.until(has_footer, OPENING, "first frame")
        terminal.until(
            lambda screen: step_of(screen) == STEPS and bars(screen) > 0, OPENING, "run on the screen"
        )
        whole = terminal.until_still(STILL, OPENING, "the picture")
        return whole - first, memory_mb(terminal.process.pid)
