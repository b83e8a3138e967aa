"""Test the loop of a reading thread: `wake` and `close` take effect at once."""

from __future__ import annotations

import threading
import time

from gradtui.ui.reader_loop import ReaderLoop

HOURS = 3600.0


def started(
    loop: ReaderLoop, cancelled: threading.Event | None = None
) -> tuple[threading.Thread, list[float]]:
    """A thread in the loop, and when it read."""
    readings: list[float] = []
    stop = cancelled or threading.Event()

    def read() -> None:
        for _ in loop.rounds(stop.is_set, lambda: HOURS):
            readings.append(time.monotonic())  # noqa: PERF401 - the test looks at the list meanwhile

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread, readings


def until(readings: list[float], count: int) -> None:
    end = time.monotonic() + 10
    while len(readings) < count:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_it_reads_at_once_and_again_when_it_is_woken() -> None:
    loop = ReaderLoop()
    thread, readings = started(loop)
    until(readings, 1)
    loop.wake()
    until(readings, 2)
    assert thread.is_alive()
    loop.close()
    thread.join(10)


def test_close_ends_a_sleeping_thread() -> None:
    loop = ReaderLoop()
    thread, readings = started(loop)
    until(readings, 1)
    loop.close()
    thread.join(10)
    assert not thread.is_alive()
    assert loop.closed
    assert len(readings) == 1


def test_a_close_during_a_reading_is_not_slept_through() -> None:
    loop = ReaderLoop()
    for _ in loop.rounds(lambda: False, lambda: HOURS):
        loop.close()


def test_a_cancelled_worker_ends_the_loop_when_it_is_woken() -> None:
    loop, cancelled = ReaderLoop(), threading.Event()
    thread, readings = started(loop, cancelled)
    until(readings, 1)
    cancelled.set()
    loop.wake()
    thread.join(10)
    assert not thread.is_alive()
