"""List the studies that can be opened, and keep those that this app trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gradtui.experiment.errors import ExperimentError
from gradtui.study.engines import MakeEngine
from gradtui.study.engines.local import LocalEngine
from gradtui.study.estimate import study_seconds
from gradtui.study.plan import plan
from gradtui.study.presets import load_preset, names
from gradtui.study.spec import StudySpec
from gradtui.study.state import StudyRow, StudyState
from gradtui.study.study import Study, open_study
from gradtui.study.study_folder import STUDY_FILE, folder_of, list_studies, studies_root


@dataclass(frozen=True)
class StudyEntry:
    """A StudyEntry is one study in the list."""

    spec: StudySpec
    total: int
    """The number of experiments in it; 0 where it cannot be planned."""
    begun: int = 0
    """The number of them that have a run."""
    completed: int = 0
    """The number of those whose run has ended by itself, as the study's own screen counts them."""
    changed: float = 0.0
    """The time when the last run was created, in seconds since the epoch; 0 is never."""


class OpenStudy:
    """An OpenStudy is a study on the screen, which is only planned, followed as it trains elsewhere, or trained here.

    Its methods read and write files, so threads call them.
    """

    def __init__(self, spec: StudySpec, runs: Path, engine: MakeEngine = LocalEngine) -> None:
        self.spec = spec
        self.begun = False
        """Whether this app trains its runs."""
        self.state = StudyState(folder_of(spec.name, studies_root(runs)), spec)
        self._runs = runs
        self._engine = engine
        self._study: Study | None = None

    @property
    def idle(self) -> bool:
        """Return whether nothing will change until it is begun (again)."""
        state = self.state
        if state.done or not state.rows:
            return state.done
        return not (self.begun or state.other_owner or any(row.live for row in state.rows))

    @property
    def complete(self) -> bool:
        """Return whether every experiment was trained to its own end."""
        rows = self.state.rows
        return bool(rows) and all(row.completed for row in rows)

    def poll(self) -> StudyState:
        """Follow its runs, start what there is room for if this app trains it, and return its state. Never raises."""
        if self._study is None:
            if not (self.state.folder / STUDY_FILE).is_file():
                self.state = _planned(self.state, self._runs)
                return self.state
            self._study = open_study(
                self.spec, runs=self._runs, engine=self._engine, folder=self.state.folder, only_follow=True
            )
        study = self._study
        state = study.poll()
        if study is self._study:
            self.state = state
            if self.idle:
                # A study that is only viewed must not keep another process from training it.
                study.close()
        return self.state

    def begin(self) -> None:
        """Train it, or what is left of it."""
        if self._study is not None:
            self._study.close()
        self._study = open_study(self.spec, runs=self._runs, engine=self._engine)
        self.begun = True
        self.state = self._study.poll()

    def stop(self) -> None:
        """End the runs that this app trains at their present steps, and start no others."""
        if self._study is not None and self.begun:
            self._study.stop()

    def close(self) -> None:
        """Stop following it; trainings continue."""
        if self._study is not None:
            self._study.close()


class StudyStore:
    """The StudyStore knows all studies beside a folder of runs, and which of them this app trains."""

    def __init__(self, runs: Path, engine: MakeEngine = LocalEngine) -> None:
        self.runs = runs.absolute()
        self._engine = engine
        self._open: dict[Path, OpenStudy] = {}

    def open(self, spec: StudySpec) -> OpenStudy:
        """Return the study to be shown: the one of this name that is open already and not done, or a new one."""
        study = OpenStudy(spec, self.runs, self._engine)
        known = self._open.get(study.state.folder)
        if known is not None and not known.state.done:
            return known
        self._open[study.state.folder] = study
        return study

    def entries(self, silent: Callable[[Path], object] = lambda folder: None) -> list[StudyEntry]:
        """Return the studies that were begun, the newest first, then those that ship and were not begun.

        silent: called with each folder whose file server does not answer.
        """
        found = [
            StudyEntry(info.spec, _size(info.spec), info.runs, info.completed, info.changed)
            for info in list_studies(studies_root(self.runs), silent)
        ]
        there = {entry.spec.name for entry in found}
        return found + [
            StudyEntry(spec, _size(spec)) for spec in map(load_preset, names()) if spec.name not in there
        ]


def _size(spec: StudySpec) -> int:
    try:
        return len(plan(spec))
    except ExperimentError:
        return 0


def _planned(state: StudyState, runs: Path) -> StudyState:
    try:
        rows = tuple(StudyRow(member=member) for member in plan(state.spec))
    except ExperimentError as error:
        return StudyState(state.folder, state.spec, problem=str(error))
    seconds = study_seconds([row.member.experiment for row in rows], runs)
    return StudyState(state.folder, state.spec, rows=rows, expected_seconds=seconds)
