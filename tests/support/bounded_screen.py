"""Run the app on a pseudo-terminal in a forked process, press keys, and report its faults."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import resource
import select
import signal
import struct
import sys
import termios
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.support.bounded_command import MOST_BYTES, MOST_SECONDS, size_now
from tests.support.hostile_text import orders_on_screen

QUIET_SECONDS, LONGEST_ANSWER = 0.12, 1.0
"""A key counts as answered when nothing was painted for the first time, or after the second, since a chart may never
stop moving."""


def use_app(
    words: Sequence[str], keys: Sequence[str], home: Path, size: tuple[int, int] = (100, 30)
) -> list[str]:
    """Run one command line of gradtui that opens the app, press keys, leave it by `q`, and return the faults."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    # Turn echo off, so that text that is typed before the app reads it does not count as output.
    modes = termios.tcgetattr(theirs)
    modes[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    child = os.fork()
    if child == 0:
        os.close(ours)
        _be_the_child(words, home, theirs)
    os.close(theirs)
    os.set_blocking(ours, False)
    screen = _Screen(ours)
    faults: list[str] = []
    try:
        screen.read(LONGEST_ANSWER * 2)
        for key in keys:
            screen.press(key)
        # Dialogs take q as text and close by escape; other screens close by both.
        end = time.monotonic() + MOST_SECONDS
        while not (ended := os.wait4(child, os.WNOHANG))[0] and time.monotonic() < end:
            screen.press("\x1b")
            screen.press("q")
        if not ended[0]:
            faults.append(f"q did not end it within {MOST_SECONDS:g} s after {list(keys)}")
            os.kill(child, signal.SIGKILL)
            ended = os.wait4(child, 0)
        screen.read(0.1)
    finally:
        os.close(ours)
    return faults + _faults(ended, screen.got.decode(errors="replace"), home)


class _Screen:
    """A _Screen is the end of the terminal at which the person sits."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self.got = bytearray()

    def press(self, key: str) -> None:
        """Press a key, and wait until it is answered."""
        rest = key.encode(errors="surrogatepass")
        end = time.monotonic() + LONGEST_ANSWER
        # A program that has ended, or waits until its own output is read, takes no more keys.
        while rest and time.monotonic() < end:
            readable, writable, _ = select.select([self._terminal], [self._terminal], [], QUIET_SECONDS)
            try:
                if writable:
                    rest = rest[os.write(self._terminal, rest) :]
                elif readable:
                    self.got += os.read(self._terminal, 1 << 16)
            except BlockingIOError:
                continue
            except OSError:
                # The program has left the terminal.
                break
        self.read(LONGEST_ANSWER)

    def read(self, seconds: float) -> None:
        """Read until nothing more arrives, for at most this many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self._terminal], [], [], min(left, QUIET_SECONDS))[0]:
                return
            try:
                piece = os.read(self._terminal, 1 << 16)
            except OSError:
                # The program has left the terminal.
                return
            self.got += piece


def _be_the_child(words: Sequence[str], home: Path, terminal: int) -> None:
    code = 70
    try:
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        for number in range(3):
            os.dup2(terminal, number)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
        sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]
        os.environ.update(GRADTUI_HOME=str(home), GRADTUI_DEBUG="1", TERM="xterm-256color", LANG="C.UTF-8")
        limit = size_now() + 3 * MOST_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        # No training is started, so no process has to import torch.
        import gradtui.ui.screens.lab.run_controls as run_controls
        from gradtui.cli import main

        run_controls.Trainers.warm = lambda self: None  # type: ignore[method-assign]
        code = main(list(words))
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        os._exit(code)


def _faults(ended: tuple[int, int, resource.struct_rusage], painted: str, home: Path) -> list[str]:
    _, status, usage = ended
    code, faults = os.waitstatus_to_exitcode(status), []
    reports = [path.read_text() for path in home.glob("crashes/*")]
    if reports:
        faults.append(f"crashed: {reports[0][:3000]}")
    elif "Traceback" in painted:
        text = re.sub("\x1b[^a-zA-Z]*[a-zA-Z]", "", painted[painted.index("Traceback") :])
        faults.append(f"traceback: {text[-600:]}")
    if code not in (0, 2):
        faults.append(f"ended with {code}")
    if found := orders_on_screen(painted):
        faults.append(f"painted orders: {found[:3]!r}")
    if usage.ru_maxrss * 1024 > MOST_BYTES:
        faults.append(f"took {usage.ru_maxrss / 1000:.0f} MB")
    return faults
