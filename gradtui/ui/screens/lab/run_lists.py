"""Open the lists of runs and studies over the lab, and lead back through the lists that were left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from gradtui.ui.disk_work import answer

if TYPE_CHECKING:
    from gradtui.study.spec import StudySpec
    from gradtui.ui.screens.lab.cure_comparison import CureComparison
    from gradtui.ui.screens.study.study_store import StudyStore

LONGEST_TRAIL = 20
"""The most places that are remembered."""


@dataclass(frozen=True)
class Place:
    """A Place is a list from which a run was opened, and what the lab showed when the list was opened."""

    words: tuple[str, ...]
    """Its names, as the breadcrumb shows them."""
    reopen: Callable[[], None]
    run: Path | None = None
    """The run that the lab showed; None if there was none."""
    against: Path | None = None
    """The run that the lab showed beside it; None if there was none."""


class RunLists:
    """RunLists let the person choose a run in a list, and lead back to that list, and from there to the run before.

    Args:
        screen: the lab.
        open_run: shows a run, as ``open_run(folder, adopt=..., came_from=...)``.
        comparison: knows the runs on the screen; opens the list of all cures of a run, and the rounds of its repair.
        changed: called when the way back has become shorter.
    """

    def __init__(
        self,
        screen: Screen[Any],
        open_run: Callable[..., None],
        comparison: CureComparison,
        changed: Callable[[], None],
    ) -> None:
        self._screen = screen
        self._open_run = open_run
        self._comparison = comparison
        self._changed = changed
        self._study: StudySpec | None = None
        self.trail: list[Place] = []
        """The lists through which the run on the screen was reached; empty for one that was started here."""
        self.store: StudyStore | None = None
        """The studies; those that this app trains continue after the list is left."""

    @property
    def words(self) -> tuple[str, ...]:
        """Return the names of all places, for the breadcrumb."""
        return tuple(word for place in self.trail for word in place.words)

    def runs(self) -> None:
        """Open the list of runs."""
        from gradtui.runs.folder import runs_root
        from gradtui.ui.screens.runs.runs_screen import RunsScreen

        self._screen.app.push_screen(RunsScreen(runs_root()), partial(self._open, came_from="runs"))

    def studies(self, opens: StudySpec | None = None) -> None:
        """Open the list of studies, or one of them over it."""
        from gradtui.runs.folder import runs_root
        from gradtui.ui.screens.study.studies_screen import StudiesScreen
        from gradtui.ui.screens.study.study_store import StudyStore

        self.store = self.store or StudyStore(runs_root())
        screen = StudiesScreen(self.store, opens)

        def take(folder: Path | None) -> None:
            self._study = screen.opened
            self._open(folder, came_from="studies")

        self._screen.app.push_screen(screen, take)

    def report(self, folder: Path) -> None:
        """Ask for a file, and write the run in a folder there as one page to share."""
        from gradtui.ui.screens.report_dialog import ask_for_report

        ask_for_report(self._screen, [folder])

    def came(self, came_from: str) -> None:
        """Remember the list from which a run is opened; call this before the run is shown."""
        lists: dict[str, Callable[[], None]] = {
            "runs": self.runs,
            "cures": self._comparison.show_cures,
            "rounds": self._comparison.show_repair,
        }
        words: tuple[str, ...] = (came_from,)
        reopen = lists.get(came_from) or partial(self.studies, self._study)
        if came_from == "studies" and self._study is not None:
            words = (came_from, self._study.name)
        self.trail = [*self.trail, Place(words, reopen, *self._comparison.shown)][-LONGEST_TRAIL:]

    def back(self) -> None:
        """Show what the lab showed before the run was chosen, and over it the list in which it was chosen."""
        if not self.trail:
            return
        *rest, place = self.trail
        if place.run is not None and answer(place.run.is_dir, otherwise=False):
            self._open_run(place.run, adopt=True, against=place.against, alone=place.against is None)
        self.trail = rest
        self._changed()
        place.reopen()

    def _open(self, folder: Path | None, came_from: str) -> None:
        if folder is not None:
            self._open_run(folder, adopt=True, came_from=came_from)
