"""Measure the bytes sent to the terminal, while a run grows and after it has ended."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.figures import Measured
from tests.benchmarks.home import Home
from tests.benchmarks.lab import attached
from tests.benchmarks.made_runs import finished_run, growing_run
from tests.benchmarks.terminal import Terminal, watch

SIZE = (120, 36)
LAYERS = 50
RATE = 200


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """Yield the bytes at ten redraws a second in true colour, and at rest, where none should be sent."""
    seconds = 1.2 if quick else 10.0
    ended = finished_run(home.runs, layers=LAYERS, steps=1000)
    with growing_run(home, layers=LAYERS, rate=RATE) as (folder, _), attached(home, ended, SIZE) as resting:
        resting.until_still(1.0, 20, "a lab whose run has ended")
        with attached(home, folder, SIZE) as busy:
            sent, wasted = _bytes(busy, resting, seconds)
    yield Measured("bytes sent while a run grows", sent / seconds / 1000, "kB/s", budget=40)
    yield Measured("bytes sent while nothing happens", wasted / seconds, "B/s", budget=0)


def _bytes(one: Terminal, other: Terminal, seconds: float) -> tuple[int, int]:
    """Return what two programs write in the same seconds."""
    before = one.bytes, other.bytes
    for _ in watch([one, other], seconds):
        pass
    return one.bytes - before[0], other.bytes - before[1]
