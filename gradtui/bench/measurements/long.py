"""A long run is opened as fast as a short one, and in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from gradtui.bench.home import Home
from gradtui.bench.lab import OPENING, bars, has_footer, step_of
from gradtui.bench.made import finished_run
from gradtui.bench.measured import Measured
from gradtui.bench.processes import memory_mb

SIZE = (120, 36)
LAYERS = 50
STEPS = 1_000_000

STILL = 1.0
"""Seconds without a change after which a picture counts as whole: nothing is drawn less than twice in one."""


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """From the first frame on, which any run has to wait for, to the last cell that changes."""
    folder = finished_run(home.runs, layers=LAYERS, steps=STEPS)
    opened = [_open(home, folder) for _ in range(1 if quick else 3)]
    seconds, megabytes = zip(*opened, strict=True)
    what = f"a run of {STEPS:,} steps × {LAYERS} layers"
    yield Measured(f"{what}: first frame to the whole picture", 1000 * median(seconds), "ms", budget=300)
    yield Measured(f"{what}: memory at most", max(megabytes), "MB", budget=150)


def _open(home: Home, folder: Path) -> tuple[float, float]:
    """Seconds until it was drawn, and the most memory that it took."""
    with home.terminal(SIZE, "gradtui", "attach", str(folder)) as terminal:
        first = terminal.until(has_footer, OPENING, "first frame")
        terminal.until(
            lambda screen: step_of(screen) == STEPS and bars(screen) > 0, OPENING, "run on the screen"
        )
        whole = terminal.until_still(STILL, OPENING, "the picture")
        return whole - first, memory_mb(terminal.process.pid)
