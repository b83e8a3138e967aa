"""Open the lab on a terminal, and read its step and its bars off the screen."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from gradtui.runs.folder import SETTINGS_FILE
from gradtui.ui.settings import write_settings
from tests.benchmarks.home import Home
from tests.benchmarks.processes import end_children
from tests.benchmarks.terminal import Terminal
from tests.support.terminal_screen import TerminalScreen

FOOTER = "palette"
"""A word of Textual's own footer, which stands on every first frame."""

BARS = frozenset("▁▂▃▄▅▆▇█")
"""The characters that the top of a bar is drawn with."""

OPENING = 20.0
"""Seconds within which any machine should have opened the lab."""

_STEP = re.compile(r"step ([0-9,]+)")


def step_of(screen: TerminalScreen) -> int:
    """Return the step that the first line shows; 0 where it shows none."""
    found = _STEP.search(screen.line(0))
    return int(found[1].replace(",", "")) if found else 0


def bars(screen: TerminalScreen) -> int:
    """Return how many cells look like part of a bar."""
    return sum(character in BARS for character, _ in screen.cells)


def has_footer(screen: TerminalScreen) -> bool:
    """Return whether the first frame is on the screen."""
    return FOOTER in screen.line(screen.height - 1)


@contextlib.contextmanager
def attached(home: Home, folder: Path, size: tuple[int, int], redraws: int = 10) -> Iterator[Terminal]:
    """Yield the lab with a drawn run and without its warm trainer; it redraws at most `redraws` times a second."""
    write_settings(home.path / SETTINGS_FILE, {"redraws": redraws})
    with home.terminal(size, "gradtui", "attach", str(folder)) as terminal:
        terminal.until(lambda screen: bool(step_of(screen) and bars(screen)), OPENING, "run on the screen")
        # By now all charts are drawn, and what is sent only once has been sent.
        terminal.stay(0.6)
        # Its warm-up would take a core for seconds, and nothing is trained here.
        end_children(terminal.process.pid)
        yield terminal
