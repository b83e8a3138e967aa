"""Where the trainings of a study run: this machine, or others.

An engine starts trainers; what they do stands in their run folders, whoever runs them. To add one, write a module with
a class that is an `Engine`, and name it in `ENGINES`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

LOST = -1000
"""In place of an exit code: the machine on which it trained has gone, or it never got a place on one."""


class Process(Protocol):
    """A trainer that was started (gradtui.training.launch.Trainer)."""

    def poll(self) -> int | None:
        """None while it is at its run or waits for a place, then its exit code, or LOST. Never blocks."""
        ...


Start = Callable[[Path], Process]
"""Starts a trainer of the run in a folder. Raises OSError."""


@dataclass(frozen=True)
class Load:
    """What one of the trainings under way asks of a machine."""

    need: int
    """Bytes of memory."""
    builds: bool
    """Whether it has not yet taken all of that."""


class Engine(Protocol):
    """Starts trainers, as many at once as it has room for. All methods are called from one thread at a time."""

    def has_room(self, need: int, running: Collection[Load]) -> bool:
        """Whether one more may be started that needs so many bytes, beside those. With none running, always: whether it
        fits at all, its trainer sees and says. Never raises."""
        ...

    def start(self, folder: Path) -> Process:
        """Have the run in `folder` trained from its newest checkpoint, or from its beginning. Raises OSError, one line,
        where it cannot be."""
        ...

    def close(self) -> None:
        """Let it go: what trains goes on where it can, and nothing more is started. Never raises."""
        ...

    def kill(self) -> None:
        """End all that it started, at once. Never raises."""
        ...


MakeEngine = Callable[[int | None, int], Engine]
"""By the number of trainers at most (None: as many as there are cores for) and the threads of each. Raises OSError,
ImportError with a line that says what to install."""

ENGINES = {
    "local": "gradtui.study.engines.local:LocalEngine",
    "ray": "gradtui.study.engines.cluster.engine:RayEngine",
}
"""By the word on the command line, the module and the class."""


def engine_of(word: str, **about: str) -> MakeEngine:
    """The engine of that name; `about`: what else it wants to know. Raises KeyError."""
    module, _, name = ENGINES[word].partition(":")

    def make(jobs: int | None, threads: int) -> Engine:
        engine: Engine = getattr(import_module(module), name)(jobs, threads, **about)
        return engine

    return make
