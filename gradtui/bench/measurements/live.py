"""What the lab costs while a run grows: the painting process's share of a core, and how often it redraws."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

from gradtui.bench.growing import growing
from gradtui.bench.home import Home
from gradtui.bench.lab import attached, step_of
from gradtui.bench.measured import Measured
from gradtui.bench.processes import cpu_seconds
from gradtui.bench.terminal import watch

SIZE = (200, 50)
LAYERS = 50
RATE = 200
"""Steps a second: every redraw finds some."""
ASKED = (10, 20)
"""Redraws a second: what the app does by itself, and the most that it can be told to."""


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """At ten redraws a second and at twenty, both labs at once: it is their own time that counts.

    A run is written as often as it is to be drawn. A trainer's writer does so ten times a second, and where nothing
    is new, nothing is drawn.
    """
    with ExitStack() as stack:
        labs = {}
        for asked in ASKED:
            folder, _ = stack.enter_context(growing(home, layers=LAYERS, rate=RATE, commits=asked))
            labs[asked] = stack.enter_context(attached(home, folder, SIZE, redraws=asked))
        # One of them was not read while the other opened, and may have something to say still.
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
        # A tenth may be lost: a redraw waits for the one before it.
        reached = (len(steps) - 1) / passed
        yield Measured(
            f"redraws reached of {asked} a second", reached, "a second", 0.9 * asked, at_least=True
        )
