"""Follow a run from here while a worker on a machine of the cluster trains it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradtui.ordinary_files import open_to_read
from gradtui.runs.control import ControlReader
from gradtui.runs.folder import CONTROL_FILE, LOG_FILE, size_of
from gradtui.runs.safe_files import append
from gradtui.study.engines import LOST
from gradtui.study.engines.folder_copy import FolderChanges, apply_changes
from gradtui.study.engines.ray_worker import RayWorker, RemoteState

FAILED = 1
"""The exit code of a run that could not be trained, and would fail on any machine."""


@dataclass(frozen=True)
class Resources:
    """A Resources is what a worker occupies of the cluster as long as it exists."""

    cpus: int
    gpus: int
    memory: int
    """The memory in bytes."""

    def serves(self, other: Resources) -> bool:
        """Return whether a worker with these resources can train a run that needs the other ones."""
        return (self.cpus, self.gpus) == (other.cpus, other.gpus) and self.memory >= other.memory


class WorkerHandle:
    """A WorkerHandle is this process's reference to a RayWorker, an actor of Ray that may still wait for a machine."""

    def __init__(self, ray: Any, resources: Resources) -> None:
        actor = ray.remote(RayWorker).options(
            num_cpus=resources.cpus, num_gpus=resources.gpus, memory=resources.memory
        )
        self.actor = actor.remote(str(Path.cwd()))
        self.resources = resources
        self.since = time.monotonic()
        self.placed = False
        """Whether it has a machine, which it shows by its first answer."""
        self.gone = False
        self.run: RemoteRun | None = None
        self._ray = ray

    @property
    def free(self) -> bool:
        """Return whether it can train a run now."""
        return self.placed and not self.gone and (self.run is None or self.run.over)

    def end(self) -> None:
        """End the worker and its trainer."""
        self.gone = True
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(self.actor)


class RemoteRun:
    """A RemoteRun is a run and its worker; one question to the worker at a time is open, and `poll` never waits for it.

    Args:
        token: the content of the marker in the folder of runs.
    """

    def __init__(self, ray: Any, worker: WorkerHandle, folder: Path, token: str) -> None:
        self._ray = ray
        self._worker = worker
        self._folder = folder
        self._code: int | None = None
        self._commands_passed = 0
        """The number of bytes of control.jsonl that were passed on."""
        self._control = ControlReader(folder, skip_old=True)
        self._ask(worker.actor.sees.remote(str(folder), token), self._begin)

    @property
    def over(self) -> bool:
        """Return whether the run is known to have ended."""
        return self._code is not None

    def poll(self) -> int | None:
        """Return None while it trains or waits for a machine, then the trainer's exit code or LOST."""
        while self._code is None:
            try:
                if not self._ray.wait([self._question], timeout=0)[0]:
                    self._withdraw()
                    break
                self._worker.placed = True
                self._then(self._ray.get(self._question))
            except self._ray.exceptions.RayActorError as error:
                if error.actor_init_failed:
                    self._fail(error)
                else:
                    # The machine or the worker's process is lost; one that no longer answers counts as lost too.
                    self.end(LOST)
            except (self._ray.exceptions.RayError, OSError) as error:
                self._fail(error)
        return self._code

    def end(self, code: int) -> None:
        """Regard the run as ended, if it is not, and end its worker."""
        if self._code is None:
            self._code = code
        self._worker.end()

    # -- calls to the worker

    def _ask(self, question: Any, then: Callable[[Any], None]) -> None:
        self._question, self._then = question, then

    def _begin(self, shares_folder: bool) -> None:
        files = None
        self._shares_folder = shares_folder
        if not shares_folder:
            # It is read before the copy is made: a command that arrives meanwhile is passed on twice, but obeyed once.
            self._commands_passed = size_of(self._folder / CONTROL_FILE)
            files = FolderChanges(self._folder).collect_all()
        self._ask(self._worker.actor.train.remote(str(self._folder), files), self._look)

    def _look(self, _: object) -> None:
        commands = b"" if self._shares_folder else self._new_commands()
        self._ask(self._worker.actor.poll.remote(commands), self._seen)

    def _seen(self, state: RemoteState) -> None:
        apply_changes(self._folder, state.changes)
        if state.code is None:
            self._look(None)
        self._code = state.code

    def _new_commands(self) -> bytes:
        try:
            with os.fdopen(open_to_read(self._folder / CONTROL_FILE), "rb") as file:
                file.seek(self._commands_passed)
                found = file.read()
        except FileNotFoundError:
            return b""
        whole = found[: found.rfind(b"\n") + 1]
        self._commands_passed += len(whole)
        return whole

    def _withdraw(self) -> None:
        """End the run if it was stopped before its worker had a machine, where there is nothing to stop yet."""
        if self._worker.placed:
            return
        if any(command.name == "stop" and not command.refusal for command in self._control.poll()):
            self.end(LOST)

    def _fail(self, error: Exception) -> None:
        """End the run with an error that has nothing to do with its machine, and write the reason as a trainer does."""
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        with contextlib.suppress(OSError):
            append(self._folder / LOG_FILE, f"on the cluster: {lines[-1].strip()}\n".encode())
        self.end(FAILED)
