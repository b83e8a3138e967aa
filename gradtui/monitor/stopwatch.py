"""Separate the time of the training from the time that recording takes."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from statistics import median
from types import TracebackType
from typing import Literal

import torch

from gradtui.probe.sampling_budget import clock_of

Purpose = Literal["training", "recording", "sampling", "setup"]
"""`recording` is what is measured at every step, `sampling` at some steps (as update ratios), and `setup` only once."""

WAITS_FILE = "/proc/thread-self/schedstat"
"""Where Linux tells for how many nanoseconds this thread was ready to run while other programs had the processor."""
WAITS_SECONDS = 0.25
"""The file is read once in that time at most: to open it takes as long as measuring a few gradients."""


TIMED_STEP = 16
"""One step in so many has its hooks timed: they are too short to be timed at every step."""


class HookCosts:
    """HookCosts estimates the time of the hooks that run at every step, recorded or not."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._timing = False
        self._steps = 0
        self._of_step = 0.0
        self._timed: deque[float] = deque(maxlen=15)

    @property
    def seconds(self) -> float:
        """Return the seconds of all steps so far."""
        return self._steps * median(self._timed) if self._timed else 0.0

    def begin(self) -> float:
        """Return the time at which a hook begins, 0.0 where the step is not timed."""
        return self._clock() if self._timing else 0.0

    def end(self, begin: float) -> None:
        """Count a hook that began at that time."""
        if begin:
            self._of_step += self._clock() - begin

    def end_step(self) -> None:
        """Note that a step has ended."""
        if self._timing:
            self._timed.append(self._of_step)
            self._of_step = 0.0
        self._steps += 1
        self._timing = self._steps % TIMED_STEP == 1


class Stopwatch:
    """A Stopwatch runs all the time, for one purpose after another.

    `with stopwatch.on("recording"):` counts the time inside for that purpose, and then continues with the purpose
    before. On the CPU our own work is counted in the processor's time: on a busy machine the wall clock would count
    what other programs did meanwhile. A device has to be waited for, so there it is the wall clock.

    The training's time is that of the wall clock, for the time in which a script waits for its data is part of its
    steps too; only the time in which other programs had the processor is left out, where the system tells it.
    """

    def __init__(self, device: torch.device) -> None:
        """`device` is that of the training."""
        self._clock = clock_of(device)
        self._waits = None if self._clock is time.perf_counter else _ProcessorWaits()
        self.hooks = HookCosts(self._clock)
        """The hooks that run without a purpose of this stopwatch, as switching takes about as long as they do."""
        self._owed = 0.0
        """Seconds of waiting that are still to be taken from the training's time."""
        self._own: dict[Purpose, float] = {"recording": 0.0, "sampling": 0.0, "setup": 0.0}
        self._purpose: Purpose = "training"
        self._thread = threading.get_ident()
        self._since = self._clock()
        self._lap = time.perf_counter()
        purposes: tuple[Purpose, ...] = ("training", "recording", "sampling", "setup")
        self._spans = {purpose: _Span(self, purpose) for purpose in purposes}

    def on(self, purpose: Purpose) -> _Span:
        """Return a context manager that counts the time inside for a purpose."""
        return self._spans[purpose]

    def switch(self, purpose: Purpose) -> Purpose:
        """Continue for another purpose, and return the one before."""
        now, thread = self._clock(), threading.get_ident()
        before = self._purpose
        # The processor's time of one thread says nothing about another one that calls in between.
        if before != "training" and thread == self._thread:
            self._own[before] += now - self._since
        self._since, self._purpose, self._thread = now, purpose, thread
        return before

    @property
    def lap_seconds(self) -> float:
        """Return the seconds since the last lap."""
        return time.perf_counter() - self._lap

    def lap(self) -> dict[Purpose, float]:
        """Begin a new lap, and return the seconds of each purpose in the old one."""
        self.switch(self._purpose)
        now = time.perf_counter()
        own, self._own = self._own, dict.fromkeys(self._own, 0.0)
        if self._waits is not None:
            self._owed += self._waits.since_last(now)
        training = max(0.0, now - self._lap - sum(own.values()))
        taken = min(training, self._owed)
        self._owed -= taken
        self._lap = now
        return {"training": training - taken, **own}


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


class _ProcessorWaits:
    """_ProcessorWaits tells for how long this thread had to wait for a processor."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._seconds = _waited()
        self._read = time.perf_counter()

    def since_last(self, now: float) -> float:
        """Return the seconds of waiting that are known and were not yet returned; mostly 0, as it is seldom read."""
        if now - self._read < WAITS_SECONDS or self._seconds is None:
            return 0.0
        self._read = now
        before, thread = self._seconds, self._thread
        self._seconds, self._thread = _waited(), threading.get_ident()
        return 0.0 if self._seconds is None or self._thread != thread else self._seconds - before


def _waited() -> float | None:
    """Return the seconds that this thread has waited in all; None where the system does not tell."""
    try:
        with open(WAITS_FILE, "rb") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None
