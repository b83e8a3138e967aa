"""Do the disk work of a key: at once if the disk answers, in the background if it does not."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

from textual.screen import Screen

T = TypeVar("T")

ANSWER_SECONDS = 0.25
"""The time for which a key waits for the disk. If a file server is slower, the result comes later."""


class DiskWork:
    """DiskWork does the disk work of one screen, so that no key waits for a dead file server.

    Args:
        screen: the screen whose keys need the disk.
        say: shows one line while the disk does not answer; by default a notification, which no dialog shows.
    """

    def __init__(self, screen: Screen[Any], say: Callable[[str], None] | None = None) -> None:
        self._screen = screen
        self._say = say or partial(screen.notify, timeout=3)
        self._waiting = False

    def look(self, work: Callable[[], T], then: Callable[[T], object]) -> None:
        """Do the work of a key that only asks, as each letter of a path does; do nothing while the disk is silent."""
        if not self._waiting:
            self.do(work, then)

    def do(self, work: Callable[[], T], then: Callable[[T], object]) -> None:
        """Call `work` in a thread, then `then` with its result in the app's thread, usually before this returns.

        While earlier work still waits for the disk, notify the person and do nothing. An error of `work` is raised
        here, or ends the app, as if `work` had been called directly. `then` is left out if the screen was left.
        """
        if self._waiting:
            self._say("The disk does not answer. Nothing was done.")
            return
        job = _Job(work)
        if job.done.wait(ANSWER_SECONDS):
            then(job.result())
            return
        self._waiting = True
        self._say("waiting for the disk …")
        app = self._screen.app

        def finish() -> None:
            self._waiting = False
            result = job.result()
            if self._screen.is_attached:
                then(result)

        def await_end() -> None:
            job.done.wait()
            with contextlib.suppress(RuntimeError):
                # The person may have left the app meanwhile.
                app.call_from_thread(finish)

        threading.Thread(target=await_end, name="gradtui-disk", daemon=True).start()


def answer(ask: Callable[[], T], otherwise: T) -> T:
    """Return what asking the disk gives, or something else where it does not answer at once."""
    job = _Job(ask)
    return job.result() if job.done.wait(ANSWER_SECONDS) else otherwise


def leave(work: Callable[[], None]) -> None:
    """Do what ends with a screen. Where the disk does not answer, or a thread waits for it, it is left behind."""
    answer(work, None)


class _Job(Generic[T]):
    """A _Job is one piece of work in a separate thread, which never keeps the process from ending."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.done = threading.Event()
        self._work = work
        self._results: list[T] = []
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name="gradtui-disk", daemon=True).start()

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as error:
            self._error = error
        self.done.set()

    def result(self) -> T:
        """Return the result of the work, or raise its error."""
        if self._error is not None:
            raise self._error
        return self._results[0]
