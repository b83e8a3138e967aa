"""Run the work of an app in threads that never keep its process from ending.

Python and asyncio wait for the threads of an ordinary pool, so a thread that hangs in a file system that does not
answer would keep a person who has left the app from getting the prompt.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

LAST_SECONDS = 1.0
"""The time that unfinished work gets at the end."""


class DaemonThreads(ThreadPoolExecutor):
    """A DaemonThreads is an executor that asyncio accepts for the blocking calls of its loop."""

    def __init__(self, max_workers: int) -> None:
        super().__init__(max_workers)
        self._most = max_workers
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._counting = threading.Lock()
        self._threads_started = 0
        self._waiting = 0
        """The number of idle threads minus the amount of waiting work."""
        self._under_way = 0
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function in a thread. Raises RuntimeError after `shutdown`."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._counting:
            if self._closed:
                raise RuntimeError("the app has ended")
            self._under_way += 1
            self._waiting -= 1
            if self._waiting < 0 and self._threads_started < self._most:
                self._threads_started += 1
                self._waiting += 1
                name = f"gradtui_{self._threads_started}"
                threading.Thread(target=self._serve, name=name, daemon=True).start()
        self._work.put(run)
        return future

    def _serve(self) -> None:
        while (run := self._work.get()) is not None:
            run()
            with self._counting:
                self._under_way -= 1
                self._waiting += 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more work, and wait a moment for unfinished work."""
        with self._counting:
            self._closed = True
            threads = self._threads_started
        for _ in range(threads):
            self._work.put(None)
        end = time.monotonic() + LAST_SECONDS
        while wait and self._under_way > 0 and time.monotonic() < end:
            time.sleep(0.005)
