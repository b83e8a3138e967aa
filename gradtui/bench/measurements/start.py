"""How long a person waits: for the first frame, and from a key to the first gradient."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from gradtui.bench.errors import CannotMeasure
from gradtui.bench.home import Home
from gradtui.bench.lab import bars, has_footer
from gradtui.bench.measured import Measured
from gradtui.bench.processes import descendants, wait_idle

SIZE = (120, 36)


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """First frames by turns, so that a busy machine is busy for both; then space in a lab that is ready."""
    apps = ("gradtui", "gradtui.bench.empty")
    for app in apps:
        _first_frame(home, app)  # the first start of all fills the caches
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
        # A net may be drawn with such signs too.
        before = bars(terminal.screen)
        pressed = terminal.press(" ")
        return terminal.until(lambda screen: bars(screen) > before, 20, "bar") - pressed
