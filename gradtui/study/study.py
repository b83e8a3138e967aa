"""A study under way: its experiments trained side by side, taken up where they were left, and added up."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

from gradtui.experiment.errors import ExperimentError
from gradtui.runs.errors import RunError
from gradtui.runs.folder import is_run_folder, runs_root
from gradtui.runs.status import read_status
from gradtui.study.charts import Charts
from gradtui.study.degradation import Degradation, findings_of
from gradtui.study.engines import Engine, MakeEngine
from gradtui.study.engines.local import LocalEngine
from gradtui.study.folder import Claim, Journal, folder_of, studies_root, write_study
from gradtui.study.plan import Member, plan
from gradtui.study.pool import Pool
from gradtui.study.ranking import ranked
from gradtui.study.spec import StudySpec
from gradtui.study.study_state import StudyRow, StudyState, StudyStatus
from gradtui.study.training import Training


class StudyRun(Training):
    """A member and its run."""

    def __init__(self, member: Member, root: Path, journal: Journal) -> None:
        super().__init__(member.experiment, root)
        self.member = member
        self._journal = journal

    def find(self) -> None:
        """Take up the run that the study has of it, if there is one."""
        folder = self._journal.read().get(self.member.key)
        if folder is None or not is_run_folder(folder):
            return
        try:
            self.take_up(folder, read_status(folder).state)
        except RunError:
            # Whoever damaged it, the experiment is there to be trained again.
            return

    def made(self) -> Path:
        """Its folder; a new one is the study's from then on. Raises OSError."""
        known = self.folder
        folder = super().made()
        if known is None:
            self._journal.add(self.member.key, folder)
        return folder

    def row(self) -> StudyRow:
        """How it stands, without what only the others can tell."""
        row = StudyRow(self.member, **self.stands())
        if row.outcome is None:
            return row
        return replace(
            row,
            codes=row.outcome.codes,
            evidence=tuple(found.evidence for found in self.findings if found.severity != "info"),
            measures=self.measures if row.ended else None,
        )


class Study:
    """A study and its runs. Every method may be called from any thread; none raises.

    Nothing is read or started before the first `poll`. A study of this name that is there is gone on with: runs that
    have ended are not trained again, those that run are followed, and those that were cut short go on from their newest
    checkpoint. While another process is at it, this one only looks; when that has gone, it takes over.

    Args:
        spec: what is wanted.
        runs: the folder of runs; by default where runs are kept.
        jobs: trainers at most at once; by default as many as the engine sees fit.
        engine: makes what starts them.
        fresh: begin anew, in a folder of its own, where one of that name is there.
        folder: of the study; by default the newest of its name.
    """

    def __init__(
        self,
        spec: StudySpec,
        *,
        runs: Path | None = None,
        jobs: int | None = None,
        engine: MakeEngine = LocalEngine,
        fresh: bool = False,
        folder: Path | None = None,
    ) -> None:
        self.runs = (runs or runs_root()).absolute()
        folder = folder or folder_of(spec.name, studies_root(self.runs), fresh=fresh)
        self.state = StudyState(folder, spec)
        """As the last `poll` found it."""
        self._jobs = jobs
        self._make_engine = engine
        self._lock = threading.Lock()
        self._runs: list[StudyRun] = []
        self._engine: Engine | None = None
        self._pool: Pool | None = None
        self._began = 0.0
        self._ended: frozenset[str] | None = None
        self._planned = self._stopped = self._closed = False

    @property
    def folder(self) -> Path:
        """Of the study."""
        return self.state.folder

    @property
    def closed(self) -> bool:
        """Whether it was left to itself."""
        return self._closed

    def poll(self) -> StudyState:
        """Begin what there is room for, look at what runs, and say how all stands. For a few times a second."""
        with self._lock:
            if self._closed or self.state.done:
                return self.state
            try:
                self._poll()
            except (ExperimentError, OSError, ImportError) as error:
                self.state = replace(self.state, status="failed", problem=" ".join(str(error).split()))
            if self.state.done:
                self._let_go()
            return self.state

    def stop(self) -> None:
        """End all that run where they are, and begin no more. It can be gone on with, by another Study."""
        with self._lock:
            self._stopped = True
            if self._pool is not None and not self._closed:
                self._pool.stop()
                self._tell()

    def kill(self) -> None:
        """End at once all that were started here."""
        with self._lock:
            if self._engine is not None:
                self._engine.kill()

    def close(self) -> None:
        """Leave it: what runs goes on as ordinary runs, and no more is begun."""
        with self._lock:
            self._closed = True
            self._let_go()

    # -- beginning

    def _poll(self) -> None:
        changed = not self._planned
        if not self._planned:
            self._planned = True
            self._plan()
        assert self._pool is not None
        other = self._claim.take()
        if other is not None:
            for run in self._runs:
                if run.waits:
                    run.find()
        changed |= self._pool.poll(begin=other is None and not self._stopped)
        kept_by = str(other) if other is not None else ""
        if changed or kept_by != self.state.kept_by:
            self.state = replace(self.state, kept_by=kept_by)
            self._tell()

    def _plan(self) -> None:
        spec = self.state.spec
        members = plan(spec)
        self._began = time.monotonic()
        self._journal = Journal(self.folder)
        self._claim = Claim(self.folder)
        write_study(self.folder, spec)
        self._runs = [StudyRun(member, self.runs, self._journal) for member in members]
        for run in self._runs:
            run.find()
        threads = max(member.experiment.run.threads for member in members)
        self._engine = self._make_engine(self._jobs, threads)
        self._pool = Pool(self._engine, self._runs, _find)
        self._charts = Charts(spec, members)
        self._degradation = Degradation(members)

    def _let_go(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._claim.release()

    # -- saying

    def _tell(self) -> None:
        rows = tuple(run.row() for run in self._runs)
        state = replace(self.state, seconds=time.monotonic() - self._began)
        ended = frozenset(row.key for row in rows if row.ended)
        if ended != self._ended:
            self._ended = ended
            self._known = {row.key: row for row in self._degradation.mark(rows) if row.ended}
            rows = tuple(self._known.get(row.key, row) for row in rows)
            order = ranked(state.spec, rows)
            charts = self._charts.of(rows, order)
            state = replace(state, charts=charts, findings=findings_of(state.spec, rows), ranked=order)
        else:
            rows = tuple(self._known.get(row.key, row) for row in rows)
        self.state = replace(state, rows=rows, status=self._status(rows))

    def _status(self, rows: tuple[StudyRow, ...]) -> StudyStatus:
        states = {row.state for row in rows}
        if not all(row.ended for row in rows):
            return "running"
        return "failed" if states & {"failed", "died"} else "stopped" if "stopped" in states else "finished"


def _find(training: Training) -> None:
    assert isinstance(training, StudyRun)
    training.find()
