"""Keeping a trainer that takes one run after another (see turns.py), from a process that must never import torch."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
from pathlib import Path

from gradtui.training.launch import trainer_command, trainer_environment


class Worker:
    """A trainer process for many runs, one at a time. When whoever keeps it ends, however that happens, it ends after
    the run that it is at.

    Args:
        tied: it then ends that run as well, where it is.
    """

    def __init__(self, *, tied: bool = False) -> None:
        """Starts it; returns at once. Raises OSError where no process can be made."""
        self._process = subprocess.Popen(
            trainer_command("--tied-worker" if tied else "--worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=trainer_environment(),
        )
        self._turn: Turn | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    @property
    def free(self) -> bool:
        """Whether it lives and can take a run. After one that failed it is about to end."""
        return (self._turn is None or self._turn.poll() == 0) and self.alive

    def start(self, folder: Path) -> Turn:
        """Train the run in `folder`; only while it is free. Raises OSError where it has gone meanwhile."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(os.fsencode(folder.resolve()) + b"\n")
        stdin.flush()
        self._turn = Turn(self._process)
        return self._turn

    def close(self) -> None:
        """Let it go: it ends now, or after the run that it is at."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def kill(self) -> None:
        """End it at once, and the run that it is at."""
        self._process.kill()
        self._process.wait()
        self.close()


class Turn:
    """One run of a worker."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._code: int | None = None

    def poll(self) -> int | None:
        """None while it is trained, then the exit code; below 0 the signal that ended the worker in mid-run. Never
        blocks."""
        if self._code is None:
            self._code = self._answer()
        return self._code

    def _answer(self) -> int | None:
        stdout = self._process.stdout
        if stdout is None or stdout.closed:
            return self._process.poll()
        readable, _, _ = select.select([stdout], [], [], 0)
        if not readable:
            return None
        # One run at a time, so one short line at a time; at the worker's death the pipe is readable and empty.
        line = os.read(stdout.fileno(), 16)
        return int(line) if line.endswith(b"\n") else self._process.wait()
