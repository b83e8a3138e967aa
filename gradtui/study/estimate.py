"""Estimate how long trainings will take before any of them is started.

The time of a step follows from the plan of the net: the calls of layers, the calculations and the numbers that are kept
have fixed costs. These were measured on one core of an EPYC server; the ended runs of this machine show how much faster
or slower it is. An estimate within a factor of two is enough to tell a minute from an hour.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection
from pathlib import Path

import msgspec

from gradtui.experiment import Experiment, ExperimentError, from_dict, net_shape
from gradtui.experiment.memory import FLOAT, examples, memory_of
from gradtui.experiment.net_plan import RECURRENT
from gradtui.runs.library import list_runs
from gradtui.training.machine import cores

STEP_SECONDS = 1e-3
CALL_SECONDS = 2e-4
"""The cost of a small layer: its forward and backward pass and its share of the optimizer and the recording."""
CALCULATIONS_A_SECOND = 2e10
NUMBERS_A_SECOND = 6e7
"""How many numbers per second the forward pass keeps for the backward pass, written and read."""
START_SECONDS = 3.0
"""The time in which a trainer imports torch."""

ENOUGH_STEPS = 50
"""The least steps of a run by which the speed of the machine is judged."""
MOST_RUNS = 20
WITHOUT_FILES = frozenset({"digits", "spirals", "adding", "copy"})
"""The sources of data that are no files. Showing a run must not open a file that its experiment names."""


def training_seconds(experiment: Experiment) -> float:
    """Return the expected time of one training on one core of the machine that was measured.

    Raises ExperimentError if its data cannot be read.
    """
    calls = calculations = 0
    for layer in net_shape(experiment).layers:
        calls += layer.places if layer.kind in RECURRENT else 1
        calculations += 6 * layer.parameters * layer.places * examples(experiment)
    kept = memory_of(experiment).activations / FLOAT
    step = (
        STEP_SECONDS + CALL_SECONDS * calls + calculations / CALCULATIONS_A_SECOND + kept / NUMBERS_A_SECOND
    )
    return step * experiment.run.steps


def slowness(runs: Path) -> float:
    """Return the time of the newest ended runs in a folder ÷ their expected time; 1 if there are none."""
    found: list[float] = []
    for info in list_runs(runs):
        seconds = info.summary.seconds
        if info.status.state != "finished" or info.steps < ENOUGH_STEPS or not seconds or not info.experiment:
            continue
        try:
            experiment = from_dict(dict(info.experiment))
            if experiment.data.source not in WITHOUT_FILES:
                continue
            planned = msgspec.structs.replace(experiment.run, steps=info.steps)
            found.append(seconds / training_seconds(msgspec.structs.replace(experiment, run=planned)))
        except (ExperimentError, OSError):
            continue
        if len(found) == MOST_RUNS:
            break
    return statistics.median(found) if found else 1.0


def study_seconds(experiments: Collection[Experiment], runs: Path) -> float | None:
    """Return the expected time of trainings side by side on this machine, whose runs are in a folder.

    Returns None if the data of one of them cannot be read.
    """
    try:
        alone = sum(map(training_seconds, experiments))
    except (ExperimentError, OSError):
        return None
    return side_by_side(alone * slowness(runs), experiments)


def side_by_side(seconds: float, experiments: Collection[Experiment]) -> float:
    """Return the time of trainings side by side, given their times one after another."""
    threads = max((experiment.run.threads for experiment in experiments), default=1)
    at_once = max(1, min(cores() // max(1, threads), len(experiments)))
    return START_SECONDS + seconds / at_once
