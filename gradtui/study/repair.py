"""Repair an experiment: train it, take the best advice, and train again, until nothing is left to do.

`gradtui fix` prints the events of a repair, and the lab shows them on a screen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gradtui.diagnosis.findings import CureOffer
from gradtui.diagnosis.monitor import diagnose_run
from gradtui.experiment import Experiment, set_fields
from gradtui.experiment.overrides import diff
from gradtui.runs.meta import Parent
from gradtui.runs.reader import open_run
from gradtui.runs.scratch import Scratch
from gradtui.study.engines import Engine
from gradtui.study.fixing import Attempt, attempt_of, best_of, needs_more, next_cures
from gradtui.study.repair_limits import ROUNDS, TRIAL_SECONDS
from gradtui.study.trials import CureTrial, ranked, try_cures
from gradtui.training.launch import create_run


@dataclass(frozen=True)
class TrialsStarted:
    """A TrialsStarted says that trials start: some cures are trained for a few steps each, before the next round."""

    cures: tuple[CureOffer, ...]
    seconds: float
    """The time for all trials."""


@dataclass(frozen=True)
class TrialsEnded:
    """A TrialsEnded says that the trials before a round have ended, and holds their results, the best first."""

    trials: tuple[CureTrial, ...]
    seconds: float


@dataclass(frozen=True)
class RoundStarted:
    """A RoundStarted says that the training of a round starts."""

    number: int
    experiment: Experiment
    cure: CureOffer | None
    """The change before this round; None for round 0."""
    before: Experiment | None
    """The experiment that the cure changes."""
    folder: Path


@dataclass(frozen=True)
class Round:
    """A Round is one training of a repair that has ended."""

    number: int
    attempt: Attempt
    folder: Path
    state: str
    """The state of its run."""
    trials: tuple[CureTrial, ...] = ()
    """The trials before this round."""

    @property
    def failed(self) -> bool:
        """Return whether the training itself failed, so that no cure can help."""
        return self.state not in ("finished", "stopped", "diverged")


RepairEvent = TrialsStarted | TrialsEnded | RoundStarted | Round


def repair(
    experiment: Experiment,
    root: Path | None,
    engine: Engine,
    train: Callable[[Path], object],
    *,
    rounds: int = ROUNDS,
    trial_seconds: float = TRIAL_SECONDS,
    cancelled: Callable[[], bool] = lambda: False,
    trained: Path | None = None,
) -> Iterator[RepairEvent]:
    """Train, take the best advice and train again, and yield each event. Raises OSError if no run can be created.

    Args:
        experiment: the experiment that the person gave.
        root: the folder for the runs; by default that of all runs.
        engine: starts the trainers of the trials.
        train: trains the run in a folder, and returns when it has ended.
        rounds: the most rounds after round 0.
        trial_seconds: the time for the trials before each round; with 0 the first advice is taken without trials.
        cancelled: is called repeatedly; once it returns true, the repair ends after the present round.
        trained: an ended run of the experiment, which replaces the training of round 0.
    """
    made: list[Round] = []
    origin: Round | None = None
    cure: CureOffer | None = None
    trials: tuple[CureTrial, ...] = ()
    while True:
        if trained is not None and not made:
            folder = trained
        else:
            parent = (
                Parent(origin.folder.name, 0, (cure.key or cure.name) if cure else "") if origin else None
            )
            folder = create_run(experiment, root, parent=parent)
            yield RoundStarted(
                len(made), experiment, cure, origin.attempt.experiment if origin else None, folder
            )
            train(folder)
        made.append(_round(len(made), experiment, cure, folder, trials))
        yield made[-1]
        attempts = [each.attempt for each in made]
        if made[-1].failed or cancelled() or len(made) > rounds or not needs_more(attempts):
            return
        before, offers = next_cures(attempts)
        if not offers:
            return
        origin = next(each for each in made if each.attempt is before)
        trials = ()
        if len(offers) > 1 and trial_seconds > 0:
            yield TrialsStarted(offers, trial_seconds)
            began = time.monotonic()
            trials = _tried(before.experiment, offers, engine, trial_seconds, cancelled)
            if cancelled():
                return
            if trials:
                yield TrialsEnded(trials, time.monotonic() - began)
        cure = trials[0].cure if trials else offers[0]
        experiment = set_fields(before.experiment, cure.set)


def _round(
    number: int, experiment: Experiment, cure: CureOffer | None, folder: Path, trials: tuple[CureTrial, ...]
) -> Round:
    run = open_run(folder)
    return Round(number, attempt_of(experiment, cure, diagnose_run(run)), folder, run.status.state, trials)


def _tried(
    experiment: Experiment,
    offers: tuple[CureOffer, ...],
    engine: Engine,
    seconds: float,
    cancelled: Callable[[], bool],
) -> tuple[CureTrial, ...]:
    """Train each cure for a few steps and return the trials ranked; empty if they cannot be trained."""
    try:
        with Scratch() as root:
            trials = try_cures(experiment, offers, engine, root, seconds=seconds, cancelled=cancelled)
    except OSError:
        # If no folder or process can be made for a trial, the advice keeps its order.
        return ()
    return tuple(ranked(trials))


# -- the result


def best_round(rounds: list[Round]) -> Round:
    """Return the best round."""
    best = best_of([each.attempt for each in rounds])
    return next(each for each in rounds if each.attempt is best)


def is_fixed(rounds: list[Round]) -> bool:
    """Return whether nothing was found in some round, its net has begun to learn, and no training failed."""
    return best_round(rounds).attempt.clean and not rounds[-1].failed


def changes_of(rounds: list[Round]) -> dict[str, object]:
    """Return the changes of the experiment up to the best round, or up to the last one if no round is clean."""
    best = best_round(rounds)
    end = best if best.attempt.clean else rounds[-1]
    return dict(diff(rounds[0].attempt.experiment, end.attempt.experiment))
