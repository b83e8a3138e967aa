"""Measure the time from the record of a step to a viewer, through the run folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gradtui.runs.follower import Follower
from gradtui.runs.reader import open_run
from tests.benchmarks.figures import Measured
from tests.benchmarks.home import Home
from tests.benchmarks.lab import attached, step_of
from tests.benchmarks.made_runs import growing_run
from tests.benchmarks.processes import cpu_seconds
from tests.benchmarks.terminal import Terminal, watch

RATE = 1000
"""Steps a second: faster than most trainings, so that each poll finds many rows."""
LAYERS = 50
PACE = 0.097
"""Seconds between two polls: a little less than between two commits of the writer, so that they drift apart."""
SIZE = (120, 36)


class Seen(NamedTuple):
    """The moment at which a viewer knew of a step."""

    moment: float
    """Seconds since the epoch, which is the clock of the rows."""
    step: int


@dataclass
class Viewers:
    """What each viewer knew, and when."""

    followed: list[Seen]
    """What a follower knew: every screen reads through one."""
    shown: list[Seen]
    """What the lab's first line showed, as the terminal received it."""
    reading: float
    """CPU seconds of the follower."""


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """Follow one run with a follower and with the lab; every step counts, also those that just missed a poll."""
    seconds = 1.2 if quick else 15.0
    with (
        growing_run(home, layers=LAYERS, rate=RATE) as (folder, writer),
        attached(home, folder, SIZE) as terminal,
    ):
        before, began = cpu_seconds(writer), time.perf_counter()
        viewers = _look_on(folder, terminal, seconds)
        passed = time.perf_counter() - began
        writing = cpu_seconds(writer) - before
        for name, seen in (("follower", viewers.followed), ("screen", viewers.shown)):
            p50, p99 = _quantiles(folder, seen)
            yield Measured(f"step to {name}: p50", p50, "ms", budget=150)
            yield Measured(f"step to {name}: p99", p99, "ms", budget=250)
    core = "% of a core"
    yield Measured(f"writer at {RATE:,} steps a second", 100 * writing / passed, core, budget=8)
    yield Measured(f"reader at {RATE:,} steps a second", 100 * viewers.reading / passed, core, budget=8)


def _look_on(folder: Path, terminal: Terminal, seconds: float) -> Viewers:
    """Poll the follower, and read the lab's terminal between two polls."""
    follower = Follower(open_run(folder))
    follower.poll()
    viewers = Viewers([], [], 0.0)
    # The terminal's moments are read from another clock.
    offset = time.time() - time.perf_counter()
    due = time.perf_counter()
    end = due + seconds
    while due < end:
        busy = time.thread_time()
        snapshot = follower.poll()
        viewers.reading += time.thread_time() - busy
        if snapshot is not None:
            viewers.followed.append(Seen(time.time(), snapshot.step))
        due += PACE
        for _ in watch([terminal], due - time.perf_counter()):
            step = step_of(terminal.screen)
            if not viewers.shown or step != viewers.shown[-1].step:
                viewers.shown.append(Seen(terminal.moment + offset, step))
    return viewers


def _quantiles(folder: Path, seen: list[Seen]) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds over all steps between the first and the last poll."""
    recorded = open_run(folder).table("scalars").read(0)
    waits = 1000 * waited(recorded["step"].astype(np.int64), recorded["time"], seen)
    return float(np.quantile(waits, 0.5)), float(np.quantile(waits, 0.99))


def waited(
    steps: npt.NDArray[np.int64], times: npt.NDArray[np.float64], seen: list[Seen]
) -> npt.NDArray[np.float64]:
    """Return the seconds from the record of each step to the first poll that knew of it, after the first poll."""
    known, moments = np.array([look.step for look in seen]), np.array([look.moment for look in seen])
    between = (steps > known[0]) & (steps <= known[-1])
    return np.asarray(moments[np.searchsorted(known, steps[between])] - times[between])
