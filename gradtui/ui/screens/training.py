"""Starting, pausing and ending trainings by keys."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work

from gradtui.ui.screens.travelling import Travelling

if TYPE_CHECKING:
    from gradtui.experiment import Experiment
    from gradtui.runs.control import WishName
    from gradtui.training.launch import Trainer
    from gradtui.ui.trainers import Trainers


class Training(Travelling):
    """Has trainers, starts them on the draft, and sends the person's wishes to the one on the screen."""

    def __init__(self) -> None:
        super().__init__()
        self.measured: Path | None = None
        """Where nets are measured before they are trained; it goes with the app."""
        self.trainers: Trainers | None = None
        self.trainers_lock = threading.Lock()

    @property
    def draft(self) -> Experiment:
        """The experiment that a start would train."""
        raise NotImplementedError

    def open_run(
        self,
        folder: Path,
        *,
        adopt: bool = False,
        trainer: Trainer | None = None,
        against: Path | None = None,
    ) -> None:
        """Show a run from now on."""
        raise NotImplementedError

    def have_trainers(self) -> Trainers:
        """The trainers of this app; from any thread."""
        from gradtui.ui.trainers import Trainers

        with self.trainers_lock:
            if self.trainers is None:
                self.trainers = Trainers()
            return self.trainers

    @work(thread=True, exclusive=True, group="warm")
    def warm_again(self) -> None:
        """Have the next trainer ready."""
        self.have_trainers().warm()

    def on_unmount(self) -> None:
        """The standby ends with the app."""
        if self.trainers is not None:
            self.trainers.close()
        if self.measured is not None:
            shutil.rmtree(self.measured, ignore_errors=True)

    def still_training(self) -> Path | None:
        """The folder of the run on the screen, if it still trains."""
        return self.watching.folder if self.watching is not None and self.watching.live else None

    @work(thread=True, exclusive=True, group="start")
    def start_training(self, experiment: Experiment, *, measure: bool = False) -> None:
        """Start a trainer (a matter of files and processes, so not in the painting thread).

        measure: have one batch go through the net at initialisation, and train nothing.
        """
        try:
            if measure and self.measured is None:
                self.measured = Path(tempfile.mkdtemp(prefix="gradtui-"))
            trainer = self.have_trainers().start(experiment, measure_in=self.measured if measure else None)
        except OSError as error:
            self.app.call_from_thread(
                self.notify, f"cannot start a run: {error}", severity="error", markup=False
            )
            return
        self.app.call_from_thread(self.open_run, trainer.folder, trainer=trainer)

    def action_start(self) -> None:
        """Train the draft."""
        self.start_training(self.draft)

    def action_preflight(self) -> None:
        """Measure the draft at initialisation, beside theory."""
        self.start_training(self.draft, measure=True)

    def action_restart(self) -> None:
        """Stop what runs and train the draft from its start."""
        if self.watching is not None and self.watching.live:
            self.watching.send("stop")
        self.action_start()

    def action_pause(self) -> None:
        """Hold the training after the step that it is in."""
        self.wish("pause")

    def action_resume(self) -> None:
        """Go on."""
        self.wish("resume")

    def action_single_step(self) -> None:
        """One step, then hold."""
        self.wish("step")

    def action_stop(self) -> None:
        """End the training here."""
        self.wish("stop")

    def wish(self, wish: WishName, **fields: object) -> None:
        """Send a wish to the trainer; where that cannot be, say why."""
        if self.watching is not None and self.watching.deaf:
            self.notify(
                "This script does not ask what is wished: it would call probe.control().",
                severity="warning",
                markup=False,
            )
        elif self.watching is not None and not self.watching.send(wish, **fields):
            self.notify(self.watching.problem, severity="error", markup=False)
