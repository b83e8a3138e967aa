"""The stopwatch tells the time of the training from the time that recording takes."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Literal

Purpose = Literal["training", "recording", "sampling", "setup"]
"""`recording`: what is measured at every step; `sampling`: at some steps, as update ratios; `setup`: once."""


class Stopwatch:
    """A Stopwatch runs all the time, for one purpose after another.

    `with stopwatch.on("recording"):` counts the time inside for that purpose, and then continues with the purpose
    before. It reads the wall clock, not the processor's: the time for which a script waits for its data is part of
    its steps too.
    """

    def __init__(self) -> None:
        self._seconds: dict[Purpose, float] = {
            "training": 0.0,
            "recording": 0.0,
            "sampling": 0.0,
            "setup": 0.0,
        }
        self._purpose: Purpose = "training"
        self._since = self._lap = time.perf_counter()
        self._spans = {purpose: _Span(self, purpose) for purpose in self._seconds}

    def on(self, purpose: Purpose) -> _Span:
        """Return a context manager that counts the time inside for a purpose."""
        return self._spans[purpose]

    def switch(self, purpose: Purpose) -> Purpose:
        """Continue for another purpose, and return the one before."""
        now = time.perf_counter()
        before = self._purpose
        self._seconds[before] += now - self._since
        self._since, self._purpose = now, purpose
        return before

    @property
    def lap_seconds(self) -> float:
        """Return the seconds since the last lap."""
        return time.perf_counter() - self._lap

    def lap(self) -> dict[Purpose, float]:
        """Begin a lap, and return the seconds of each purpose in the lap that ends."""
        self.switch(self._purpose)
        self._lap = self._since
        seconds, self._seconds = self._seconds, dict.fromkeys(self._seconds, 0.0)
        return seconds


class _Span:
    def __init__(self, stopwatch: Stopwatch, purpose: Purpose) -> None:
        self._stopwatch = stopwatch
        self._purpose = purpose
        self._before: list[Purpose] = []

    def __enter__(self) -> None:
        self._before.append(self._stopwatch.switch(self._purpose))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopwatch.switch(self._before.pop())
