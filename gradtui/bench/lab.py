"""The lab on the bench's terminal, and what can be read off it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from gradtui.bench.home import Home
from gradtui.bench.processes import end_children
from gradtui.bench.screen import Screen
from gradtui.bench.terminal import Terminal
from gradtui.ui.settings import FILE, write_settings

FOOTER = "palette"
"""A word of Textual's own footer, which stands on every first frame."""

BARS = frozenset("▁▂▃▄▅▆▇█")
"""The top of a bar is one of these."""

OPENING = 20.0
"""Seconds in which any machine should have opened it."""

_STEP = re.compile(r"step ([0-9,]+)")


def step_of(screen: Screen) -> int:
    """The step that the first line says the run is at; 0 where it says none."""
    found = _STEP.search(screen.line(0))
    return int(found[1].replace(",", "")) if found else 0


def bars(screen: Screen) -> int:
    """How many cells look like the top of a bar, or like part of one."""
    return sum(character in BARS for character, _ in screen.cells)


def has_footer(screen: Screen) -> bool:
    """Whether the first frame is there."""
    return FOOTER in screen.line(screen.height - 1)


@contextlib.contextmanager
def attached(home: Home, folder: Path, size: tuple[int, int], redraws: int = 10) -> Iterator[Terminal]:
    """The lab with a run, drawn, and without the trainer that it keeps warm; `redraws` a second at most."""
    write_settings(home.path / FILE, {"redraws": redraws})
    with home.terminal(size, "gradtui", "attach", str(folder)) as terminal:
        terminal.until(lambda screen: bool(step_of(screen) and bars(screen)), OPENING, "run on the screen")
        # All charts are there, and what comes once only has come.
        terminal.stay(0.6)
        # Warming up it would take a core for seconds, and nobody is going to train anything here.
        end_children(terminal.process.pid)
        yield terminal
