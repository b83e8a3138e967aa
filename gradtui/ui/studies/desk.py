"""The studies that one can open, and those that are under way in this app. What reads files belongs into a thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gradtui.experiment.errors import ExperimentError
from gradtui.study.engines import MakeEngine
from gradtui.study.engines.local import LocalEngine
from gradtui.study.folder import STUDY_FILE, folder_of, list_studies, studies_root
from gradtui.study.plan import plan
from gradtui.study.presets import load_preset, names
from gradtui.study.spec import StudySpec
from gradtui.study.study import Study
from gradtui.study.study_state import StudyRow, StudyState


@dataclass(frozen=True)
class Offer:
    """A study in the list."""

    spec: StudySpec
    ships: bool
    total: int
    """How many experiments it has; 0 where it cannot be planned."""
    begun: int = 0
    """How many of them have a run."""
    changed: float = 0.0
    """When one was begun last, in seconds since the epoch; 0 is never."""
    folder: Path | None = None
    """None where it was not begun."""
    problem: str = ""
    """Why it cannot be planned; one line."""


class Viewed:
    """A study on the screen. Before it is begun it is only planned; what was begun elsewhere is only looked at."""

    def __init__(self, spec: StudySpec, runs: Path, engine: MakeEngine = LocalEngine) -> None:
        self.spec = spec
        self.begun = False
        """Whether its runs are begun here."""
        self.state = StudyState(folder_of(spec.name, studies_root(runs)), spec)
        self._runs = runs
        self._engine = engine
        self._study: Study | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing will change until it is begun (again)."""
        state = self.state
        if state.done or not state.rows:
            return state.done
        return not (self.begun or state.kept_by or any(row.live for row in state.rows))

    @property
    def complete(self) -> bool:
        """Whether every experiment was trained to an end of its own."""
        rows = self.state.rows
        return bool(rows) and all(row.judged for row in rows)

    def poll(self) -> StudyState:
        """Look at it, and begin what there is room for, if it is begun here. Never raises."""
        if self._study is None:
            if (self.state.folder / STUDY_FILE).is_file():
                self._study = Study(self.spec, runs=self._runs, engine=self._engine, folder=self.state.folder)
                # Before anything was begun: it finds its runs, and begins none.
                self._study.stop()
            else:
                self.state = _planned(self.state)
                return self.state
        study = self._study
        state = study.poll()
        if study is self._study:
            self.state = state
            if self.idle:
                # Whoever only looks must not stand in the way of a process that would go on with it.
                study.close()
        return self.state

    def begin(self) -> None:
        """Train it, or what is left of it."""
        if self._study is not None:
            self._study.close()
        self._study = Study(self.spec, runs=self._runs, engine=self._engine)
        self.begun = True
        self.state = self._study.poll()

    def stop(self) -> None:
        """End what runs here where it is, and begin no more."""
        if self._study is not None and self.begun:
            self._study.stop()

    def close(self) -> None:
        """Look at it no more. What runs goes on."""
        if self._study is not None:
            self._study.close()


class Desk:
    """All studies of a folder of runs, and those that were begun here."""

    def __init__(self, runs: Path, engine: MakeEngine = LocalEngine) -> None:
        self.runs = runs.absolute()
        self._engine = engine
        self._under_way: dict[Path, Viewed] = {}

    def view(self, spec: StudySpec) -> Viewed:
        """A study to look at; the one that is under way here, if there is one of this name."""
        viewed = Viewed(spec, self.runs, self._engine)
        known = self._under_way.get(viewed.state.folder)
        if known is not None and not known.state.done:
            return known
        self._under_way[viewed.state.folder] = viewed
        return viewed

    def offers(self) -> list[Offer]:
        """Those that were begun, the newest first; then those that ship and were not."""
        begun = {info.folder: info for info in list_studies(studies_root(self.runs))}
        shipped = names()
        found = [
            Offer(
                info.spec, info.spec.name in shipped, *_size(info.spec), info.runs, info.changed, info.folder
            )
            for info in begun.values()
        ]
        there = {offer.spec.name for offer in found}
        return found + [
            Offer(spec, True, *_size(spec)) for spec in map(load_preset, shipped) if spec.name not in there
        ]


def _size(spec: StudySpec) -> tuple[int]:
    try:
        return (len(plan(spec)),)
    except ExperimentError:
        return (0,)


def _planned(state: StudyState) -> StudyState:
    try:
        rows = tuple(StudyRow(member) for member in plan(state.spec))
    except ExperimentError as error:
        return StudyState(state.folder, state.spec, problem=str(error))
    return StudyState(state.folder, state.spec, rows=rows)
