"""Measure the time to the first frame, and from a key to the first gradient."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from tests.benchmarks.figures import CannotMeasure, Measured
from tests.benchmarks.home import Home
from tests.benchmarks.lab import bars, has_footer
from tests.benchmarks.processes import descendants, wait_idle

SIZE = (120, 36)


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """Yield the times to the first frame in alternation with an empty app, then from space to the first bar."""
    apps = ("gradtui", "tests.benchmarks.empty_app")
    for app in apps:
        _first_frame(home, app)  # The first start fills the caches.
    rounds = 2 if quick else 15
    times = [[_first_frame(home, app) for app in apps] for _ in range(rounds)]
    ours, empty = (median(column) for column in zip(*times, strict=True))
    yield Measured("first frame", 1000 * ours, "ms")
    yield Measured("first frame of an empty Textual app", 1000 * empty, "ms")
    yield Measured("first frame ÷ empty app", median(a / b for a, b in times), "×", budget=1.2)
    bars = [_key_to_bar(home) for _ in range(1 if quick else 5)]
    yield Measured("key to first gradient bar", 1000 * median(bars), "ms", budget=300)


def _first_frame(home: Home, module: str) -> float:
    with home.terminal(SIZE, module) as terminal:
        return terminal.until(has_footer, 30, f"first frame of {module}") - terminal.started


def _key_to_bar(home: Home) -> float:
    with home.terminal(SIZE, "gradtui") as terminal:
        terminal.until(has_footer, 30, "first frame")
        terminal.until_still(0.5, 30, "the lab")
        standby = descendants(terminal.process.pid)
        if not standby or not wait_idle(standby, 60):
            raise CannotMeasure("no trainer was warm within 60 s")
        terminal.stay(0.2)
        # The drawing of the net may hold such characters too.
        before = bars(terminal.screen)
        pressed = terminal.press(" ")
        return terminal.until(lambda screen: bars(screen) > before, 20, "bar") - pressed
