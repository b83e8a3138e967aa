"""A cure that proves itself: a twin of the sick run trains beside it, and both are drawn over each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work
from textual.reactive import var
from textual.worker import get_current_worker

from gradtui.ui.screens.lab.run_controls import Training
from gradtui.ui.watching import Watching

if TYPE_CHECKING:
    from gradtui.diagnosis.verdict import Verdict
    from gradtui.study.trials import Trials
    from gradtui.ui.treatment import Treatment


class Comparing(Training):
    """Holds the run on the screen against another one."""

    partner: var[Watching | None] = var(None)
    """What the run on the screen is held against: the one without the cure, mostly."""

    def __init__(self) -> None:
        super().__init__()
        self.trials: Trials | None = None
        """Every cure of one sick run; they go on while other things are looked at."""

    # -- starting a twin

    def action_treat(self) -> None:
        """Choose a cure of the run on the screen, and train a twin with it."""
        from gradtui.ui.screens.dialogs import Choice, ChooseScreen
        from gradtui.ui.treatment import treatments

        watching = self.watching
        if watching is None or watching.experiment is None:
            self.notify("only a run of an experiment can be cured here", severity="warning")
            return
        experiment = watching.experiment
        advised = [cure.key for finding in watching.standing or () for cure in finding.cures]
        offers = {offer.key: offer for offer in treatments(watching.folder, experiment, advised)}

        def take(key: str | None) -> None:
            if key is not None:
                self.start_twin(offers[key], watching.folder)

        choices = [
            Choice(key, offer.title, offer.line(experiment), marked=offer.cure.key in advised)
            for key, offer in offers.items()
        ]
        self.app.push_screen(ChooseScreen("Train a twin with this cure", choices, title_width=0), take)

    @work(thread=True, exclusive=True, group="start")
    def start_twin(self, treatment: Treatment, sick: Path) -> None:
        """Start it, and hold it against the sick run."""
        try:
            trainer = self.have_trainers().start(
                treatment.experiment, parent=treatment.parent, fork=treatment.fork
            )
        except OSError as error:
            self.app.call_from_thread(
                self.notify, f"cannot start a run: {error}", severity="error", markup=False
            )
            return
        self.app.call_from_thread(self.open_run, trainer.folder, adopt=True, trainer=trainer, against=sick)

    # -- every cure at once

    def action_try_all(self) -> None:
        """Have every cure of the sick run trained and ranked: of the one without the cure, where two are compared."""
        from gradtui.ui.screens.trials import TrialsScreen

        watching = self.watching
        if watching is None or watching.experiment is None:
            self.notify("only a run of an experiment can be cured here", severity="warning")
            return
        sick = (self.partner or watching).folder

        def take(folder: Path | None) -> None:
            if folder is not None:
                self.open_run(folder, adopt=True, against=sick if folder != sick else None)

        self.app.push_screen(TrialsScreen(self._trials_of(sick)), take)

    def _trials_of(self, sick: Path) -> Trials:
        from gradtui.study.trials import Trials

        trials = self.trials
        if trials is not None and trials.folder == sick.absolute() and not trials.cut_short:
            return trials
        if trials is not None:
            trials.close()
        self.trials = Trials(sick)
        return self.trials

    def still_training(self) -> Path | None:
        """The run on the screen, if it still trains, or else the first of the cures that does."""
        trials = self.trials.state.rows if self.trials is not None else ()
        return super().still_training() or next((row.folder for row in trials if row.live), None)

    # -- the other run

    def compare_with(self, folder: Path | None) -> None:
        """Hold the run on the screen against that one; None is against none."""
        if self.partner is not None:
            self.partner.close()
        self.partner = None if folder is None else Watching(self, folder, beside=True)
        if self.partner is not None:
            self.follow_partner(self.partner)
        self.refresh_bindings()

    @work(thread=True, exclusive=True, group="partner")
    def follow_partner(self, partner: Watching) -> None:
        """Read its folder until another run is compared with."""
        partner.follow(get_current_worker())

    async def action_alone(self) -> None:
        """Compare no more."""
        self.compare_with(None)
        if self.watching is not None:
            await self.paint(self.watching)

    async def paint(self, watching: Watching) -> None:
        """Show the state of the run on the screen."""
        raise NotImplementedError

    def find_parent(self, watching: Watching) -> None:
        """Hold a run against the one that it names itself, where that is still there."""
        from gradtui.runs.folder import is_run_folder

        if watching.parent is not None and is_run_folder(watching.folder.parent / watching.parent.run):
            self.compare_with(watching.folder.parent / watching.parent.run)

    def look_beside(self) -> None:
        """Look at the same measure and the same step of both, or the last step that the other one has."""
        watching, partner = self.watching, self.partner
        if watching is None or partner is None or watching.sight is None:
            return
        newest = partner.snapshot.step if partner.snapshot is not None else 0
        step = watching.sight.step
        at = step if newest > step else None
        look = replace(partner.look, measure=watching.look.measure, at=at, rows=2)
        if look != partner.look:
            partner.look_at(look)

    def verdict(self) -> Verdict | None:
        """What became of the other run's findings, as far as both have got."""
        from gradtui.diagnosis.verdict import verdict

        watching, partner = self.watching, self.partner
        if watching is None or partner is None or watching.outcome is None or partner.outcome is None:
            return None
        return verdict(partner.outcome, watching.outcome)
