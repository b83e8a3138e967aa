"""Run a program on a pseudo-terminal, and find out in which state the program leaves it."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import CannotMeasure
from tests.benchmarks.terminal import Terminal
from tests.support.command_line import GRADTUI, environment

CURSOR, ALTERNATE, MOUSE, FOCUS, PASTE = 25, 1049, (1000, 1003, 1006, 1015, 1016), 1004, 2004
AS_BEFORE = {CURSOR}
"""The modes of a terminal on which no program has asked for anything; wrapping of lines aside."""
WRAPPING = 7
CHECKOUT = str(Path(__file__).resolve().parents[2])


class PersonTerminal(Terminal):
    """A PersonTerminal runs gradtui, or any other command, as a person's terminal does."""

    def __init__(
        self, home: Path, *words: str, command: Sequence[str] | None = None, size: tuple[int, int] = (100, 30)
    ) -> None:
        env = environment(home)
        env = {name: value for name, value in env.items() if name not in ("COLUMNS", "LINES")}
        paths = os.pathsep.join(filter(None, [CHECKOUT, env.get("PYTHONPATH")]))
        env |= {"TERM": "xterm-256color", "PYTHONPATH": paths}
        super().__init__(command or [*GRADTUI, *words], size, env)
        self.seen = ""
        """All that the program has written."""
        self.before = self.attributes()

    def attributes(self) -> list[Any]:
        """Return the modes of the terminal's line: echo, line by line, signals of keys."""
        return termios.tcgetattr(self._ours)

    @property
    def modes(self) -> set[int]:
        """Return the modes of the screen that are on now, wrapping of lines aside."""
        return {mode >> 5 for mode in self.screen._screen.mode if mode >= 32} - {WRAPPING}

    def look(self, seconds: float) -> bool:
        """Take output as it is, too."""
        decode = self._decode

        def remembering(piece: bytes) -> str:
            text = decode(piece)
            self.seen += text
            return text

        self._decode = remembering  # type: ignore[assignment]
        try:
            return super().look(seconds)
        finally:
            self._decode = decode

    def until_text(self, text: str, seconds: float = 20.0) -> None:
        """Read until a text is on the screen."""
        self.until(lambda screen: text in screen.text, seconds, text)

    def until_ended(self, seconds: float) -> int:
        """Read until the program has ended, and return its exit code. Raises AssertionError where it does not."""
        end = time.perf_counter() + seconds
        while self.process.poll() is None and time.perf_counter() < end:
            with contextlib.suppress(CannotMeasure):
                self.look(0.05)
        assert self.process.poll() is not None, f"it did not end within {seconds} s:\n{self.screen.text}"
        while select.select([self._ours], [], [], 0)[0]:
            try:
                if not self.look(0):
                    break
            except CannotMeasure:
                break
        return int(self.process.returncode)

    def hang_up(self) -> None:
        """Close the terminal, as when a connection breaks."""
        os.close(self._ours)

    def faults(self) -> list[str]:
        """Return how the terminal differs from how it was before the program."""
        found = [f"mode {mode}" for mode in sorted(self.modes ^ AS_BEFORE)]
        if self.attributes() != self.before:
            found.append("the line's modes")
        pushed, popped = (self.seen.count(text) for text in ("\x1b[>", "\x1b[<u"))
        if pushed > popped:
            found.append("the keyboard's protocol")
        return found


def patched(patch: str, *words: str) -> list[str]:
    """Return the command that runs gradtui with a patch of its code that causes a fault."""
    code = f"import sys\n{patch}\nfrom gradtui.cli import main\nsys.exit(main({list(words)!r}))\n"
    return [sys.executable, "-c", code]


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until a condition is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)
