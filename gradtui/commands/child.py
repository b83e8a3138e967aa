"""Run a person's own command with the exit code, the streams and the signals that it would have without gradtui."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import BinaryIO, NoReturn

from gradtui.commands.command import BadInput

FORWARDED = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
"""The signals that are passed on to the command."""
TERMINAL_SIGNALS = (signal.SIGINT, signal.SIGQUIT)
"""The signals that a terminal sends by Ctrl-C and Ctrl-\\, to the command as well as to this process."""


def replace_process(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Replace this process by the command, which keeps the process id and the streams. Raises BadInput."""
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores these two signals, and a new program inherits that.
    before = {number: signal.getsignal(number) for number in (signal.SIGPIPE, signal.SIGXFSZ)}
    for number in before:
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(command[0], list(command), dict(environment))
    except OSError as error:
        for number, handler in before.items():
            signal.signal(number, handler)
        raise unusable(command, error) from None


class Child:
    """A Child is a command that runs while this process waits for it.

    Within its `with` block, signals that ask for an end are passed on to the command. A signal that was ignored
    before stays ignored.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], *, output: BinaryIO | None = None
    ) -> None:
        """Take the command with its arguments, all of its environment, and a file for what it prints.

        Without a file it has the streams of this process.
        """
        self._command, self._environment, self._output = command, environment, output
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: list[int] = []

    def __enter__(self) -> Child:
        self._before = {number: signal.getsignal(number) for number in FORWARDED}
        for number, handler in self._before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._forward)
        try:
            stdin, stderr = (None, None) if self._output is None else (subprocess.DEVNULL, subprocess.STDOUT)
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdin=stdin, stdout=self._output, stderr=stderr
            )
        except OSError as error:
            self.__exit__()
            raise unusable(self._command, error) from None
        for waiting in self._waiting:
            self._process.send_signal(waiting)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait(self) -> int:
        """Return the exit code of the command: 128 plus the signal's number if a signal ended it."""
        assert self._process is not None
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    def poll(self) -> int | None:
        """Return the exit code as `wait` does; None while the command runs."""
        assert self._process is not None
        return None if self._process.poll() is None else self.wait()

    def send(self, number: int) -> None:
        """Send a signal to the command."""
        assert self._process is not None
        self._process.send_signal(number)

    def interrupt(self) -> None:
        """Send what Ctrl-C sends: on a terminal it reaches all processes of the command, and not this one."""
        if not _in_foreground():
            self.send(signal.SIGINT)
            return
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            os.killpg(os.getpgrp(), signal.SIGINT)
        finally:
            signal.signal(signal.SIGINT, before)

    def _forward(self, number: int, frame: FrameType | None) -> None:
        if number in TERMINAL_SIGNALS and _in_foreground():
            return
        if self._process is None:
            self._waiting.append(number)
        else:
            self._process.send_signal(number)


def _in_foreground() -> bool:
    """Return whether the terminal sends its signals to this process, and so to the command too."""
    with contextlib.suppress(OSError):
        terminal = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False


def unusable(command: Sequence[str], error: OSError) -> BadInput:
    """Return the error for a command that cannot be started."""
    if command[0].endswith(".py") and os.path.isfile(command[0]):
        return BadInput(f"{command[0]}: is not a command; write python {command[0]} instead")
    if isinstance(error, FileNotFoundError):
        return BadInput(f"{command[0]}: no such command")
    return BadInput(f"{command[0]}: cannot be run: {error.strerror}")
