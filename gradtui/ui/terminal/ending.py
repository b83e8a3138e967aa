"""End an app in good order and in bounded time, after a key, a signal, the end of its terminal or a crash."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from textual.app import App

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)

QUIT_SECONDS = 3.0
"""The time that an app may take to end after a key, since its settings may be on a slow file system."""
HURRY_SECONDS = 1.5
"""The time that it may take after a signal or a crash."""


class Ending:
    """An Ending watches the end of one app, and ends the process if the app takes too long.

    A thread may hang in a file system that does not answer, or the terminal may accept no more output.
    """

    def __init__(self, app: App[Any]) -> None:
        self.last_words = ""
        """One line for the person, which is printed after the app has released the terminal."""
        self.terminal_lost = False
        """Whether the terminal is gone."""
        self._app = app
        self._ended = threading.Event()
        self._code: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Within this context, end the app after a signal, and the process if the app does not end."""
        before = {number: signal.getsignal(number) for number in SIGNALS}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._signalled)
        try:
            yield
        finally:
            self._ended.set()
            for number, handler in before.items():
                signal.signal(number, handler)

    def started(self) -> None:
        """Take the running loop of the app, which a signal has to reach."""
        self._loop = asyncio.get_running_loop()

    def begin(self, code: int, seconds: float) -> None:
        """Give the app this many seconds to end; after that, end the process with the exit code."""
        if self._code is None:
            self._code = code
            threading.Thread(target=self._await_end, args=(seconds,), name="gradtui-end", daemon=True).start()

    def hung_up(self) -> None:
        """End the app, because its terminal is gone."""
        self.terminal_lost = True
        self._leave(128 + signal.SIGHUP)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        code = 128 + number
        if self._loop is None:
            raise SystemExit(code)
        self.begin(code, HURRY_SECONDS)
        with contextlib.suppress(RuntimeError):
            # The loop may have ended by itself in this moment.
            self._loop.call_soon_threadsafe(self._leave, code)

    def _leave(self, code: int) -> None:
        self.begin(code, HURRY_SECONDS)
        self._app.exit(return_code=code)

    def _await_end(self, seconds: float) -> None:
        if self._ended.wait(seconds):
            return
        restore: Callable[[], None] | None = getattr(self._app._driver, "restore_at_once", None)
        if restore is None:
            # Without a terminal this is an app in a test, whose process must not be ended.
            return
        restore()
        self.say()
        os._exit(self._code or 0)

    def say(self) -> None:
        """Print the line for the person, if there is a terminal."""
        if self.terminal_lost:
            nothing = os.open(os.devnull, os.O_WRONLY)
            for number in (1, 2):
                os.dup2(nothing, number)
        elif self.last_words:
            with contextlib.suppress(OSError):
                os.write(2, f"{self.last_words}\n".encode())
            self.last_words = ""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
