"""Make Textual's driver for Linux and macOS safe against terminals that disappear or are used by another program.

Textual's own driver expects that its terminal exists as long as the app, and that only ctrl+z stops the app.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
from collections.abc import Callable, Iterator
from threading import Thread
from typing import TYPE_CHECKING, Any, TextIO

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from textual.app import App

RESTORING = (
    # Pasting, wrapped lines, reports of size, mouse and focus; the keyboard's protocol; the normal screen, the cursor.
    "\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"
    "\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l\x1b[0m"
)
"""The sequences that reset everything that the driver sets on a terminal."""

WRITABLE_SECONDS = 0.2
"""The time to wait for a terminal that accepts no output, when it is restored at once."""


class TerminalDriver(LinuxDriver):
    """A TerminalDriver draws on stderr, or on stdout where stderr is not a terminal, and notices the end of both."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self._output = _Output(_drawn_on())
        self._file: Any = self._output
        self._suspended = False
        self._coming_back = False
        self.pieces: list[str] | None = None
        """What was written in a block of `together`, which is not yet passed on; None outside of such a block."""

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Send what is written within the block in one piece, since each piece wakes the thread that writes."""
        if self.pieces is not None:
            yield
            return
        pieces = self.pieces = []
        try:
            yield
        finally:
            self.pieces = None
            if pieces:
                self.write("".join(pieces))

    def write(self, data: str) -> None:
        """Pass a text to the thread that writes, or keep it for the end of a block of `together`."""
        if self.pieces is None:
            super().write(data)
        else:
            self.pieces.append(data)

    def start_application_mode(self) -> None:
        """Take the terminal, and watch for its end from now on."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if not self._suspended:
            Thread(target=self._await_hangup, name="gradtui-hangup", daemon=True).start()

    def suspend_application_mode(self) -> None:
        """Give the terminal back for a while."""
        super().suspend_application_mode()
        self._suspended = True

    def resume_application_mode(self) -> None:
        """Take the terminal again."""
        super().resume_application_mode()
        self._suspended = False

    def restore_at_once(self) -> None:
        """Leave the terminal as it was before the app, without waiting for any other thread."""
        if self._suspended:
            return
        with contextlib.suppress(OSError, ValueError):
            _, writable, _ = select.select([], [self._output.fileno()], [], WRITABLE_SECONDS)
            if writable:
                os.write(self._output.fileno(), RESTORING.encode())
        with contextlib.suppress(termios.error):
            # Drop the input that has arrived meanwhile.
            termios.tcflush(self.fileno, termios.TCIFLUSH)
        if self.attrs_before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)

    def _sigcont_application(self, *_: object) -> None:
        if not self._auto_restart or self._coming_back:
            return
        self._coming_back = True
        try:
            if not self._suspended:
                # SIGSTOP cannot be noticed beforehand: the shell has had the terminal, and set it as it likes.
                self.suspend_application_mode()
                self._must_signal_resume = True
            self.resume_application_mode()
        finally:
            self._coming_back = False

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except OSError:
            # The terminal is gone while it is read.
            self._call(self._tell_hangup)
        except Exception as error:
            self._call(self._app._handle_exception, error)

    def _call(self, work: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):
            # The loop may be closed by now.
            self._loop.call_soon_threadsafe(work, *arguments)

    def _await_hangup(self) -> None:
        """Tell the app when its terminal is gone; otherwise, reading it would return nothing in an endless loop."""
        poll = select.poll()
        poll.register(self.fileno, 0)
        while True:
            happened = [event for _, event in poll.poll()]
            if any(event & select.POLLNVAL for event in happened):
                # This system cannot report it.
                return
            if any(event & (select.POLLHUP | select.POLLERR) for event in happened):
                self._call(self._tell_hangup)
                return

    def _tell_hangup(self) -> None:
        self._output.lost = True
        hung_up: Callable[[], object] | None = getattr(self._app, "hung_up", None)
        if hung_up is not None:
            hung_up()


class _Output:
    """An _Output is the file that the driver writes to; if the terminal is gone, it drops everything.

    An error would end the thread that writes, and then the app would wait for this thread forever.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.lost = False

    def write(self, text: str) -> None:
        """Write a text."""
        if not self.lost:
            try:
                self._file.write(text)
            except OSError:
                self.lost = True

    def flush(self) -> None:
        """Send what was written."""
        if not self.lost:
            try:
                self._file.flush()
            except OSError:
                self.lost = True

    def fileno(self) -> int:
        """Return the number of the file."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self._file.isatty()


def _drawn_on() -> TextIO:
    stderr, stdout = sys.__stderr__, sys.__stdout__
    with contextlib.suppress(ValueError):
        if stderr is not None and stderr.isatty():
            return stderr
    assert stdout is not None
    return stdout
