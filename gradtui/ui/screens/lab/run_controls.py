"""Start trainers from the lab, and send them commands."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from gradtui.experiment import Experiment
from gradtui.runs.scratch import Scratch
from gradtui.ui.disk_work import DiskWork

if TYPE_CHECKING:
    from gradtui.runs.control import CommandName
    from gradtui.runs.meta import Parent
    from gradtui.training.forks import Fork
    from gradtui.training.launch import Standby, Trainer
    from gradtui.ui.followed_run import FollowedRun
    from gradtui.ui.screens.lab.cure_options import CureOption


class Trainers:
    """Trainers starts the app's trainer processes, and keeps one ready on standby.

    A process needs about three seconds to import torch, so a standby process imports it soon after the app starts. It
    ends with the app; a trainer that runs does not. Every method may be called from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._standby: Standby | None = None
        self._closed = False
        self.running: list[Trainer] = []

    def warm(self) -> None:
        """Start a standby process, unless there is one. If this fails, the next training reports the error."""
        from gradtui.training.launch import Standby

        with self._lock, contextlib.suppress(OSError):
            if self._standby is None and not self._closed:
                self._standby = Standby()

    @property
    def ready(self) -> bool:
        """Return whether a start would be immediate."""
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
        """Train an experiment, and return its trainer without waiting for it.

        Args:
            experiment: what to train.
            parent: the run that it is compared with from the start.
            fork: a place in a run from which it continues.
            measure_in: a folder, for a run that measures one batch at initialisation and trains nothing.

        Raises:
            OSError: the folder cannot be written or the process not started.
        """
        from gradtui.training.launch import create_run, start_trainer

        if fork is None:
            folder = create_run(experiment, measure_in, parent=parent, preflight=measure_in is not None)
        else:
            from gradtui.training import forks

            folder = forks.create(fork, experiment, cure=parent.cure if parent else "")
        with self._lock:
            standby, self._standby = self._standby, None
            self.running = [trainer for trainer in self.running if trainer.poll() is None]
            # A standby process that is still importing is faster than a new one, since it began earlier.
            trainer = standby.start(folder) if standby else start_trainer(folder)
            self.running.append(trainer)
        return trainer

    def resume(self, folder: Path) -> Trainer:
        """Continue a run from its newest checkpoint. Raises OSError if the process cannot be started."""
        from gradtui.training.launch import start_trainer

        with self._lock:
            standby, self._standby = self._standby, None
            trainer = standby.start(folder) if standby else start_trainer(folder)
            self.running.append(trainer)
        return trainer

    def close(self) -> None:
        """End the standby process; running trainers continue."""
        with self._lock:
            self._closed = True
            if self._standby is not None:
                self._standby.close()
                self._standby = None


class RunControls:
    """RunControls start, pause and stop trainings for a screen.

    Args:
        screen: the screen whose workers start the processes, and that shows what went wrong.
        open_run: shows a run that was started; called in the screen's thread as
            ``open_run(folder, trainer=..., adopt=..., against=...)``.
    """

    def __init__(self, screen: Screen[Any], open_run: Callable[..., None]) -> None:
        self._screen = screen
        self._open_run = open_run
        self._preflights: Scratch | None = None
        self._awaited: tuple[FollowedRun | None, dict[str, Any]] = None, {}
        """The run to which changes were sent, and those that it has not applied yet, by dotted path."""
        self.disk = DiskWork(screen)
        self.trainers = Trainers()

    def warm(self) -> None:
        """Prepare the next trainer, without waiting for it."""
        self._screen.run_worker(self.trainers.warm, thread=True, exclusive=True, group="warm")

    def is_preflight(self, folder: Path) -> bool:
        """Return whether a folder holds a net that was only measured at initialisation by this app."""
        return self._preflights is not None and folder.parent == self._preflights.path

    def start(self, experiment: Experiment) -> None:
        """Train an experiment and show its run."""
        self._launch(lambda: self.trainers.start(experiment))

    def resume(self, run: FollowedRun | None) -> None:
        """Continue a run that was stopped."""
        if run is not None:
            self._launch(lambda: self.trainers.resume(run.folder), {"adopt": True})

    def restart(self, run: FollowedRun | None, experiment: Experiment) -> None:
        """Stop a run if it still trains, and train an experiment from its start."""
        if run is not None and run.live:
            self.send(run, "stop")
        self.start(experiment)

    def preflight(self, experiment: Experiment) -> None:
        """Send one batch through a net at initialisation, train nothing, and show what was measured."""

        def measure() -> Trainer:
            if self._preflights is None:
                self._preflights = Scratch()
            return self.trainers.start(experiment, measure_in=self._preflights.path)

        self._launch(measure)

    def start_fork(self, option: CureOption, against: Path) -> None:
        """Train a run's net with a cure, and show it beside that run."""
        self._launch(
            lambda: self.trainers.start(option.experiment, parent=option.parent, fork=option.fork),
            {"adopt": True, "against": against},
        )

    def start_pair(self, preset: str) -> None:
        """Train a preset and its partner, and show the one with the cure beside the one without."""
        from gradtui.experiment.presets import load_preset
        from gradtui.experiment.presets.curriculum import pair_of
        from gradtui.runs.meta import Parent

        pair = pair_of(preset)
        if pair is None:
            return
        shown: dict[str, Any] = {"adopt": True}

        def start() -> Trainer:
            problem = self.trainers.start(load_preset(pair[0]))
            shown["against"] = problem.folder
            return self.trainers.start(load_preset(pair[1]), parent=Parent(problem.folder.name, 0, pair[1]))

        self._launch(start, shown)

    def _launch(self, start: Callable[[], Trainer], shown: Mapping[str, Any] | None = None) -> None:
        """Start a trainer in a thread, since that uses files and processes, and then show its run.

        shown: how to show the run; it is read after the trainer was started.
        """

        def launch() -> None:
            app = self._screen.app
            try:
                trainer = start()
            except OSError as error:
                message = f"cannot start a run: {error}"
                app.call_from_thread(self._screen.notify, message, severity="error", markup=False)
            else:
                app.call_from_thread(
                    partial(self._open_run, trainer.folder, trainer=trainer, **(shown or {}))
                )

        self._screen.run_worker(launch, thread=True, exclusive=True, group="start")

    def send(self, run: FollowedRun | None, command: CommandName, **fields: object) -> None:
        """Send a command to the trainer of a run; if that is impossible, show why."""
        if run is not None and run.ignores_commands:
            self._screen.notify(
                "This script ignores controls; call probe.control() in its loop.",
                severity="warning",
                markup=False,
            )
        elif run is not None:
            self.disk.do(partial(run.send, command, **fields), partial(self._sent, run))

    def send_edits(self, run: FollowedRun | None, before: Experiment, after: Experiment) -> None:
        """Send a running trainer the changes of an edit, if all of them can be applied at once.

        An edit that also changes other fields (such as a preset) is another experiment, for the next start.
        """
        from gradtui.experiment.overrides import diff
        from gradtui.runs.control import LIVE

        changed = diff(before, after)
        if run is not None and run.live and changed and set(changed) <= set(LIVE):
            before_these = self._awaited[1] if self._awaited[0] is run else {}
            self._awaited = run, {**before_these, **changed}
            self.send(run, "set", set=changed)

    def trained_by(self, run: FollowedRun) -> Experiment | None:
        """Return the experiment of a run, with the changes that were sent to its trainer and are not applied yet.

        A trainer that still starts applies them with its first step.
        """
        sent_to, sent = self._awaited
        if run.experiment is None or sent_to is not run or not run.live or not sent:
            return run.experiment
        from gradtui.experiment.overrides import diff, set_fields

        waiting = diff(run.experiment, set_fields(run.experiment, sent))
        self._awaited = run, {path: value for path, value in sent.items() if path in waiting}
        return set_fields(run.experiment, waiting)

    def show_log(self, run: FollowedRun | None) -> None:
        """Show the last lines that the trainer of a run printed."""
        from gradtui.ui.screens.dialogs import LogScreen

        if run is not None:
            title = f"{run.folder.name} · trainer.log"
            self.disk.do(run.log, lambda lines: self._screen.app.push_screen(LogScreen(title, lines)))

    def _sent(self, run: FollowedRun, sent: bool) -> None:
        if not sent:
            self._screen.notify(run.problem, severity="error", markup=False)

    def close(self) -> None:
        """End the standby process and delete the runs that were only measured. Trainings continue."""
        self.trainers.close()
        if self._preflights is not None:
            self._preflights.remove()
