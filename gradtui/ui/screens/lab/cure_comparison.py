"""Show a run beside another one: usually a fork with a cure beside the run that it was forked from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.screen import Screen
from textual.worker import get_current_worker

from gradtui.ui.disk_work import answer, leave
from gradtui.ui.followed_run import FollowedRun
from gradtui.ui.screens.lab.run_controls import RunControls
from gradtui.ui.widgets.status_bar import cure_of

if TYPE_CHECKING:
    from gradtui.study.live_repair import LiveRepair
    from gradtui.study.study import Study
    from gradtui.ui.screens.lab.cure_options import CureOption

SO_FAR, FINAL = "result so far", "final result"
"""When a verdict was given: while one of the two runs trains, or after both have ended."""


class CureComparison:
    """A CureComparison follows a second run beside the one on the screen, and starts forks with cures.

    Args:
        screen: the screen that shows both runs.
        followed: returns the run on the screen, or None before the first.
        open_run: shows another run, as ``open_run(folder, adopt=..., against=...)``.
        controls: what starts the forks.
    """

    def __init__(
        self,
        screen: Screen[Any],
        followed: Callable[[], FollowedRun | None],
        open_run: Callable[..., None],
        controls: RunControls,
    ) -> None:
        self._screen = screen
        self._followed = followed
        self._open_run = open_run
        self._controls = controls
        self._asks_parent = False
        self.partner: FollowedRun | None = None
        """The run beside the one on the screen; None without a comparison."""
        self.pair: tuple[Path, Path] | None = None
        """The two runs that were compared last, the one with the cure first."""
        self.cures: Study | None = None
        """The study of all cures of one run; their trainings continue while other screens are shown."""
        self.repaired: LiveRepair | None = None
        """The last repair in rounds."""

    # -- the second run

    def begin(self, against: Path | None, *, alone: bool = False) -> None:
        """Compare a run that has just been opened with `against`; None means its parent, if it names one.

        alone: do not compare it.
        """
        self.compare_with(against)
        self._asks_parent = against is None and not alone

    def compare_with(self, folder: Path | None) -> None:
        """Follow another run beside the one on the screen; None ends the comparison."""
        self.close()
        self.partner = None
        if folder is not None:
            self.partner = FollowedRun(self._screen, folder, compared=True)
            read = partial(_follow, self.partner)
            self._screen.run_worker(read, thread=True, exclusive=True, group="partner")
        self._screen.refresh_bindings()

    def show_next(self) -> str:
        """Show both runs, then the one without the cure alone, then the one with it alone, then both again.

        Return in a few words what is shown now; "" if there is no second run.
        """
        run, partner = self._followed(), self.partner
        if run is not None and partner is not None:
            self.pair = run.folder, partner.folder
            self._open_run(partner.folder, adopt=True, alone=True)
            return "the run without the cure, alone"
        if run is None or self.pair is None or run.folder not in self.pair:
            return ""
        cured, without_cure = self.pair
        if run.folder == without_cure:
            self._open_run(cured, adopt=True, alone=True)
            return "the run with the cure, alone"
        self._open_run(cured, adopt=True, against=without_cure)
        return "both runs"

    @property
    def shown(self) -> tuple[Path | None, Path | None]:
        """Return the folders of the run on the screen and of the one beside it, each None where there is none."""
        run, partner = self._followed(), self.partner
        return run.folder if run is not None else None, partner.folder if partner is not None else None

    @property
    def has_pair(self) -> bool:
        """Return whether the run on the screen is one of two that can be shown beside each other and alone."""
        run = self._followed()
        return run is not None and (
            self.partner is not None or (self.pair is not None and run.folder in self.pair)
        )

    def close(self) -> None:
        """Stop reading the second run."""
        if self.partner is not None:
            self.partner.close()

    def sync(self, run: FollowedRun) -> None:
        """Find the parent of a new run once, and make both runs show the same metric and step.

        If the partner is shorter, it shows its last step.
        """
        if self._asks_parent and run.parent is not None:
            from gradtui.runs.folder import is_run_folder

            self._asks_parent = False
            folder = run.folder.parent / run.parent.run
            if answer(partial(is_run_folder, folder), otherwise=False):
                self.compare_with(folder)
        partner = self.partner
        if partner is None or run.data is None:
            return
        newest, step = partner.snapshot.step if partner.snapshot is not None else 0, run.data.step
        asked = run.request
        at = step if newest > step else None
        request = replace(partner.request, metric=asked.metric, at=at, rows=2, plane=asked.plane)
        if request != partner.request:
            partner.show(request)

    def verdict(self) -> tuple[str, ...]:
        """Return the cure, when it is judged, and the lines of the verdict; empty before both runs can be judged."""
        from gradtui.diagnosis.outcome import verdict

        run, partner = self._followed(), self.partner
        if run is None or partner is None or run.outcome is None or partner.outcome is None:
            return ()
        ended = not run.live and not partner.live
        lines = verdict(partner.outcome, run.outcome).lines(ended=ended)
        return (cure_of(run), FINAL if ended else SO_FAR, *lines)

    # -- forks with cures

    def choose_cure(self) -> None:
        """Ask for a cure of the run on the screen, and train a fork with it beside the run."""
        from gradtui.ui.screens.lab.cure_options import CureListScreen, cure_options

        run = self._curable()
        if run is None or run.experiment is None:
            return
        experiment, folder, idle = run.experiment, run.folder, not run.live
        advised = [offer for finding in run.newest_findings or () for offer in finding.cures]

        def ask(found: list[CureOption]) -> None:
            options = {option.key: option for option in found}

            def take(key: str | None) -> None:
                if key is not None:
                    self._controls.start_fork(options[key], folder)

            screen = CureListScreen(found, experiment, advised, idle=idle)
            self._screen.app.push_screen(screen, take)

        self._controls.disk.do(lambda: cure_options(folder, experiment, advised), ask)

    def try_all_cures(self) -> None:
        """Train and rank every cure of the run on the screen, or of the one without the cure in a comparison."""
        run = self._curable()
        if run is not None:
            self._show_cures((self.partner or run).folder)

    def show_cures(self) -> None:
        """Show the list of cures that was shown last, also while the run on the screen is not read yet."""
        if self.cures is not None:
            self._show_cures(self.cures.folder)

    def _show_cures(self, without_cure: Path) -> None:
        from gradtui.ui.screens.study.cures_screen import CuresScreen

        def take(folder: Path | None) -> None:
            if folder is not None:
                against = without_cure if folder != without_cure else None
                self._open_run(folder, adopt=True, against=against, came_from="cures")

        self._screen.app.push_screen(CuresScreen(self._cures_of(without_cure)), take)

    def repair(self) -> None:
        """Repair the experiment of the run on the screen in rounds, or of the one without the cure in a comparison."""
        from gradtui.study.live_repair import LiveRepair

        run = self._curable()
        if run is None or run.experiment is None:
            return
        given = self.partner or run
        self.repaired = LiveRepair(given.experiment or run.experiment, given.folder)
        self.show_repair()

    def show_repair(self) -> None:
        """Show the last repair that was begun."""
        from gradtui.ui.screens.study.repair_screen import RepairScreen

        repaired = self.repaired
        if repaired is None:
            return

        def take(folder: Path | None) -> None:
            if folder is not None:
                against = repaired.folder if folder != repaired.folder else None
                self._open_run(folder, adopt=True, against=against, came_from="rounds")

        self._screen.app.push_screen(RepairScreen(repaired), take)

    def _curable(self) -> FollowedRun | None:
        """Return the run on the screen if it has an experiment that a cure could change; else notify."""
        run = self._followed()
        if run is None or run.experiment is None:
            self._screen.notify("Cures can only be trained for gradtui's own experiments", severity="warning")
            return None
        return run

    def _cures_of(self, without_cure: Path) -> Study:
        from gradtui.study.cure_study import cure_study

        cures = self.cures
        if cures is not None and cures.folder == without_cure.absolute() and not cures.cut_short:
            return cures
        if cures is not None:
            leave(cures.close)
        self.cures = cure_study(without_cure, only_follow=True)
        return self.cures

    def still_training(self) -> Path | None:
        """Return the folder of the run on the screen if it still trains, or else of the first cure that does."""
        run = self._followed()
        if run is not None and run.live:
            return run.folder
        rows = self.cures.state.rows if self.cures is not None else ()
        return next((row.folder for row in rows if row.live), None)


def _follow(run: FollowedRun) -> None:
    run.follow(get_current_worker())
