"""Run the loop of a reader's thread, which reads a folder repeatedly and sleeps in between until it is woken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator


class ReaderLoop:
    """A ReaderLoop lets a reading thread sleep between two readings, and ends it at once when it is closed.

    An app ends only when its threads have ended, so a screen must be able to end a sleeping thread when it is left.
    """

    def __init__(self) -> None:
        self._woken = threading.Event()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Return whether `close` was called."""
        return self._closed

    def wake(self) -> None:
        """Read at once instead of sleeping on. May be called from any thread."""
        self._woken.set()

    def close(self) -> None:
        """End the loop after the reading that it is in."""
        self._closed = True
        self._woken.set()

    def rounds(self, cancelled: Callable[[], bool], pause: Callable[[], float]) -> Iterator[None]:
        """Yield once for each reading, until the loop is closed or cancelled.

        Args:
            cancelled: returns whether the worker of the thread was cancelled.
            pause: returns how many seconds to sleep; called after each reading.
        """
        while not (self._closed or cancelled()):
            self._woken.clear()
            yield
            # Check again, since a close before the event was cleared would otherwise be missed.
            if not self._closed:
                self._woken.wait(pause())
