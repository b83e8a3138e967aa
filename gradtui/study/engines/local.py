"""Train the runs of a study on this machine: one trainer a core, as many as fit into the memory."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path

from gradtui.study.engines import Load, StartTrainer, TrainerProcess
from gradtui.training.launch import Worker
from gradtui.training.machine import cores, free_bytes


class LocalEngine:
    """A LocalEngine keeps trainers that take one run after another, because importing torch takes seconds.

    Args:
        jobs: the most trainers at once; by default as many as there are cores for.
        threads: the number of threads of each trainer.
        start: starts a trainer in a folder; used instead of the trainers that are kept.
    """

    def __init__(self, jobs: int | None = None, threads: int = 1, start: StartTrainer | None = None) -> None:
        self.jobs = jobs or max(1, cores() // max(1, threads))
        self._start = start
        self._workers: list[Worker] = []

    def has_room(self, memory: int, running: Collection[Load]) -> bool:
        """Return whether a core and enough memory are free for one more trainer."""
        if not running:
            return True
        if len(running) >= self.jobs:
            return False
        promised = sum(load.memory for load in running if load.builds)
        return free_bytes() - promised >= memory

    def start(self, folder: Path) -> TrainerProcess:
        """Train the run in `folder` with a free trainer, or with a new one. Raises OSError."""
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
        """Let each trainer exit once its current run has ended."""
        for worker in self._workers:
            worker.close()
        self._workers = []

    def kill(self) -> None:
        """Kill all trainers at once."""
        for worker in self._workers:
            worker.kill()
        self._workers = []
