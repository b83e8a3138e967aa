"""Measure the time from a key to its first changed cell while trainers keep all cores busy."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gradtui.experiment import Experiment, set_fields
from gradtui.runs.reader import open_run
from tests.benchmarks.figures import CannotMeasure, Measured, cores
from tests.benchmarks.home import Home
from tests.benchmarks.lab import attached
from tests.benchmarks.made_runs import deep
from tests.benchmarks.terminal import Terminal, answers_of, seconds_to_answer

SIZE = (200, 50)
LAYERS = 50
MOST_TRAINERS = 8
"""The largest number of trainers, of 200 MB each; below it there is one per core, and at least two."""

STARTING = 60.0
"""Seconds within which every trainer should have taken a step, all of them starting at once."""

UP, DOWN, RIGHT, LEFT, END, TAB = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[F", "\t"

KINDS: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    ("cursor in a list", ("e", TAB), DOWN, UP),
    # The seed, which stands last: it takes effect with the next start, so the training goes on as it is.
    ("change of a value", (END,), RIGHT, LEFT),
    ("cursor in the charts", (TAB, RIGHT), RIGHT, LEFT),
)
"""What a key does, the keys that lead there, the key that does it and the key that takes it back."""


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """Yield the waits for each kind of key; the next key is pressed a moment after the answer is seen."""
    presses, quiet = (8, 0.5) if quick else (100, 1.0)
    experiment = busy()
    folders = [home.train(experiment) for _ in range(max(2, min(cores(), MOST_TRAINERS)))]
    for folder in folders:
        _wait_for_steps(folder)
    all_waits: list[float] = []
    with attached(home, folders[0], SIZE) as terminal:
        medians = []
        for what, ways, there, back in KINDS:
            for key in ways:
                terminal.press(key)
                terminal.stay(0.2)
            waits = _waits(terminal, there, back, presses, quiet)
            medians.append(Measured(f"key to paint, {what}: p50", 1000 * float(np.median(waits)), "ms"))
            all_waits += waits
    p50, p99 = (1000 * float(np.quantile(all_waits, share)) for share in (0.5, 0.99))
    yield Measured("key to paint beside busy trainers: p50", p50, "ms", budget=12)
    yield Measured("key to paint beside busy trainers: p99", p99, "ms", budget=60)
    yield from medians


def _wait_for_steps(folder: Path) -> None:
    run, end = open_run(folder), time.monotonic() + STARTING
    while not run.status.step:
        if time.monotonic() > end:
            raise CannotMeasure(f"a trainer took no step within {STARTING:g} s")
        time.sleep(0.05)


def _waits(terminal: Terminal, there: str, back: str, presses: int, quiet: float) -> list[float]:
    answers = answers_of(terminal, there, back, quiet)
    chance = random.Random(0)
    waits = []
    for index in range(presses):
        waits.append(seconds_to_answer(terminal, (there, back)[index % 2], answers[index % 2]))
        # A random pause, so that keys fall at any moment between two redraws.
        terminal.stay(chance.uniform(0.05, 0.15))
    return waits


def busy() -> Experiment:
    """Return an experiment that takes one core and lasts longer than the measurement.

    With a thread for each core, two trainers would block each other and take two seconds for a step. The net hardly
    learns, so that the charts keep their scale and a cursor in them is always the same cells.
    """
    return set_fields(deep(LAYERS, 100_000), {"run.threads": 1, "optimizer.lr": 1e-7})
