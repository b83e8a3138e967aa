"""Measure the lab while a run grows: the share of a core that painting takes, and how often it redraws."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

from tests.benchmarks.figures import Measured
from tests.benchmarks.home import Home
from tests.benchmarks.lab import attached, step_of
from tests.benchmarks.made_runs import growing_run
from tests.benchmarks.processes import cpu_seconds
from tests.benchmarks.terminal import watch

SIZE = (200, 50)
LAYERS = 50
RATE = 200
"""Steps a second: every redraw finds new ones."""
ASKED = (10, 20)
"""Redraws a second: the default, and the largest setting."""


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """Yield the CPU time of two labs that run at once, at ten and at twenty redraws a second.

    Each run is written as often as it is to be drawn, because nothing is drawn where nothing is new. (A trainer's
    writer commits ten times a second.)
    """
    with ExitStack() as stack:
        labs = {}
        for asked in ASKED:
            folder, _ = stack.enter_context(growing_run(home, layers=LAYERS, rate=RATE, commits=asked))
            labs[asked] = stack.enter_context(attached(home, folder, SIZE, redraws=asked))
        # The first was not read while the second opened, so its output may still be waiting.
        for _ in watch(list(labs.values()), 0.3):
            pass
        began, before = time.perf_counter(), [cpu_seconds(lab.process.pid) for lab in labs.values()]
        shown = {lab: [step_of(lab.screen)] for lab in labs.values()}
        for lab in watch(list(shown), 1.2 if quick else 10.0):
            if (step := step_of(lab.screen)) != shown[lab][-1]:
                shown[lab].append(step)
        passed = time.perf_counter() - began
        used = [cpu_seconds(lab.process.pid) - then for lab, then in zip(shown, before, strict=True)]
    for asked, seconds, steps in zip(labs, used, shown.values(), strict=True):
        budget = 20 if asked == 10 else None
        yield Measured(f"live lab, {asked} redraws a second", 100 * seconds / passed, "% of a core", budget)
        # A tenth may be lost, because a redraw waits for the one before it.
        reached = (len(steps) - 1) / passed
        yield Measured(
            f"redraws reached of {asked} a second", reached, "a second", 0.9 * asked, at_least=True
        )
