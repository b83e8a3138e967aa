"""An engine starts the trainers of a study, on this machine or on others.

What trainers do is written in their run folders, whichever machine they run on. To add an engine, write a module with a
class that is an `Engine`, and name it in `ENGINES`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from gradtui.experiment import Experiment, ExperimentError
from gradtui.experiment.memory import memory_of

TRAINER_BYTES = 300_000_000
"""Memory that a trainer takes before its net is built, mostly torch itself."""

LOST = -1000
"""Stands in place of an exit code where the machine of a trainer was lost, or the trainer never got a place on one."""


class TrainerProcess(Protocol):
    """A TrainerProcess is a trainer that was started, such as gradtui.training.launch.Trainer."""

    def poll(self) -> int | None:
        """Return None while it trains or waits for a place, then its exit code or LOST. Never blocks."""
        ...


StartTrainer = Callable[[Path], TrainerProcess]
"""Starts a trainer for the run in a folder. Raises OSError."""


@dataclass(frozen=True)
class Load:
    """A Load says what one of the current trainings asks of a machine."""

    memory: int
    """Bytes."""
    builds: bool
    """This is true if it has not yet taken all of that memory."""


def memory_estimate(experiment: Experiment) -> int:
    """Return how many bytes the trainer of this experiment will take."""
    try:
        return TRAINER_BYTES + memory_of(experiment).total
    except (ExperimentError, OSError):
        # Its data cannot be read, which the trainer will report.
        return TRAINER_BYTES


class Engine(Protocol):
    """An Engine starts as many trainers at once as it has room for; one thread at a time calls its methods."""

    def has_room(self, memory: int, running: Collection[Load]) -> bool:
        """Return whether one more trainer that needs so many bytes may be started beside those that run.

        Always true where none runs: whether the training fits at all is then found out and reported by its trainer.
        Never raises.
        """
        ...

    def start(self, folder: Path) -> TrainerProcess:
        """Train the run in `folder` from its newest checkpoint, or from its beginning. Raises OSError, one line."""
        ...

    def close(self) -> None:
        """Start nothing more; what trains goes on where it can. Never raises."""
        ...

    def kill(self) -> None:
        """Kill at once all trainers that it started. Never raises."""
        ...


MakeEngine = Callable[[int | None, int], Engine]
"""Makes an engine from the most trainers at once (None: as many as there are cores for) and the threads of each. Raises
OSError, and ImportError with a line that says what to install."""

ENGINES = {
    "local": "gradtui.study.engines.local:LocalEngine",
    "ray": "gradtui.study.engines.ray_engine:RayEngine",
}
"""Module and class of each engine, by its name on the command line."""


RAY_NEEDS_CONSENT = (
    "--engine ray: name a cluster by --address; a cluster that is started here listens on all network interfaces, and "
    "anyone who reaches its ports can run commands as you, so it is started only with --ray-listen"
)
"""The message that refuses to start a Ray cluster without being asked."""


def engine_of(name: str, **options: str | bool) -> MakeEngine:
    """Return the engine of that name, which is imported when it is made and given the options. Raises KeyError."""
    module, _, class_name = ENGINES[name].partition(":")

    def make(jobs: int | None, threads: int) -> Engine:
        engine: Engine = getattr(import_module(module), class_name)(jobs, threads, **options)
        return engine

    return make
