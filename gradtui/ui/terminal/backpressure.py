"""Make the readers of runs wait until the terminal has shown what was painted.

On a slow SSH line, bytes pile up outside of this process, and a key would be answered behind seconds of old pictures.
So after each painting the terminal is asked for its cursor position. It answers when it has drawn everything before
the question; only then may the readers continue.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from textual.app import App

QUESTION = "\x1b[6n"
"""The request for the cursor position. The answer is a `CursorPosition` event."""

ANSWER_SECONDS = 1.0
"""The time to wait for one answer."""
UNANSWERED_LIMIT = 2
"""Questions in a row without an answer after which the terminal counts as one that does not answer."""
LAST_ANSWER_SECONDS = 0.2
"""The time to wait for an answer at the end, so that the person's shell does not get it."""
NOTHING_PAINTED_SECONDS = 0.05
"""After this time a state that was not painted, because nothing in it was new, counts as shown."""
QUEUE_POLL_SECONDS = 0.02
"""The time between two checks of the bytes still to be written to a terminal that does not answer."""

Continue = Callable[[], object]


class Backpressure:
    """A Backpressure calls readers back when a painting has arrived. It runs in the app's own thread.

    At most one question is open. A terminal that does not answer is not asked again; its readers continue when
    the writer thread has written the painting. A late answer still counts.
    """

    def __init__(self, app: App[Any]) -> None:
        self.lag = 0.0
        """The seconds that the last answer took."""
        self._app = app
        self._unpainted: list[Continue] = []
        self._painted: list[Continue] = []
        self._asked: list[Continue] = []
        self._asked_at: float | None = None
        self._timeout: asyncio.TimerHandle | None = None
        self._unanswered = 0
        self._silent = False

    def after_paint(self, go_on: Continue) -> None:
        """Call `go_on` once the next painting is on the terminal."""
        if self._app.is_headless:
            go_on()
            return
        self._unpainted.append(go_on)
        asyncio.get_running_loop().call_later(NOTHING_PAINTED_SECONDS, self._check_painted, go_on)

    def painted(self) -> None:
        """Ask the terminal, because something was sent to it."""
        if self._unpainted:
            self._painted += self._unpainted
            self._unpainted = []
            self._ask()

    def answered(self) -> None:
        """Let the readers continue, because the terminal has answered."""
        if self._asked_at is None:
            return  # shift+F3 looks the same on some terminals
        self.lag = time.monotonic() - self._asked_at
        self._unanswered = 0
        self._forget_question()
        if self._painted:
            self._ask()

    @property
    def asking(self) -> bool:
        """Return whether a question may still be answered."""
        return self._asked_at is not None and self._unanswered < UNANSWERED_LIMIT

    # -- the terminal given away and taken back

    def suspend(self) -> None:
        """Ask nothing from now on, because another program gets the terminal; wait for an answer that is due."""
        self._silent = True
        if self.asking:
            # The thread that reads the terminal takes the answer in meanwhile.
            time.sleep(LAST_ANSWER_SECONDS)

    def resume(self) -> None:
        """Ask again, because the terminal is the app's again; what it was asked before is forgotten."""
        self._silent = False
        self._forget_question()
        self._release(self._painted)

    def finish(self, then: Continue) -> None:
        """Ask nothing from now on, and call `then` when the answer that is due is here, or after a moment."""
        self._silent = True
        began = time.monotonic()

        def poll() -> None:
            if self.asking and time.monotonic() - began < LAST_ANSWER_SECONDS:
                asyncio.get_running_loop().call_later(0.01, poll)
            else:
                then()

        poll()

    # -- asking

    def _ask(self) -> None:
        if not self._can_ask():
            self._when_written()
        elif self._asked_at is None:
            self._asked, self._painted = self._painted, []
            self._asked_at = time.monotonic()
            self._app._driver.write(QUESTION)  # type: ignore[union-attr]
            self._wait()
        elif self._timeout is None:
            self._wait()

    def _can_ask(self) -> bool:
        # Only drivers of a real terminal have it, and only they read answers.
        terminal = getattr(self._app._driver, "input_tty", False)
        return bool(terminal) and not self._silent and self._unanswered < UNANSWERED_LIMIT

    def _wait(self) -> None:
        self._timeout = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._no_answer)

    def _no_answer(self) -> None:
        """Let the readers continue without an answer; the question stays the only one."""
        self._timeout = None
        self._unanswered += 1
        self._release(self._asked)
        self._release(self._painted)

    def _forget_question(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
        self._timeout = self._asked_at = None
        self._release(self._asked)

    # -- going on

    def _check_painted(self, go_on: Continue) -> None:
        """Paint everything that is dirty first; then the state is either painted or had nothing new."""
        if go_on in self._unpainted:
            self._app.call_after_refresh(self._nothing_new, go_on)

    def _nothing_new(self, go_on: Continue) -> None:
        if go_on in self._unpainted:
            self._unpainted.remove(go_on)
            go_on()

    def _when_written(self) -> None:
        """Let the readers continue when all bytes are written; without answers, nothing more is known."""
        driver = self._app._driver
        queue = getattr(getattr(driver, "_writer_thread", None), "_queue", None)
        waiting = bool(getattr(driver, "pieces", None)) or (queue is not None and bool(queue.qsize()))
        if waiting and not self._silent:
            asyncio.get_running_loop().call_later(QUEUE_POLL_SECONDS, self._when_written)
        else:
            self._release(self._painted)

    @staticmethod
    def _release(readers: list[Continue]) -> None:
        for go_on in readers:
            go_on()
        readers.clear()
