"""Run a repair in a thread of its own, with a state that a screen can read at any time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gradtui.experiment import Experiment
from gradtui.runs.control import send
from gradtui.runs.errors import RunError
from gradtui.runs.reader import open_run
from gradtui.study.engines import Engine, StartTrainer
from gradtui.study.engines.local import LocalEngine
from gradtui.study.estimate import study_seconds
from gradtui.study.repair import RepairEvent, Round, RoundStarted, TrialsEnded, TrialsStarted, repair
from gradtui.study.repair_limits import TRIAL_SECONDS

POLL_SECONDS = 0.1
ENDED_BY_ITSELF = frozenset({"finished", "diverged"})
"""A run in one of these states has trained for its planned time, so it is not trained again."""


@dataclass(frozen=True)
class RepairState:
    """A RepairState is the progress of a repair."""

    rounds: tuple[Round, ...] = ()
    """The rounds that have ended."""
    begun: tuple[RoundStarted, ...] = ()
    """The rounds that were started; round 0 is missing if its run existed already."""
    tried: tuple[tuple[int, TrialsEnded], ...] = ()
    """The results of the trials, each with the number of the round that followed."""
    trying: TrialsStarted | None = None
    """The trials that run now."""
    step: int = 0
    """The newest step of the round that trains now."""
    done: bool = False
    problem: str = ""
    """Why the repair could not continue."""


class _ClosedError(Exception):
    """The app has ended, and the present training continues without it."""


class LiveRepair:
    """A LiveRepair repairs the experiment of a run.

    Args:
        experiment: the run's experiment.
        folder: the folder of the run; if it did not end by itself, round 0 trains it again.
        start: starts a trainer in a folder; by default the trainers that LocalEngine keeps.
        trial_seconds: the time for the trials before each round, in seconds.
    """

    def __init__(
        self,
        experiment: Experiment,
        folder: Path,
        *,
        start: StartTrainer | None = None,
        trial_seconds: float = TRIAL_SECONDS,
    ) -> None:
        self.experiment = experiment
        self.folder = folder
        self.state = RepairState()
        self.begun = False
        """Whether it was begun; before, it waits for the person's word."""
        self.expected_seconds: float | None = None
        """The time that one round will take; None is unknown, or not estimated yet."""
        self._engine: Engine = LocalEngine(None, max(1, experiment.run.threads), start)
        self._trial_seconds = trial_seconds
        self._stops = 0
        self._closed = False

    def estimate(self) -> None:
        """Estimate the time of a round, with the trials before it; called in a thread, since it reads the runs."""
        trained = study_seconds([self.experiment], self.folder.parent)
        if trained is not None:
            self.expected_seconds = trained + min(self._trial_seconds, trained)

    def run(self) -> None:
        """Repair until it is done, stopped or closed; call it once, in a thread. Never raises."""
        self.begun = True
        try:
            for event in self._events():
                self.state = _after(self.state, event)
        except _ClosedError:
            pass
        except (OSError, RunError) as error:
            self.state = replace(self.state, problem=str(error))
        finally:
            self._engine.close()
            self.state = replace(self.state, trying=None, done=True)

    def _events(self) -> Iterator[RepairEvent]:
        ended = open_run(self.folder).status.state in ENDED_BY_ITSELF
        return repair(
            self.experiment,
            None,
            self._engine,
            self._train,
            trial_seconds=self._trial_seconds,
            cancelled=self._is_over,
            trained=self.folder if ended else None,
        )

    def _is_over(self) -> bool:
        return self.stopping or self._closed

    def _train(self, folder: Path) -> None:
        process = self._engine.start(folder)
        asked = False
        while process.poll() is None:
            if self._closed:
                raise _ClosedError
            if self._stops and not asked:
                asked = True
                # On a full disk no command can be written; a second stop ends the trainer as well.
                with contextlib.suppress(RunError):
                    send(folder, "stop")
            if self._stops > 1:
                self._engine.kill()
            with contextlib.suppress(RunError, OSError):
                self.state = replace(self.state, step=open_run(folder).status.step)
            time.sleep(POLL_SECONDS)

    @property
    def stopping(self) -> bool:
        """Return whether `stop` was called."""
        return self._stops > 0

    def stop(self) -> None:
        """Stop after the present step, or at once if it is called a second time."""
        self._stops += 1

    def close(self) -> None:
        """Start nothing more; the present training continues."""
        self._closed = True


def _after(state: RepairState, event: RepairEvent) -> RepairState:
    """Return the state after an event."""
    match event:
        case TrialsStarted():
            return replace(state, trying=event, step=0)
        case TrialsEnded():
            return replace(state, trying=None, tried=(*state.tried, (len(state.rounds), event)))
        case RoundStarted():
            return replace(state, trying=None, begun=(*state.begun, event), step=0)
        case Round():
            return replace(state, rounds=(*state.rounds, event))
