"""Define an app whose reader has more to show than a slow line can carry: every state changes nearly every cell.

Run it by `python -m tests.support.flood_app paced`, or `unpaced`.
"""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from textual import events, on, work
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from gradtui.ui.terminal.terminal_app import TerminalApp

PERIOD = 0.1
SIZE = (100, 40)
KEYS = {"z": "ZZZZZZZZ", "y": "YYYYYYYY"}
"""The keys with their answers, in capitals, which the flood does not contain."""


@dataclass
class State(Message):
    """A new state to paint."""

    text: str


def states() -> Iterator[str]:
    """Yield texts as large as the screen, made in advance so that the machine is not the slow part."""
    dice = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    made = [
        "\n".join("".join(dice.choices(letters, k=SIZE[0] - 2)) for _ in range(SIZE[1] - 2)) for _ in range(8)
    ]
    while True:
        yield from made


class Flood(TerminalApp):
    """A Flood has one line that answers keys, and the flood below it."""

    paced = True

    def __init__(self) -> None:
        super().__init__()
        self.painted = threading.Event()

    def compose(self) -> ComposeResult:
        """Return the answer, the flood."""
        yield Static("--------", id="answer")
        yield Static(id="flood", markup=False)

    def on_mount(self) -> None:
        """Read."""
        self.read()

    @work(thread=True)
    def read(self) -> None:
        """Post a state ten times a second, each after the last one was painted, as the lab's reader does."""
        worker = get_current_worker()
        for text in states():
            self.painted.clear()
            self.post_message(State(text))
            threading.Event().wait(PERIOD)
            while not self.painted.wait(0.1):
                if worker.is_cancelled:
                    return
            if worker.is_cancelled:
                return

    @on(State)
    def _show(self, event: State) -> None:
        self.query_one("#flood", Static).update(event.text)
        if self.paced:
            self.backpressure.after_paint(self.painted.set)
        else:
            self.painted.set()

    def on_key(self, event: events.Key) -> None:
        """Answer a key in the first line, and leave by q."""
        if event.key == "q":
            self.exit()
        elif event.key in KEYS:
            self.query_one("#answer", Static).update(KEYS[event.key])


if __name__ == "__main__":
    Flood.paced = sys.argv[1:] != ["unpaced"]
    Flood().run()
