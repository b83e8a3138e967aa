"""The app of `gradtui watch --live`: it shows what a command prints, and opens the first run that it begins."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from gradtui.plain_text import plain
from gradtui.ui.app import GradtuiApp
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.screens.dialogs import TextFrame

LOOK_SECONDS = 0.3
"""Seconds between two looks at the command."""
MOST_BYTES = 64_000
"""The bytes at the end of the output that are shown."""
MOST_LINES = 500

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
"""Sequences that colour text, move the cursor or set a title."""


class LiveCommand(Protocol):
    """A LiveCommand is a command that runs while the app shows it."""

    words: str
    """The command as it was typed."""
    output: Path
    """The file of what it prints."""

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""

    def interrupt(self) -> None:
        """Send it what Ctrl-C sends."""

    def first_run(self) -> Path | None:
        """Return the folder of the first run that it has begun; None before that."""


def last_lines(file: Path) -> list[str]:
    """Return the last lines of a command's output, as a terminal shows them in the end, without control characters."""
    try:
        with open(file, "rb") as output:
            output.seek(max(0, output.seek(0, os.SEEK_END) - MOST_BYTES))
            text = output.read().decode(errors="replace")
    except OSError:
        return []
    lines = _ESCAPES.sub("", text.replace("\r\n", "\n")).split("\n")
    # A progress bar writes its line again and again from the beginning.
    shown = [plain(line.rstrip("\r").rpartition("\r")[2].expandtabs()) for line in lines]
    return (shown if shown[-1] else shown[:-1])[-MOST_LINES:]


class OutputScreen(ModalScreen[None], OneAnswer[None]):
    """The OutputScreen shows the last lines of the command's output as they come, over the lab."""

    DEFAULT_CSS = "OutputScreen { align: center middle; & > TextFrame { height: 90%; } }"
    BINDINGS = [
        Binding("escape,L", "dismiss(None)", "back"),
        Binding("q", "app.quit", "quit"),
    ]

    def __init__(self, command: LiveCommand) -> None:
        super().__init__()
        self.command = command
        self._shown: tuple[list[str], int | None, bool] = ([], -1, False)

    def compose(self) -> ComposeResult:
        """Yield the lines."""
        with TextFrame(Content(plain(f"output of {self.command.words}"))):
            yield Static()

    def on_mount(self) -> None:
        """Show what there is, and look again and again."""
        self._look()
        self.set_interval(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        now = last_lines(self.command.output), self.command.poll(), self.command.first_run() is not None
        if now == self._shown:
            return
        lines, code, begun = self._shown = now
        frame = self.query_one(TextFrame)
        at_end = frame.scroll_offset.y >= frame.max_scroll_y - 1
        what = "esc shows the run" if begun else "its run opens at its first step"
        frame.keys = f"ctrl+c interrupts it · {what} · q leaves" if code is None else _ended(code)
        self.query_one(Static).update(Content("\n".join(lines) or "It has printed nothing yet."))
        if at_end:
            frame.scroll_end(animate=False)


def _ended(code: int) -> str:
    return f"it ended with exit code {code} · q leaves"


class WatchApp(GradtuiApp):
    """A WatchApp is the app over a command that runs.

    Args:
        command: the command.
        terminal: as for GradtuiApp.
    """

    BINDINGS = [
        Binding(
            "ctrl+c", "interrupt", "interrupt the command", show=False, priority=True, id="watch.interrupt"
        ),
    ]

    def __init__(self, command: LiveCommand, terminal: Mapping[str, str] | None = None) -> None:
        super().__init__(terminal=terminal)
        self.command = command
        self._opened = self._said = False

    async def action_open_lab(self) -> None:
        """Open the lab, and over it the output, until the command begins a run."""
        await super().action_open_lab()
        self.show_output()
        self.set_interval(LOOK_SECONDS, self._look)

    def show_output(self) -> None:
        """Show the output of the command over the lab."""
        self.push_screen(OutputScreen(self.command))

    def _look(self) -> None:
        if not self._opened and self.lab is not None and (run := self.command.first_run()) is not None:
            self._opened = True
            if isinstance(self.screen, OutputScreen):
                self.screen.dismiss(None)
            self.lab.open_run(run, adopt=True)
        code = self.command.poll()
        if code is not None and not self._said:
            self._said = True
            said = f"the command ended with exit code {code}; L shows its output"
            self.notify(said, severity="information" if code == 0 else "error", timeout=8, markup=False)

    def action_interrupt(self) -> None:
        """Interrupt the command, as Ctrl-C does on its own terminal."""
        if self.command.poll() is None:
            self.command.interrupt()
            self.notify("The command was interrupted.", timeout=3)
