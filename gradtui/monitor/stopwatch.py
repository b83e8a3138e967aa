"""Whose time it is: the script's, or ours, and then for what."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Literal

Purpose = Literal["training", "rows", "looks", "setup"]


class Stopwatch:
    """Goes all the time, for one purpose after another. `with stopwatch.on("rows"):` counts what is inside as
    that, and then goes on for what it was on before.

    By the clock on the wall, not the processor's: what a script waits for its data is part of its steps too.
    """

    def __init__(self) -> None:
        self._seconds: dict[Purpose, float] = {"training": 0.0, "rows": 0.0, "looks": 0.0, "setup": 0.0}
        self._purpose: Purpose = "training"
        self._since = self._lap = time.perf_counter()
        self._spans = {purpose: _Span(self, purpose) for purpose in self._seconds}

    def on(self, purpose: Purpose) -> _Span:
        """A context for that purpose."""
        return self._spans[purpose]

    def switch(self, purpose: Purpose) -> Purpose:
        """Go on for another purpose; returns the one before."""
        now = time.perf_counter()
        before = self._purpose
        self._seconds[before] += now - self._since
        self._since, self._purpose = now, purpose
        return before

    @property
    def running(self) -> float:
        """Seconds since the last lap."""
        return time.perf_counter() - self._lap

    def lap(self) -> dict[Purpose, float]:
        """Seconds of each purpose since the last lap."""
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
