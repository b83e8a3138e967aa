"""Starting, pausing and ending trainings by keys."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work

from gradtui.experiment import Experiment
from gradtui.training.launch import Standby, Trainer, create_run, start_trainer
from gradtui.ui.time_cursor import Travelling

if TYPE_CHECKING:
    from pathlib import Path

    from gradtui.experiment import Experiment
    from gradtui.runs.control import WishName
    from gradtui.runs.meta import Parent
    from gradtui.training.forks import Fork
    from gradtui.training.launch import Trainer


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
        from gradtui.ui.screens.lab.run_controls import Trainers

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


class Trainers:
    """Starts trainings. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._standby: Standby | None = None
        self._closed = False
        self.running: list[Trainer] = []

    def warm(self) -> None:
        """Have a standby, unless there is one; where no process can be made, a start will say so."""
        with self._lock, contextlib.suppress(OSError):
            if self._standby is None and not self._closed:
                self._standby = Standby()

    @property
    def ready(self) -> bool:
        """Whether a start would be immediate."""
        standby = self._standby
        return standby is not None and standby.ready

    def start(
        self,
        experiment: Experiment,
        *,
        parent: Parent | None = None,
        fork: Fork | None = None,
        measure_in: Path | None = None,
    ) -> Trainer:
        """Train an experiment; answers at once.

        Args:
            experiment: what to train.
            parent: the run that it shall be held against, from the start.
            fork: a place in a run from which it goes on.
            measure_in: a folder, for a run that measures one batch at initialisation and trains nothing.

        Raises:
            OSError: the folder cannot be written or the process not started.
        """
        if fork is None:
            folder = create_run(experiment, measure_in, parent=parent, preflight=measure_in is not None)
        else:
            from gradtui.training import forks

            folder = forks.create(fork, experiment, cure=parent.cure if parent else "")
        with self._lock:
            standby, self._standby = self._standby, None
            self.running = [trainer for trainer in self.running if trainer.poll() is None]
            # A standby that is still importing is no slower than a new process: it is ahead of one.
            trainer = standby.start(folder) if standby else start_trainer(folder)
            self.running.append(trainer)
        return trainer

    def close(self) -> None:
        """End the standby; trainers that run go on."""
        with self._lock:
            self._closed = True
            if self._standby is not None:
                self._standby.close()
                self._standby = None
