"""Read several places one after the other, and skip those that do not answer.

A folder may be on a file server that does not answer: a thread that reads it waits forever and cannot be interrupted.
So a thread does the reading; if it waits too long, it is abandoned and another one continues with the next place.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

P = TypeVar("P")
R = TypeVar("R")

ANSWER_SECONDS = 2.0
"""The time within which one place has to answer."""
POLL_SECONDS = 0.1


NO_ANSWER = "its file server does not answer"


def answers(path: str | os.PathLike[str], seconds: float = ANSWER_SECONDS) -> bool:
    """Return whether the file server of a path answers within `seconds`; the path may not exist."""
    answered = threading.Event()

    def ask() -> None:
        with contextlib.suppress(OSError, ValueError):
            os.stat(path)
        answered.set()

    threading.Thread(target=ask, name="gradtui-ask", daemon=True).start()
    return answered.wait(seconds)


class BoundedReads(Generic[P, R]):
    """A BoundedReads remembers which places do not answer, and does not ask them again while they still keep a thread.

    Args:
        read: reads one place; it must not raise.
        seconds: the time within which it has to answer.
    """

    def __init__(self, read: Callable[[P], R], seconds: float = ANSWER_SECONDS) -> None:
        self._read = read
        self._seconds = seconds
        self._silent: set[P] = set()

    def results(self, places: Sequence[P]) -> Iterator[tuple[P, R | None]]:
        """Yield each place with what reading it gives, or with None where it does not answer."""
        asked = [place for place in places if place not in self._silent]
        yield from ((place, None) for place in places if place in self._silent)
        at = 0
        while at < len(asked):
            reading = _ReaderThread(self._read, asked[at:], self._silent)
            done = reading.wait(self._seconds)
            yield from zip(asked[at : at + len(done)], done, strict=True)
            at += len(done)
            if at < len(asked):
                # The thread still waits for this one.
                yield asked[at], None
                at += 1


class _ReaderThread(Generic[P, R]):
    """A _ReaderThread reads places in a thread until one of them takes too long."""

    def __init__(self, read: Callable[[P], R], places: Sequence[P], silent: set[P]) -> None:
        self._read, self._places, self._silent = read, places, silent
        self._results: list[R] = []
        self._began = time.monotonic()
        self._left = False
        self._lock = threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="gradtui-list", daemon=True).start()

    def _run(self) -> None:
        for place in self._places:
            self._began = time.monotonic()
            result = self._read(place)
            with self._lock:
                if self._left:
                    # It has answered at last.
                    self._silent.discard(place)
                    return
                self._results.append(result)
        self._ended.set()

    def wait(self, seconds: float) -> list[R]:
        """Return the results of all places, or of those before one that has not answered for `seconds`."""
        while not self._ended.wait(POLL_SECONDS):
            with self._lock:
                late = time.monotonic() - self._began > seconds
                if late and len(self._results) < len(self._places):
                    self._left = True
                    self._silent.add(self._places[len(self._results)])
                    break
        return self._results
