"""Train runs on a machine of a Ray cluster, in an actor of Ray; this module does not import Ray itself."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from gradtui.ordinary_files import read_whole
from gradtui.runs.control import ControlReader
from gradtui.runs.folder import CONTROL_FILE, HEARTBEAT_FILE, RUN_FILE
from gradtui.runs.safe_files import append, make_folder
from gradtui.runs.scratch import Scratch
from gradtui.runs.status import COMPLETED_STATES, is_in_use, read_status
from gradtui.study.engines import LOST
from gradtui.study.engines.folder_copy import FileChange, FolderChanges, apply_changes
from gradtui.training.launch import Worker, WorkerRun

MARKER_FILE = ".folder-of-runs"
"""The name of the file in a folder of runs whose content distinguishes it from all other such folders."""
CALL_SECONDS = 1.0
"""The time for which one call waits for the end of the run."""
POLL_SECONDS = 0.05
"""The time between two looks at the trainer within one call."""


def read_marker(marker: Path) -> str:
    """Return the content of the marker in a folder of runs. Raises OSError."""
    return read_whole(marker, 1000).decode(errors="replace")


@dataclass(frozen=True)
class RemoteState:
    """A RemoteState is the state of a run on another machine."""

    code: int | None
    """None while it is trained, then the trainer's exit code, or LOST if it was stopped before it began."""
    changes: list[FileChange]
    """The changes of the run's folder, if it is trained in a copy of it."""


class RayWorker:
    """A RayWorker keeps one trainer for one run after another, so that torch is imported once.

    The trainer is a process of its own: the worker survives and reports its crash, and the trainer ends with the
    worker in any case.

    Args:
        home: the working directory of the person, to which paths of data are relative; used if it exists here.
    """

    def __init__(self, home: str) -> None:
        with contextlib.suppress(OSError):
            os.chdir(home)
        self._worker: Worker | None = None
        self._copy: Scratch | None = None

    def sees(self, folder: str, token: str) -> bool:
        """Return whether this machine sees the run's folder, and not another folder of the same name."""
        try:
            return Path(folder).is_dir() and read_marker(Path(folder).with_name(MARKER_FILE)) == token
        except OSError:
            return False

    def train(self, folder: str, files: list[FileChange] | None) -> None:
        """Train the run in `folder`, or in a copy made of `files`; call it only after the last run has ended.

        Raises OSError.
        """
        self._remove_copy()
        self._folder = Path(folder)
        self._changes: FolderChanges | None = None
        if files is not None:
            self._unpack(files)
        self._turn: WorkerRun | None = None
        self._waited = False
        self._control = ControlReader(self._folder, skip_old=True)

    def poll(self, commands: bytes) -> RemoteState:
        """Pass on commands (lines of control.jsonl), wait a moment for the end of the run, and return its state.

        Raises OSError.
        """
        if commands:
            append(self._folder / CONTROL_FILE, commands)
        until = time.monotonic() + CALL_SECONDS
        while (code := self._advance()) is None and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        changes = self._changes.collect() if self._changes is not None else []
        incomplete = self._changes is not None and self._changes.more
        return RemoteState(None if incomplete else code, changes)

    def leave(self) -> None:
        """End the trainer and remove the copy. Never raises."""
        if self._worker is not None:
            self._worker.kill()
        self._remove_copy()

    def _unpack(self, files: list[FileChange]) -> None:
        self._copy = Scratch()
        # The name of the folder is the name of the run.
        self._folder = self._copy.path / self._folder.name
        make_folder(self._folder)
        apply_changes(self._folder, files)
        for name in (HEARTBEAT_FILE, RUN_FILE):
            # An earlier trainer was on another machine, so the new times of its files say nothing about it.
            with contextlib.suppress(FileNotFoundError):
                os.utime(self._folder / name, (0, 0))
        self._changes = FolderChanges(self._folder, leave=(CONTROL_FILE,))
        # The other side has what was just written.
        self._changes.collect_all()

    def _advance(self) -> int | None:
        if self._turn is not None:
            return self._turn.poll()
        if any(command.name == "stop" and not command.refusal for command in self._control.poll()):
            return LOST
        if is_in_use(self._folder):
            # A trainer that was taken for lost still writes it: its machine is cut off from the cluster but not from
            # the disk. Two must never write one run, so this waits until it has ended or its heartbeat has stopped.
            self._waited = True
            return None
        if self._waited and read_status(self._folder).state in COMPLETED_STATES:
            return 0
        self._turn = self._start()
        return None

    def _start(self) -> WorkerRun:
        if self._worker is not None and self._worker.free:
            with contextlib.suppress(BrokenPipeError):
                return self._worker.start(self._folder)
        if self._worker is not None:
            self._worker.close()
        self._worker = Worker(tied=True)
        return self._worker.start(self._folder)

    def _remove_copy(self) -> None:
        if self._copy is not None:
            self._copy.remove()
            self._copy = None
