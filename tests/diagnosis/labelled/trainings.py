"""Train the labelled set with the trainer itself, in a separate process, and each experiment only once."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from gradtui.experiment import Experiment, dumps, set_fields
from gradtui.runs.reader import Run, open_run
from gradtui.training.launch import write_experiment
from gradtui.training.process import train_folder

NICE = 19
"""Every other work on the machine goes first."""


class Trainings:
    """A Trainings trains experiments into `root`; a run that is complete there is not trained again.

    In one process for all, because to import torch takes longer than most of them do.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._pool = ProcessPoolExecutor(
            1, mp_context=get_context("spawn"), initializer=os.nice, initargs=(NICE,)
        )

    def __call__(self, experiment: Experiment, seed: int) -> Run:
        """Return the ended run of that experiment."""
        seeded = set_fields(experiment, {"seed": seed})
        folder = self._root / hashlib.sha256(dumps(seeded).encode()).hexdigest()[:16]
        if not folder.is_dir() or not _ended(folder):
            folder.mkdir(parents=True, exist_ok=True)
            write_experiment(folder, seeded)
            self._pool.submit(train_folder, folder).result()
        return open_run(folder)

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown()


def _ended(folder: Path) -> bool:
    return any(event["event"] == "end" for event in open_run(folder).events())
