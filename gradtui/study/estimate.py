"""Estimate how long trainings will take before any of them is started.

The time of a step follows from the plan of the net: so much a call of a layer, a calculation and a number that is kept.
The constants were measured on one core of an EPYC server; how much faster or slower this machine is, its own ended runs
tell. A guess within a factor of two is enough: the question is whether it takes a minute or an hour.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection
from math import prod
from pathlib import Path

import msgspec

from gradtui.experiment import Experiment, ExperimentError, from_dict, net_shape
from gradtui.experiment.memory import FLOAT, examples, memory_of
from gradtui.runs.library import list_runs
from gradtui.training.machine import cores

STEP_SECONDS = 1e-3
CALL_SECONDS = 2e-4
"""A layer's forward and backward pass, its share of the optimizer and of the recording, where it is small."""
CALCULATIONS_A_SECOND = 2e10
NUMBERS_A_SECOND = 6e7
"""The numbers that the forward pass keeps for the backward pass, written and read."""
START_SECONDS = 3.0
"""A trainer imports torch once."""

RECURRENT = frozenset({"rnn", "lstm", "gru"})
ENOUGH_STEPS = 50
"""The steps of a run whose time says something of the machine."""
MOST_RUNS = 20
WITHOUT_FILES = frozenset({"digits", "spirals", "adding", "copy"})
"""Sources of data that are no files: to look at a run must not open a file that its experiment names."""


def training_seconds(experiment: Experiment) -> float:
    """Return the expected time of one training on one core of the machine that was measured.

    Raises ExperimentError where its data cannot be read.
    """
    calls = calculations = 0
    for layer in net_shape(experiment).layers:
        # Of a picture the positions, of a sequence the steps.
        places = prod(layer.output[1:] if len(layer.output) == 3 else layer.output[:-1])
        calls += places if layer.kind in RECURRENT else 1
        calculations += 6 * layer.parameters * places * examples(experiment)
    kept = memory_of(experiment).activations / FLOAT
    step = (
        STEP_SECONDS + CALL_SECONDS * calls + calculations / CALCULATIONS_A_SECOND + kept / NUMBERS_A_SECOND
    )
    return step * experiment.run.steps


def slowness(runs: Path) -> float:
    """Return how many times longer than expected the newest ended runs in a folder took; 1 where there are none."""
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
    """Return the expected time of some trainings side by side on this machine, whose runs lie in a folder.

    None is unknown: the data of one of them cannot be read.
    """
    try:
        alone = sum(map(training_seconds, experiments))
    except (ExperimentError, OSError):
        return None
    return side_by_side(alone * slowness(runs), experiments)


def side_by_side(seconds: float, experiments: Collection[Experiment]) -> float:
    """Return how long trainings take that would take so many seconds one after another."""
    threads = max((experiment.run.threads for experiment in experiments), default=1)
    at_once = max(1, min(cores() // max(1, threads), len(experiments)))
    return START_SECONDS + seconds / at_once
