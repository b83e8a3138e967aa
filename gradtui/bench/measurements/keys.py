"""From a key to its first changed cell, while trainers take all that the machine has."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gradtui.bench.answers import answers_of, seconds_to
from gradtui.bench.errors import CannotMeasure
from gradtui.bench.home import Home
from gradtui.bench.lab import attached
from gradtui.bench.machine import cores
from gradtui.bench.made import deep
from gradtui.bench.measured import Measured
from gradtui.bench.terminal import Terminal
from gradtui.experiment import Experiment, set_fields
from gradtui.runs.reader import open_run

SIZE = (200, 50)
LAYERS = 50
MOST_TRAINERS = 8
"""One a core, and two on a machine of one, but no more than this: each holds 200 MB."""

STARTING = 60.0
"""Seconds in which any trainer should have taken a step, all of them starting at once."""

UP, DOWN, RIGHT, LEFT, END, TAB = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[F", "\t"

KINDS: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    ("cursor in a list", ("e", TAB), DOWN, UP),
    # The seed, which stands last: it takes effect with the next start, so the training goes on as it is.
    ("change of a value", (END,), RIGHT, LEFT),
    ("cursor in the charts", (TAB, RIGHT), RIGHT, LEFT),
)
"""What is done, the keys that lead there, and the two that do it and take it back."""


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """Each kind as often as the others; a person who sees the answer presses the next key after a moment."""
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
        waits.append(seconds_to(terminal, (there, back)[index % 2], answers[index % 2]))
        # At no fixed moment between two redraws.
        terminal.stay(chance.uniform(0.05, 0.15))
    return waits


def busy() -> Experiment:
    """A training that takes a core, and outlasts the measurement.

    With a thread for each core two trainers would stand in each other's way, and take two seconds for a step. It
    hardly learns, so that the charts keep their scale and a cursor in them is the same cells each time.
    """
    return set_fields(deep(LAYERS, 100_000), {"run.threads": 1, "optimizer.lr": 1e-7})
