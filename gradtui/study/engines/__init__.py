"""Define the engines, which start the trainers of a study on this machine or on others.

Trainers write their run folders on any machine. To add an engine, write a module with a class that is an `Engine`, and
name it in `ENGINES`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from gradtui.experiment import Experiment, ExperimentError
from gradtui.experiment.memory import memory_of

TRAINER_BYTES = 300_000_000
"""The memory of a trainer before its net is built, in bytes; most of it is torch itself."""

LOST = -1000
"""The value that stands for an exit code if the machine of a trainer was lost, or no machine had room for it."""


class TrainerProcess(Protocol):
    """A TrainerProcess is a trainer that was started, such as gradtui.training.launch.Trainer."""

    def poll(self) -> int | None:
        """Return None while it trains or waits for a machine, then its exit code or LOST. Never blocks."""
        ...


StartTrainer = Callable[[Path], TrainerProcess]
"""Starts a trainer for the run in a folder. Raises OSError."""


@dataclass(frozen=True)
class Load:
    """A Load is what one of the current trainings needs of a machine."""

    memory: int
    """The memory in bytes."""
    builds: bool
    """Whether it has not taken all of that memory yet."""


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
        """Return whether one more trainer that needs `memory` bytes may be started beside those that run.

        It is always true if none runs: then the trainer itself finds and reports that the training does not fit.
        Never raises.
        """
        ...

    def start(self, folder: Path) -> TrainerProcess:
        """Train the run in `folder` from its newest checkpoint, or else from its start. Raises OSError, in one line."""
        ...

    def close(self) -> None:
        """Start nothing more; trainers that can continue without the engine do. Never raises."""
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


RAY_WITH_TOKENS = (2, 52)
"""The first version of Ray that can ask for a token."""


def ray_needs_consent() -> str:
    """Return the message that refuses to start a Ray cluster without consent: who could enter it, by Ray's version."""
    from importlib import metadata

    try:
        version = metadata.version("ray")
    except metadata.PackageNotFoundError:
        version = ""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if numbers >= RAY_WITH_TOKENS and os.environ.get("RAY_AUTH_MODE", "token") == "token":
        who = f"Ray {version} obeys everyone who knows its token, which only your processes have"
    else:
        who = "anyone who reaches its ports can run commands as you"
    return (
        "--engine ray: name a cluster by --address; a cluster that is started here listens on all network interfaces, "
        f"and {who}, so it is started only with --ray-listen"
    )


def engine_of(name: str, **options: str | bool) -> MakeEngine:
    """Import and make the engine of that name with the options. Raises KeyError on an unknown name."""
    module, _, class_name = ENGINES[name].partition(":")

    def make(jobs: int | None, threads: int) -> Engine:
        engine: Engine = getattr(import_module(module), class_name)(jobs, threads, **options)
        return engine

    return make
