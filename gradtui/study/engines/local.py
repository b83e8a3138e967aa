"""Trainers on this machine: one a core, as many as memory holds, each for one run after another."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path

from gradtui.study.engines import Load, Process, Start
from gradtui.training.launch import Worker
from gradtui.training.machine import cores, free_bytes


class LocalEngine:
    """Trainers that live as long as the study, for torch takes longer to import than many a run to train.

    Args:
        jobs: trainers at most at once; by default as many as there are cores for.
        threads: of each.
        start: starts a trainer in a folder, in place of these.
    """

    def __init__(self, jobs: int | None = None, threads: int = 1, start: Start | None = None) -> None:
        self.jobs = jobs or max(1, cores() // max(1, threads))
        self._start = start
        self._workers: list[Worker] = []

    def has_room(self, need: int, running: Collection[Load]) -> bool:
        """Whether there is a core and the memory for one more."""
        if not running:
            return True
        if len(running) >= self.jobs:
            return False
        promised = sum(load.need for load in running if load.builds)
        return free_bytes() - promised >= need

    def start(self, folder: Path) -> Process:
        """Have it trained by who is free. Raises OSError."""
        if self._start is not None:
            return self._start(folder)
        for worker in list(self._workers):
            if worker.free:
                with contextlib.suppress(BrokenPipeError):
                    return worker.start(folder)
            if not worker.alive:
                worker.close()
                self._workers.remove(worker)
        worker = Worker()
        self._workers.append(worker)
        return worker.start(folder)

    def close(self) -> None:
        """Let them go; who is at a run ends after it."""
        for worker in self._workers:
            worker.close()
        self._workers = []

    def kill(self) -> None:
        """End them."""
        for worker in self._workers:
            worker.kill()
        self._workers = []
