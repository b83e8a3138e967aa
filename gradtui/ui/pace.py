"""The terminal's own pace: nothing new is painted for a reader before what was painted has arrived.

On a slow SSH line, bytes pile up far from here, where no queue of ours can be seen: soon a key is answered behind
seconds of old pictures. So after each painting the terminal is asked for its cursor. It answers in order, when it has
drawn all that came before the question; only then may the reader go on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import App

if TYPE_CHECKING:
    from rich.console import RenderableType

QUESTION = "\x1b[6n"
"""Where is your cursor? The answer is a `CursorPosition` event."""

PATIENCE = 1.0
"""Seconds for an answer …"""
CHANCES = 2
"""… and so often may it be waited for in vain before the terminal counts as one that does not answer."""

LAST_WORD = 0.2
"""Seconds that are waited at the end for an answer under way, lest the person's shell get it."""

NOTHING_PAINTED = 0.05
"""Seconds after which a state that nobody painted, because nothing in it was new, is done."""
QUEUE_LOOK = 0.02
"""Seconds between two looks at what is still to be written, before a terminal that does not answer."""

GoOn = Callable[[], object]


class Pace:
    """Says when what was painted has arrived. Everything happens in the app's own thread.

    At most one question is under way. A terminal that does not answer, or no terminal at all, is not asked; its
    readers go on when the writer thread has written what was painted. An answer that comes after all is trusted.
    """

    def __init__(self, app: App[Any]) -> None:
        self.lag = 0.0
        """Seconds that the last answer took."""
        self._app = app
        self._unpainted: list[GoOn] = []
        self._painted: list[GoOn] = []
        self._asked: list[GoOn] = []
        self._asked_at: float | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._in_vain = 0
        self._silent = False

    def after_paint(self, go_on: GoOn) -> None:
        """Have `go_on` called once what is about to be painted is on the terminal."""
        if self._app.is_headless:
            go_on()
            return
        self._unpainted.append(go_on)
        asyncio.get_running_loop().call_later(NOTHING_PAINTED, self._perhaps_nothing, go_on)

    def displayed(self) -> None:
        """Something was sent to the terminal."""
        if self._unpainted:
            self._painted += self._unpainted
            self._unpainted = []
            self._ask()

    def answered(self) -> None:
        """The terminal has said where its cursor is."""
        if self._asked_at is None:
            return  # shift+F3 looks the same on some terminals
        self.lag = time.monotonic() - self._asked_at
        self._in_vain = 0
        self._forget_question()
        if self._painted:
            self._ask()

    @property
    def asking(self) -> bool:
        """Whether a question is under way that may still be answered."""
        return self._asked_at is not None and self._in_vain < CHANCES

    def fall_silent(self) -> None:
        """Ask nothing from now on: somebody else will have the terminal."""
        self._silent = True

    def speak_again(self) -> None:
        """The terminal is the app's again, and what it was asked before is forgotten."""
        self._silent = False
        self._forget_question()
        self._release(self._painted)

    # -- asking

    def _ask(self) -> None:
        if not self._can_ask():
            self._when_written()
        elif self._asked_at is None:
            self._asked, self._painted = self._painted, []
            self._asked_at = time.monotonic()
            self._app._driver.write(QUESTION)  # type: ignore[union-attr]
            self._wait()
        elif self._patience is None:
            self._wait()

    def _can_ask(self) -> bool:
        # Only drivers of a real terminal have it, and only they read answers.
        terminal = getattr(self._app._driver, "input_tty", False)
        return bool(terminal) and not self._silent and self._in_vain < CHANCES

    def _wait(self) -> None:
        self._patience = asyncio.get_running_loop().call_later(PATIENCE, self._no_answer)

    def _no_answer(self) -> None:
        """Let the readers go on all the same; the question stays the only one."""
        self._patience = None
        self._in_vain += 1
        self._release(self._asked)
        self._release(self._painted)

    def _forget_question(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = self._asked_at = None
        self._release(self._asked)

    # -- going on

    def _perhaps_nothing(self, go_on: GoOn) -> None:
        """What is dirty is painted first; then the state is either painted or held nothing new."""
        if go_on in self._unpainted:
            self._app.call_after_refresh(self._nothing, go_on)

    def _nothing(self, go_on: GoOn) -> None:
        if go_on in self._unpainted:
            self._unpainted.remove(go_on)
            go_on()

    def _when_written(self) -> None:
        """Without answers, the bytes that wait in this process are all that can be known."""
        thread = getattr(self._app._driver, "_writer_thread", None)
        queue = getattr(thread, "_queue", None)
        if queue is not None and queue.qsize() and not self._silent:
            asyncio.get_running_loop().call_later(QUEUE_LOOK, self._when_written)
        else:
            self._release(self._painted)

    @staticmethod
    def _release(readers: list[GoOn]) -> None:
        for go_on in readers:
            go_on()
        readers.clear()


class PacedApp(App[None]):
    """An app that asks its terminal, and is gone only when no answer can come any more."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.pace = Pace(self)

    def on_mount(self) -> None:
        """Another program may have the terminal for a while."""
        self.app_suspend_signal.subscribe(self, lambda _: self._hush(), immediate=True)
        self.app_resume_signal.subscribe(self, lambda _: self.pace.speak_again(), immediate=True)

    def _hush(self) -> None:
        self.pace.fall_silent()
        if self.pace.asking:
            # The thread that reads the terminal takes the answer in meanwhile.
            time.sleep(LAST_WORD)

    def on_cursor_position(self, event: events.CursorPosition) -> None:
        """The answer."""
        self.pace.answered()

    def post_display_hook(self) -> None:
        """After each painting."""
        super().post_display_hook()
        self.pace.displayed()

    def exit(self, result: None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """Leave, once the answer under way is here, or after a moment."""
        self.pace.fall_silent()
        asked = time.monotonic()

        def leave() -> None:
            if self.pace.asking and time.monotonic() - asked < LAST_WORD:
                asyncio.get_running_loop().call_later(0.01, leave)
            else:
                super(PacedApp, self).exit(result, return_code, message)

        leave()
