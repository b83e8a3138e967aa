"""Simulate a slow line between an app and its terminal: it accepts everything at once, but delivers it slowly.

So does ssh: the app cannot see how much of its output has arrived.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

QUESTION = b"\x1b[6n"
ROOT = Path(__file__).parents[2]


class SlowLine:
    """A SlowLine runs a module of the tests with its terminal at the far end of a slow line.

    Args:
        module: its name and arguments.
        rate: the bytes per second that arrive.
        answers: whether the terminal answers with its cursor position.
        delay: the seconds until it answers.
    """

    def __init__(
        self, *module: str, rate: float, size: tuple[int, int], answers: bool = True, delay: float = 0.0
    ) -> None:
        self.rate = rate
        self.answers = answers
        self.delay = delay
        self.arrived = bytearray()
        """What the person has seen so far."""
        self.asked = 0
        self.worst = 0
        """The most bytes that were ever on the line."""
        self._on_line = bytearray()
        self._scanned = 0
        self._due: list[float] = []
        self._stop = threading.Event()
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        self.app = subprocess.Popen(
            [sys.executable, "-m", *module],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env=environment,
            cwd=ROOT,
            start_new_session=True,
        )
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def __enter__(self) -> SlowLine:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self.app.poll() is None:
            self.app.send_signal(signal.SIGKILL)
        self.app.wait()
        self._stop.set()
        self._thread.join()
        os.close(self.master)
        os.close(self.slave)

    @property
    def backlog(self) -> int:
        """Return the number of bytes that the app has written and that have not arrived."""
        return len(self._on_line)

    def press(self, key: str) -> None:
        """Type a key."""
        os.write(self.master, key.encode())

    def seconds_until(self, true: Callable[[], bool], most: float = 20.0) -> float:
        """Return the seconds until a condition is true, `most` at most."""
        began = time.monotonic()
        while not true() and time.monotonic() - began < most:
            time.sleep(0.002)
        return time.monotonic() - began

    def unread_input(self) -> int:
        """Return the number of unread input bytes, which the next program would read."""
        return struct.unpack("i", fcntl.ioctl(self.slave, termios.FIONREAD, b"\0" * 4))[0]

    def _carry(self) -> None:
        owed, last = 0.0, time.monotonic()
        while not self._stop.is_set():
            if select.select([self.master], [], [], 0.005)[0]:
                self._on_line += os.read(self.master, 1 << 20)
            now = time.monotonic()
            # A line does not gain capacity while it is idle.
            owed = min(owed + (now - last) * self.rate, max(2000.0, self.rate * 0.02))
            last = now
            count = min(int(owed), len(self._on_line))
            owed -= count
            self.worst = max(self.worst, len(self._on_line))
            self.arrived += self._on_line[:count]
            del self._on_line[:count]
            self._answer(now)

    def _answer(self, now: float) -> None:
        while (found := self.arrived.find(QUESTION, self._scanned)) >= 0:
            self._scanned = found + len(QUESTION)
            self.asked += 1
            self._due.append(now + self.delay)
        while self.answers and self._due and self._due[0] <= now:
            self._due.pop(0)
            os.write(self.master, b"\x1b[40;100R")
