"""A seat for trainers on a machine of the cluster. It lives there, in an actor of Ray's, and knows nothing of Ray."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from gradtui.runs.control import ControlReader
from gradtui.runs.folder import CONTROL_FILE, HEARTBEAT_FILE, RUN_FILE
from gradtui.runs.status import is_in_use, read_status
from gradtui.study.engines import LOST
from gradtui.study.engines.cluster.mirror import News, Sender, receive
from gradtui.study.row import JUDGED
from gradtui.training.launch import Worker, WorkerRun

MARKER_FILE = ".folder-of-runs"
"""In a folder of runs, what tells it from all others."""
PATIENCE = 1.0
"""Seconds for which a look waits that the run ends."""
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Look:
    """What a look at a run found."""

    code: int | None
    """None while it is trained, then the trainer's exit code, or LOST where it was told to stop before it began."""
    news: list[News]
    """Of its files, where it is trained in a copy of its folder."""


class Seat:
    """Keeps a trainer, for one run after another: torch is imported once. The trainer is a process of its own, so what
    takes it down leaves the seat to say so; and it ends with the seat, however that ends.

    Args:
        home: where the person is, from where paths of data are meant; used where there is such a folder here.
    """

    def __init__(self, home: str) -> None:
        with contextlib.suppress(OSError):
            os.chdir(home)
        self._worker: Worker | None = None
        self._copy: TemporaryDirectory[str] | None = None

    def sees(self, folder: str, token: str) -> bool:
        """Whether the run's folder is seen from here: it and not one of the same name."""
        try:
            return Path(folder).is_dir() and Path(folder).with_name(MARKER_FILE).read_text() == token
        except OSError:
            return False

    def train(self, folder: str, files: list[News] | None) -> None:
        """Train the run in `folder`; with `files`, which are all of it, in a copy. Only once the last one is over.

        Raises OSError.
        """
        self._tidy()
        self._folder = Path(folder)
        self._sender: Sender | None = None
        if files is not None:
            self._unpack(files)
        self._turn: WorkerRun | None = None
        self._waited = False
        self._control = ControlReader(self._folder, skip_old=True)

    def look(self, wishes: bytes) -> Look:
        """Pass on what was wished meanwhile, as lines of control.jsonl, and wait a moment for the end.

        Raises OSError.
        """
        if wishes:
            with (self._folder / CONTROL_FILE).open("ab") as file:
                file.write(wishes)
        until = time.monotonic() + PATIENCE
        while (code := self._advance()) is None and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        news = self._sender.news() if self._sender is not None else []
        unsaid = self._sender is not None and self._sender.more
        return Look(None if unsaid else code, news)

    def leave(self) -> None:
        """End the trainer, and tidy up. Raises nothing."""
        if self._worker is not None:
            self._worker.kill()
        self._tidy()

    def _unpack(self, files: list[News]) -> None:
        self._copy = TemporaryDirectory(prefix="gradtui-", ignore_cleanup_errors=True)
        # The folder's name is the run's.
        self._folder = Path(self._copy.name) / self._folder.name
        self._folder.mkdir()
        receive(self._folder, files)
        for name in (HEARTBEAT_FILE, RUN_FILE):
            # Whoever trained it before did so elsewhere; that these were written just now says nothing of him.
            with contextlib.suppress(FileNotFoundError):
                os.utime(self._folder / name, (0, 0))
        self._sender = Sender(self._folder, leave=(CONTROL_FILE,))
        self._sender.skip()

    def _advance(self) -> int | None:
        if self._turn is not None:
            return self._turn.poll()
        if any(command.name == "stop" for command in self._control.poll()):
            return LOST
        if is_in_use(self._folder):
            # By one that we believed to be gone: a machine that is cut off from the cluster, not from the disk. Two
            # must never write one run, so this waits until it has ended, or its heart has stopped.
            self._waited = True
            return None
        if self._waited and read_status(self._folder).state in JUDGED:
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

    def _tidy(self) -> None:
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None
