"""Run a repair in a thread of its own, with a state that a screen can look at at any time."""

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
from gradtui.study.repair import Begun, Event, Round, Tried, Trying, repair
from gradtui.study.repair_limits import TRIAL_SECONDS

POLL_SECONDS = 0.1
ENDED_BY_ITSELF = frozenset({"finished", "diverged"})
"""A run in one of these states has trained as long as it was meant to, so it need not be trained again."""


@dataclass(frozen=True)
class RepairState:
    """A RepairState is how far a repair is."""

    rounds: tuple[Round, ...] = ()
    """Those that have ended."""
    begun: tuple[Begun, ...] = ()
    """Those that were begun; round 0 is not among them where its run was there already."""
    tried: tuple[tuple[int, Tried], ...] = ()
    """What came of the trials, with the number of the round that they were made for."""
    trying: Trying | None = None
    """The trials that are under way."""
    step: int = 0
    """The newest step of the round that is under way."""
    done: bool = False
    problem: str = ""
    """Why it could not go on."""


class _ClosedError(Exception):
    """The app has ended; the present training goes on alone."""


class LiveRepair:
    """A LiveRepair repairs the experiment of a run.

    Args:
        experiment: the run's experiment.
        folder: the run; where it has not ended by itself, round 0 trains it anew.
        start: starts a trainer in a folder; by default the trainers that LocalEngine keeps.
        trial_seconds: the time to try cures before each round.
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
        self._engine: Engine = LocalEngine(None, max(1, experiment.run.threads), start)
        self._trial_seconds = trial_seconds
        self._stops = 0
        self._closed = False

    def run(self) -> None:
        """Repair until it is done, stopped or closed; called once, in a thread. Never raises."""
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

    def _events(self) -> Iterator[Event]:
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
        """Return whether it was asked to stop."""
        return self._stops > 0

    def stop(self) -> None:
        """Stop after the present step, or, when asked a second time, at once."""
        self._stops += 1

    def close(self) -> None:
        """Start nothing more and leave the present training alone."""
        self._closed = True


def _after(state: RepairState, event: Event) -> RepairState:
    """Return the state after an event."""
    match event:
        case Trying():
            return replace(state, trying=event, step=0)
        case Tried():
            return replace(state, trying=None, tried=(*state.tried, (len(state.rounds), event)))
        case Begun():
            return replace(state, trying=None, begun=(*state.begun, event), step=0)
        case Round():
            return replace(state, rounds=(*state.rounds, event))
