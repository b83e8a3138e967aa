"""Train cures for a few dozen steps each, and rank them by the results.

The first step of a trial measures one batch at the start and so finds a cure whose gradient still vanishes or explodes;
the loss of the last steps ranks the others.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from gradtui.diagnosis.findings import CureOffer
from gradtui.diagnosis.profile import over_depth
from gradtui.diagnosis.reading import evidence_of
from gradtui.diagnosis.thresholds import EXPLODING_DECADES, VANISHING_DECADES
from gradtui.experiment import Experiment, set_fields
from gradtui.runs.errors import RunError
from gradtui.runs.reader import open_run
from gradtui.study.engines import Engine, Load, TrainerProcess, memory_estimate
from gradtui.study.repair_limits import TRIAL_SECONDS
from gradtui.training.launch import create_run

TRIAL_STEPS = 40
"""The most steps of a trial; it is a quarter of the experiment's own steps if that is less."""
TRIAL_SHARE = 0.25
FEWEST_TRIAL_STEPS = 10
COMPARED_STEPS = 5
"""The loss at the end of a trial is the median over this many steps."""
CLEARLY_LOWER = 0.8
"""The first advice is replaced by a cure whose loss is below this share of its own; a short trial cannot decide smaller
differences."""
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class CureTrial:
    """A CureTrial is a cure with the results of a few steps."""

    cure: CureOffer
    steps: int
    """The steps that were taken; 0 if there was no time for any."""
    first_loss: float
    last_loss: float
    start: float
    """The decades from the last to the first layer's gradient at the first step; NaN if there is no profile."""

    @property
    def uneven(self) -> bool:
        """Return whether its gradient vanishes or explodes at the start, or its numbers are not finite."""
        if self.steps and not math.isfinite(self.last_loss):
            return True
        return self.start <= VANISHING_DECADES or self.start >= EXPLODING_DECADES


def trial_of(cure: CureOffer, folder: Path) -> CureTrial:
    """Return the results of the trial in this folder so far."""
    try:
        evidence = evidence_of(open_run(folder))
    except (RunError, OSError):
        return CureTrial(cure, 0, math.nan, math.nan, math.nan)
    losses = [float(value) for value in evidence.loss.values]
    if not losses:
        return CureTrial(cure, 0, math.nan, math.nan, math.nan)
    profile = over_depth(evidence)
    start = profile.start if len(profile) else math.nan
    return CureTrial(cure, evidence.step, losses[0], median(losses[-COMPARED_STEPS:]), start)


def trial_experiment(experiment: Experiment) -> Experiment:
    """Return the experiment of a trial, which takes a few steps at the learning rate after the warm-up."""
    few = max(FEWEST_TRIAL_STEPS, min(TRIAL_STEPS, int(TRIAL_SHARE * experiment.run.steps)))
    changes = {
        "run.steps": min(few, experiment.run.steps),
        "run.eval_every": 0,
        "run.checkpoint_every": 0,
        "optimizer.schedule": "constant",
        "optimizer.warmup_steps": min(experiment.optimizer.warmup_steps, few // 4),
        "cures.pretrain.epochs": 1,
    }
    return set_fields(experiment, changes)


def ranked(trials: Sequence[CureTrial]) -> list[CureTrial]:
    """Return the trials, the best first: those with an uneven start last, and the first advice before its equals."""
    if not trials:
        return []
    advised = trials[0]
    well = [trial for trial in trials if trial.steps and not trial.uneven]
    if not well:
        return list(trials)
    lowest = min(well, key=lambda trial: trial.last_loss)
    best = advised if advised in well and not _clearly_below(lowest, advised) else lowest
    others = sorted(trials, key=lambda trial: (trial not in well, trial.last_loss))
    return [best, *(trial for trial in others if trial is not best)]


def _clearly_below(one: CureTrial, other: CureTrial) -> bool:
    return one.steps >= other.steps and one.last_loss < CLEARLY_LOWER * other.last_loss


def try_cures(
    experiment: Experiment,
    cures: Sequence[CureOffer],
    engine: Engine,
    root: Path,
    *,
    seconds: float = TRIAL_SECONDS,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[CureTrial]:
    """Train each cure for a few steps, as many side by side as the engine has room for, and return the trials in order.

    After `seconds`, or once `cancelled` returns true, the trainers are killed and the results so far count.

    Args:
        experiment: the experiment without the cures.
        cures: the cures to try.
        engine: the engine that starts the trainers.
        root: a folder for the runs; the caller deletes it.
        seconds: the time for all trials.
        cancelled: is called repeatedly.
    """
    wanted = [trial_experiment(set_fields(experiment, cure.set)) for cure in cures]
    folders = [create_run(each, root) for each in wanted]
    waiting = list(range(len(cures)))
    running: dict[int, TrainerProcess] = {}
    end = time.monotonic() + seconds
    while (waiting or running) and time.monotonic() < end and not cancelled():
        running = {index: process for index, process in running.items() if process.poll() is None}
        loads = [Load(memory_estimate(wanted[index]), builds=True) for index in running]
        if waiting and engine.has_room(memory_estimate(wanted[waiting[0]]), loads):
            index = waiting.pop(0)
            running[index] = engine.start(folders[index])
        else:
            time.sleep(POLL_SECONDS)
    if running:
        engine.kill()
    return [trial_of(cure, folder) for cure, folder in zip(cures, folders, strict=True)]
