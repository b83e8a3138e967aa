"""The trainer processes that the app starts: one kept warm, and those that run.

A process needs about three seconds to import torch, so one that has done so waits from the app's first
moments on. It ends with the app; a trainer that runs does not.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from gradtui.experiment import Experiment
from gradtui.training.launch import Standby, Trainer, create_run, start_trainer

if TYPE_CHECKING:
    from pathlib import Path

    from gradtui.runs.meta import Parent
    from gradtui.training.forks import Fork


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
