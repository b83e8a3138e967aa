"""Keep what a watched script prints in the log of its runs, without changing anything of its streams.

The `write` of `sys.stdout` and of `sys.stderr` is wrapped, on the very objects that the script uses: they keep their
type, their descriptor, their buffering and whether they are a terminal, and every call returns or raises what it would
have. A pipe or a pseudo-terminal between the script and its terminal would see more, such as the words of C libraries
and of child processes. But scripts look at what their streams are, and would print other things in another order.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradtui.runs.folder import LOG_FILE, size_of
from gradtui.runs.safe_files import append, replacing

MOST_BYTES = 1 << 20
"""The most bytes of a log; of a longer one the newest half is kept."""
LONGEST_WRITE = 1 << 16
"""The most characters of one write that are kept, its last ones."""
MOST_WAITING = 20_000
"""The most writes that wait for the thread; of more the oldest are lost."""
SECONDS_BETWEEN_WRITES = 0.3


class OutputLog:
    """An OutputLog takes the text of both streams, and writes whole lines of it to runs, in a thread of its own."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._waiting: deque[tuple[int, str]] = deque(maxlen=MOST_WAITING)
        self._partial = ["", ""]
        """The line that each stream has not ended yet."""
        self._runs: list[tuple[Path, Callable[[], bool]]] = []
        self._wrapped: list[tuple[Any, Any]] = []
        self._writing = threading.Lock()
        self._ended = threading.Event()

    def keep_for(self, run: Path, is_open: Callable[[], bool]) -> None:
        """Write to a run as long as `is_open` says so. The first call wraps the streams."""
        self._runs.append((run, is_open))
        if len(self._runs) == 1 and not self._wrapped:
            for number, stream in enumerate((sys.stdout, sys.stderr)):
                self._wrap(number, stream)
            threading.Thread(target=self._work, name="gradtui-output", daemon=True).start()
            atexit.register(self.end)

    def end(self) -> None:
        """Give the streams back, and write what waits."""
        if self._ended.is_set() or os.getpid() != self._process:
            return
        self._ended.set()
        for stream, write in self._wrapped:
            # Another wrapper that was put around this one keeps it, and is left alone.
            with contextlib.suppress(AttributeError):
                if vars(stream).get("write") is write:
                    del stream.write
        self._flush(last=True)

    def _wrap(self, number: int, stream: Any) -> None:
        """Take a copy of what is written to a stream; nothing is done where it does not let its write be replaced."""
        original = getattr(stream, "write", None)
        if original is None or (number and stream is sys.stdout):
            return
        waiting, process, ended = self._waiting, self._process, self._ended

        def write(*args: Any, **kwargs: Any) -> Any:
            done = original(*args, **kwargs)
            # No lock: a signal's handler or a destructor may print in the middle of this.
            if args and type(args[0]) is str and not ended.is_set() and os.getpid() == process:
                waiting.append((number, args[0][-LONGEST_WRITE:]))
            return done

        with contextlib.suppress(AttributeError, TypeError):
            stream.write = write
            self._wrapped.append((stream, write))

    def _work(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_WRITES):
            self._flush()

    def _flush(self, *, last: bool = False) -> None:
        with self._writing:
            lines = self._take_lines(last=last)
            self._runs = [(run, is_open) for run, is_open in self._runs if last or is_open()]
            if lines:
                content = "".join(f"{line}\n" for line in lines).encode(errors="replace")
                # A disk that is full or gone is told by the recording itself.
                for run, _ in self._runs:
                    with contextlib.suppress(OSError):
                        _add(run / LOG_FILE, content)

    def _take_lines(self, *, last: bool) -> list[str]:
        """Return the lines that have ended. Of a line that was painted over, as progress bars are, the last state."""
        lines = []
        while self._waiting:
            number, text = self._waiting.popleft()
            *ended, self._partial[number] = (self._partial[number] + text).split("\n")
            lines += ended
            self._partial[number] = _as_seen(self._partial[number], ended=False)
        if last:
            lines += [line for line in self._partial if line]
            self._partial = ["", ""]
        return [_as_seen(line) for line in lines]


def _as_seen(line: str, *, ended: bool = True) -> str:
    """Return what is seen of a line after its carriage returns; one at the end of a line has covered nothing yet."""
    text = line.rstrip("\r")
    shown = text[text.rfind("\r") + 1 :][-LONGEST_WRITE:]
    return shown if ended or text == line else f"{shown}\r"


def _add(path: Path, content: bytes) -> None:
    """Append to a log, and cut it to its newest half where it is too long. Raises OSError."""
    append(path, content)
    if size_of(path) > MOST_BYTES:
        with open(path, "rb") as file:
            file.seek(-MOST_BYTES // 2, os.SEEK_END)
            file.readline()
            newest = file.read()
        with replacing(path) as draft:
            draft.write(newest)
