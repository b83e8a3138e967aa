"""RunLists open the lists of runs and studies over the lab, and know the way back to the one that a run came from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

if TYPE_CHECKING:
    from gradtui.ui.screens.lab.cure_comparison import CureComparison
    from gradtui.ui.screens.study.study_store import StudyStore


class RunLists:
    """RunLists let the person choose a run in a list, and open that list again.

    Args:
        screen: the lab.
        open_run: shows a run, as ``open_run(folder, adopt=..., came_from=...)``.
        comparison: opens the list of all fixes of a run, and the rounds of its repair.
    """

    def __init__(
        self, screen: Screen[Any], open_run: Callable[..., None], comparison: CureComparison
    ) -> None:
        self._screen = screen
        self._open_run = open_run
        self._comparison = comparison
        self.came_from = ""
        """The list from which the run on the screen was opened; "" for one that was started here."""
        self.store: StudyStore | None = None
        """The studies, those under way among them, once their list was opened."""

    def runs(self) -> None:
        """Open the list of runs."""
        from gradtui.runs.folder import runs_root
        from gradtui.ui.screens.runs.runs_screen import RunsScreen

        self._screen.app.push_screen(RunsScreen(runs_root()), partial(self._open, came_from="runs"))

    def studies(self) -> None:
        """Open the list of studies."""
        from gradtui.runs.folder import runs_root
        from gradtui.ui.screens.study.studies_screen import StudiesScreen
        from gradtui.ui.screens.study.study_store import StudyStore

        self.store = self.store or StudyStore(runs_root())
        self._screen.app.push_screen(StudiesScreen(self.store), partial(self._open, came_from="studies"))

    def report(self, folder: Path) -> None:
        """Ask for a file, and write the run in a folder there as one page to share."""
        from gradtui.ui.screens.report_dialog import ask_for_report

        ask_for_report(self._screen, [folder])

    def back(self) -> None:
        """Open the list again from which the run on the screen was opened."""
        lists = {
            "runs": self.runs,
            "studies": self.studies,
            "fixes": self._comparison.try_all_cures,
            "rounds": self._comparison.show_repair,
        }
        if self.came_from:
            lists[self.came_from]()

    def _open(self, folder: Path | None, came_from: str) -> None:
        if folder is not None:
            self._open_run(folder, adopt=True, came_from=came_from)
