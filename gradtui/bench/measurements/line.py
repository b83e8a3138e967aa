"""What goes over the line to the terminal: while a run grows, and when it has ended."""

from __future__ import annotations

from collections.abc import Iterator

from gradtui.bench.growing import growing
from gradtui.bench.home import Home
from gradtui.bench.lab import attached
from gradtui.bench.made import finished_run
from gradtui.bench.measured import Measured
from gradtui.bench.terminal import Terminal, watch

SIZE = (120, 36)
LAYERS = 50
RATE = 200


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """At ten redraws a second and in all colours; and at rest, where every byte is one too many."""
    seconds = 1.2 if quick else 10.0
    ended = finished_run(home.runs, layers=LAYERS, steps=1000)
    with growing(home, layers=LAYERS, rate=RATE) as (folder, _), attached(home, ended, SIZE) as resting:
        resting.until_still(1.0, 20, "a lab whose run has ended")
        with attached(home, folder, SIZE) as busy:
            sent, wasted = _bytes(busy, resting, seconds)
    yield Measured("bytes sent while a run grows", sent / seconds / 1000, "kB/s", budget=40)
    yield Measured("bytes sent while nothing happens", wasted / seconds, "B/s", budget=0)


def _bytes(one: Terminal, other: Terminal, seconds: float) -> tuple[int, int]:
    """What two programs write in the same seconds."""
    before = one.bytes, other.bytes
    for _ in watch([one, other], seconds):
        pass
    return one.bytes - before[0], other.bytes - before[1]
