"""From a step's record to a viewer's eyes, through the run folder and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gradtui.bench.growing import growing
from gradtui.bench.home import Home
from gradtui.bench.lab import attached, step_of
from gradtui.bench.measured import Measured
from gradtui.bench.processes import cpu_seconds
from gradtui.bench.terminal import Terminal, watch
from gradtui.runs.follower import Follower
from gradtui.runs.reader import open_run

RATE = 1000
"""Steps a second: faster than most trainings, and many rows to each look."""
LAYERS = 50
PACE = 0.097
"""Seconds between two looks: a little less than between two of the writer's, so that they do not keep step."""
SIZE = (120, 36)


class Seen(NamedTuple):
    """When a viewer knew of which step."""

    moment: float
    """Seconds since the epoch, which is the clock of the rows."""
    step: int


@dataclass
class Viewers:
    """Who knew what when."""

    followed: list[Seen]
    """A follower, which is what every screen reads through."""
    shown: list[Seen]
    """The lab's first line, as the terminal received it."""
    reading: float
    """CPU seconds of the follower."""


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """A follower and the lab look at the same run. Every step counts: those that just missed a look as well."""
    seconds = 1.2 if quick else 15.0
    with (
        growing(home, layers=LAYERS, rate=RATE) as (folder, writer),
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
    """Follow the run, and between two looks read what the lab says of it."""
    follower = Follower(open_run(folder))
    follower.poll()
    viewers = Viewers([], [], 0.0)
    # The terminal's moments are of another clock.
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
    """p50 and p99 in milliseconds over all steps between the first and the last look."""
    recorded = open_run(folder).table("scalars").read(0)
    waits = 1000 * waited(recorded["step"].astype(np.int64), recorded["time"], seen)
    return float(np.quantile(waits, 0.5)), float(np.quantile(waits, 0.99))


def waited(
    steps: npt.NDArray[np.int64], times: npt.NDArray[np.float64], seen: list[Seen]
) -> npt.NDArray[np.float64]:
    """Seconds from the record of each step to the first look that knew of it; the first look counts for none."""
    known, moments = np.array([look.step for look in seen]), np.array([look.moment for look in seen])
    between = (steps > known[0]) & (steps <= known[-1])
    return np.asarray(moments[np.searchsorted(known, steps[between])] - times[between])
