"""Try them all: every cure of a sick run trained as its twin, and ranked by what was measured.

Each is an ordinary run that goes on whatever becomes of us: the same experiment with that cure, from the start, with
the same seed. The sick experiment itself is the first row, trained once more. What a step costs depends on what else
the machine does, and several trainers share its caches and its clock; so prices are ratios of two runs that had as many
neighbours, never of one that was alone and one that is not. (The last ones have fewer, for nothing is left to be begun
beside them; a median over steps is little moved by it.) That row is also the fresh baseline of accuracy and loss: as
long as all the others, where the sick run was stopped early.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.monitor import diagnose_run, step_seconds
from gradtui.diagnosis.outcome import Outcome, outcome_of, rank, verdict
from gradtui.experiment import Experiment
from gradtui.runs.errors import RunError
from gradtui.runs.meta import Parent
from gradtui.runs.reader import open_run
from gradtui.study.candidates import Candidate, candidates
from gradtui.study.engines import Start
from gradtui.study.engines.local import LocalEngine
from gradtui.study.pool import Pool
from gradtui.study.row import JUDGED
from gradtui.study.state import TrialRow, TrialsState
from gradtui.study.training import Training
from gradtui.study.twins import Twins


class Trial(Training):
    """A candidate and its run."""

    def __init__(self, candidate: Candidate, sick: Path) -> None:
        super().__init__(candidate.experiment, sick.parent, Parent(sick.name, 0, candidate.cure))
        self.candidate = candidate

    def find(self, twins: Twins) -> None:
        """Take up its twin, if there is one."""
        found = twins.of(self.candidate)
        if found is not None:
            self.take_up(*found)


class Trials:
    """The cures of a sick run, compared. Every method may be called from any thread; none raises.

    Nothing is read or started before the first `poll`. Begun again on the same run, it takes up the twins that are
    there: those that run are followed, those that have ended are not trained again, and those that were cut short go on
    from their newest checkpoint.

    Args:
        folder: of the sick run.
        cures: keys of gradtui.experiment.edits.CURES; by default what its findings advise, and others (see
            candidates.candidates).
        jobs: trainers at most at once; by default as many as there are cores for. Fewer where memory is short.
        start: starts a trainer in a folder; by default those that LocalEngine keeps.
    """

    def __init__(
        self,
        folder: Path,
        cures: Sequence[str] | None = None,
        jobs: int | None = None,
        *,
        start: Start | None = None,
    ) -> None:
        self.folder = folder.expanduser().absolute()
        self.state = TrialsState(name=folder.name)
        """As the last `poll` found it."""
        self._cures = cures
        self._jobs = jobs
        self._start = start
        self._lock = threading.Lock()
        self._trials: list[Trial] = []
        self._engine: LocalEngine | None = None
        self._pool: Pool | None = None
        self._before: Outcome | None = None
        self._planned = self._closed = False

    def poll(self) -> TrialsState:
        """Begin what there is room for, look at what runs, and say how all stands. For a few times a second."""
        with self._lock:
            if self._closed or self.state.done:
                return self.state
            changed = not self._planned
            if not self._planned:
                self._planned = True
                self._plan()
            if self._pool is not None:
                changed |= self._pool.poll()
            if changed:
                self._tell()
            if self.state.done:
                self._let_go()
            return self.state

    def stop(self) -> None:
        """End all that run where they are, and begin no more. They can be gone on with, by other Trials."""
        with self._lock:
            for trial in self._trials:
                trial.stop()
            if self._planned and not self._closed:
                self._tell()

    @property
    def closed(self) -> bool:
        """Whether they were left to themselves."""
        return self._closed

    @property
    def cut_short(self) -> bool:
        """Whether others would get further than these, which were left, were stopped, or could not begin."""
        state = self.state
        return (
            self._closed
            or bool(state.problem)
            or (state.done and any(r.state == "stopped" for r in state.rows))
        )

    def close(self) -> None:
        """Leave them: those that run go on as ordinary runs, and no more are begun."""
        with self._lock:
            self._closed = True
            self._let_go()

    def _let_go(self) -> None:
        if self._engine is not None:
            self._engine.close()

    # -- planning

    def _plan(self) -> None:
        """What is wrong with the sick run, and what is to be tried."""
        try:
            run = open_run(self.folder)
            experiment, name = run.experiment, run.name
            if experiment is None:
                raise RunError(
                    f"{name}: was trained by a script; only runs of an experiment can be tried again"
                )
            diagnosis = diagnose_run(run)
            findings = diagnosis.findings
            if not findings and self._cures is None:
                raise RunError(f"{name}: nothing was found in it, so there is nothing to cure")
            self._before = outcome_of(diagnosis.evidence, findings, step_seconds(run))
            found = self._candidates(experiment, findings)
        except Exception as error:
            # One line, whatever it is: a run that cannot be read must not take the screen down with it.
            known = isinstance(error, RunError | OSError)
            self.state = replace(
                self.state, problem=str(error) if known else f"{type(error).__name__}: {error}"
            )
            return
        self.state = replace(self.state, name=name, findings=findings, before=self._before)
        twins = Twins(self.folder)
        for trial in found:
            trial.find(twins)
        self._trials = found
        self._engine = LocalEngine(self._jobs, found[0].experiment.run.threads, self._start)
        self._pool = Pool(self._engine, found, self._find)

    def _candidates(self, sick: Experiment, findings: Sequence[Finding]) -> list[Trial]:
        try:
            found = candidates(sick, findings, self._cures)
        except KeyError as error:
            raise RunError(f"there is no cure called {error}") from None
        if len(found) == 1:
            raise RunError(f"{sick.name}: there is no cure that would change anything in it")
        return [Trial(candidate, self.folder) for candidate in found]

    def _find(self, training: Training) -> None:
        assert isinstance(training, Trial)
        training.find(Twins(self.folder))

    # -- saying

    def _tell(self) -> None:
        if not self._trials:
            return
        rows = {trial.candidate.key: TrialRow(trial.candidate, **trial.stands()) for trial in self._trials}
        before = self._baseline(rows[""])
        ended = [
            (key, row.outcome)
            for key, row in rows.items()
            if key and row.outcome is not None and row.state in JUDGED
        ]
        ranked = rank(ended, before) if before is not None else []
        verdicts = dict(ranked)
        told = tuple(
            replace(row, verdict=verdicts.get(key), price=_price(before, row)) for key, row in rows.items()
        )
        self.state = replace(self.state, rows=told, ranked=tuple(key for key, _ in ranked))

    def _baseline(self, row: TrialRow) -> Outcome | None:
        """What cures are held against: the sick experiment trained beside them, once it has ended; until then, and
        where it failed, the sick run, whose time of a step was taken under another load and counts for nothing."""
        if row.outcome is not None and row.state in JUDGED:
            return row.outcome
        if self._before is None:
            return None
        return replace(self._before, seconds=row.outcome.seconds if row.outcome is not None else math.nan)


def _price(before: Outcome | None, row: TrialRow) -> float:
    if before is None or row.outcome is None:
        return math.nan
    return verdict(before, row.outcome).price
