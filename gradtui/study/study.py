"""Train the experiments of a study side by side, continue with existing runs, and compare the results."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gradtui.experiment.errors import ExperimentError
from gradtui.runs.errors import RunError
from gradtui.runs.folder import runs_root
from gradtui.runs.meta import Parent
from gradtui.study.chart_builder import ChartBuilder
from gradtui.study.degradation import Degradation, findings_of
from gradtui.study.engines import Engine, MakeEngine
from gradtui.study.engines.local import LocalEngine
from gradtui.study.member_run import ExistingRuns, MemberRun
from gradtui.study.plan import Member, plan
from gradtui.study.ranking import ranked, with_verdicts
from gradtui.study.spec import StudySpec
from gradtui.study.state import CuredRun, StudyRow, StudyState, StudyStatus
from gradtui.study.study_folder import OwnerLock, StudyIndex, folder_of, studies_root, write_study


@dataclass(frozen=True)
class StudySetup:
    """A StudySetup is what a study needs to begin: its members, and where their runs are found and recorded."""

    spec: StudySpec
    members: Sequence[Member]
    existing: ExistingRuns
    lock: OwnerLock | None = None
    """The lock that one training process at a time holds; None if several may train, as each finds the others' runs."""
    cured: CuredRun | None = None
    """The run whose cures are the members."""
    parent: str = ""
    """The name of that run, which each new run records as its parent."""
    expected_seconds: float | None = None
    """The estimated seconds of the trainings of all members; None if it is not known."""


class Study:
    """A Study trains its members and reports their state; any thread may call any method, and none raises.

    Nothing is read or started before the first `poll`. Runs that have ended are not trained again, those that run are
    followed, and those that were cut short are resumed from their newest checkpoint. While another process has the
    study's lock, this one only follows the runs; when that process has ended, it starts the rest.

    Args:
        state: the state before the first poll.
        prepare: called by the first poll; may raise ExperimentError, RunError, OSError or ImportError.
        runs: the folder of runs.
        jobs: the most trainers at once; None means as many as the engine has room for.
        engine: makes the engine, which starts trainers.
        only_follow: follow the existing runs and start none.
    """

    def __init__(
        self,
        state: StudyState,
        prepare: Callable[[], StudySetup],
        runs: Path,
        jobs: int | None = None,
        engine: MakeEngine = LocalEngine,
        *,
        only_follow: bool = False,
    ) -> None:
        self.state = state
        """The state of the study at the last `poll`."""
        self.folder = state.folder
        self.runs = runs
        self._prepare = prepare
        self._jobs = jobs
        self._make_engine = engine
        self._only_follow = only_follow
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._trainings: _Trainings | None = None
        self._ended: frozenset[str] | None = None
        self._marked: dict[str, StudyRow] = {}
        self._stopped = self._closed = False

    @property
    def begun(self) -> bool:
        """Return whether the study may start trainers."""
        return not self._only_follow

    def begin(self) -> None:
        """Allow the study to start trainers from the next poll on."""
        self._only_follow = False

    @property
    def closed(self) -> bool:
        """Return whether `close` was called."""
        return self._closed

    @property
    def cut_short(self) -> bool:
        """Return whether this study was closed, stopped or unable to begin, so that a new one would get further."""
        state = self.state
        stopped = state.done and any(row.state == "stopped" for row in state.rows)
        return self._closed or bool(state.problem) or stopped

    def poll(self) -> StudyState:
        """Start the trainers that fit, read what is new, and return the state; call it a few times a second."""
        with self._lock:
            if self._closed or self.state.done:
                return self.state
            try:
                self._advance()
            except (ExperimentError, RunError, OSError, ImportError) as error:
                self.state = replace(self.state, status="failed", problem=" ".join(str(error).split()))
            if self.state.done:
                self._release()
            return self.state

    def stop(self) -> None:
        """End all runs at their present steps and start no more; another Study can resume them."""
        with self._lock:
            self._stopped = True
            if self._trainings is not None and not self._closed:
                self._trainings.stop()
                self._update()

    def kill(self) -> None:
        """Kill at once all trainers that this study started."""
        with self._lock:
            if self._engine is not None:
                self._engine.kill()

    def close(self) -> None:
        """Stop following the runs and start no more; those that train continue as ordinary runs."""
        with self._lock:
            self._closed = True
            self._release()

    def _release(self) -> None:
        if self._engine is not None:
            self._engine.close()
            if self._setup.lock is not None:
                self._setup.lock.release()

    # -- training

    def _advance(self) -> None:
        changed = self._trainings is None
        trainings = self._trainings or self._begin()
        owner = self._setup.lock.take() if self._setup.lock is not None else None
        if owner is not None:
            trainings.find()
        may_start = owner is None and not self._stopped and not self._only_follow
        changed |= trainings.poll(start=may_start)
        other_owner = str(owner) if owner is not None else ""
        if changed or other_owner != self.state.other_owner:
            self.state = replace(self.state, other_owner=other_owner)
            self._update()

    def _begin(self) -> _Trainings:
        setup = self._setup = self._prepare()
        self._began = time.monotonic()
        self.state = replace(
            self.state, spec=setup.spec, cured=setup.cured, expected_seconds=setup.expected_seconds
        )
        runs = []
        for member in setup.members:
            parent = (
                Parent(setup.parent, 0, member.cure or (member.name if member.key else ""))
                if setup.parent
                else None
            )
            runs.append(MemberRun(member, self.runs, setup.existing, parent))
        threads = max(member.experiment.run.threads for member in setup.members)
        # Runs are found before the engine is made, because making it may fail.
        setup.existing.refresh()
        for run in runs:
            run.find()
        self._engine = self._make_engine(self._jobs, threads)
        self._trainings = _Trainings(self._engine, runs, setup.existing)
        self._charts = ChartBuilder(setup.spec, setup.members)
        self._degradation = Degradation(setup.members)
        if self._stopped:
            self._trainings.stop()
        return self._trainings

    # -- comparing

    def _update(self) -> None:
        assert self._trainings is not None
        rows = tuple(run.row() for run in self._trainings.runs)
        state = replace(self.state, seconds=time.monotonic() - self._began)
        state = self._across_runs(state, rows) if state.cured is None else with_verdicts(state, rows)
        self.state = replace(state, status=_status(rows))

    def _across_runs(self, state: StudyState, rows: tuple[StudyRow, ...]) -> StudyState:
        """Compare the runs with each other; findings, ranking and charts change only when a run ends."""
        ended = frozenset(row.key for row in rows if row.ended)
        if ended == self._ended:
            return replace(state, rows=tuple(self._marked.get(row.key, row) for row in rows))
        self._ended = ended
        self._marked = {row.key: row for row in self._degradation.mark(rows) if row.ended}
        rows = tuple(self._marked.get(row.key, row) for row in rows)
        order = ranked(state.spec, rows)
        charts, findings = self._charts.build(rows, order), findings_of(state.spec, rows)
        return replace(state, rows=rows, charts=charts, findings=findings, ranked=order)


def _status(rows: Sequence[StudyRow]) -> StudyStatus:
    states = {row.state for row in rows}
    if not all(row.ended for row in rows):
        return "running"
    return "failed" if states & {"failed", "died"} else "stopped" if "stopped" in states else "finished"


class _Trainings:
    """A _Trainings holds the runs of a study in the order in which one engine starts them; it is for one thread."""

    def __init__(self, engine: Engine, runs: Sequence[MemberRun], existing: ExistingRuns) -> None:
        self.runs = runs
        self._engine = engine
        self._existing = existing

    def find(self) -> None:
        """Find the runs that another process has created since."""
        self._existing.refresh()
        for run in self.runs:
            if run.waits:
                run.find()

    def poll(self, *, start: bool) -> bool:
        """Follow and diagnose the runs, start those that fit, and return whether anything changed."""
        changed = False
        for run in self.runs:
            changed |= run.refresh()
        changed |= self._judge()
        return (start and self._start()) or changed

    def stop(self) -> None:
        """End all runs at their present steps and start no others."""
        for run in self.runs:
            run.stop()

    def _judge(self) -> bool:
        """Diagnose all runs that have ended but only one that trains, so that a poll never takes long."""
        waiting = [(since, run) for run in self.runs if (since := run.waits_since) is not None]
        ended = [run for _, run in waiting if not run.live]
        training = [entry for entry in waiting if entry[1].live]
        for run in ended:
            run.judge()
        if training:
            min(training, key=lambda entry: entry[0])[1].judge()
        return bool(waiting)

    def _start(self) -> bool:
        started = False
        for run in self.runs:
            if not run.waits:
                continue
            if not self._engine.has_room(run.memory, [one.load for one in self.runs if one.live]):
                break
            if run.folder is None:
                # Another viewer may have created it since.
                self._existing.refresh()
                run.find()
            if run.waits:
                run.begin(self._engine.start)
            started = True
        return started


def open_study(
    spec: StudySpec,
    *,
    runs: Path | None = None,
    jobs: int | None = None,
    engine: MakeEngine = LocalEngine,
    fresh: bool = False,
    folder: Path | None = None,
    only_follow: bool = False,
) -> Study:
    """Return the study that a spec describes, which continues an earlier study of the same name.

    Args:
        runs: the folder of runs; by default where runs are kept.
        jobs, engine, only_follow: see Study.
        fresh: begin in a new folder, even if there is a study of that name.
        folder: the folder of the study; by default the newest one of its name.
    """
    runs = (runs or runs_root()).absolute()
    folder = folder or folder_of(spec.name, studies_root(runs), fresh=fresh)

    def prepare() -> StudySetup:
        members = plan(spec)
        write_study(folder, spec)
        return StudySetup(spec, members, StudyIndex(folder), OwnerLock(folder))

    return Study(StudyState(folder, spec), prepare, runs, jobs, engine, only_follow=only_follow)
