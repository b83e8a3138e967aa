"""Run a command to its end, and say what it has cost."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from tests.benchmarks.home import Home


class Spent(NamedTuple):
    """Spent says what a command has cost, and how many lines it has printed."""

    cpu: float
    """Seconds of CPU time."""
    passed: float
    """Seconds from its start to its end."""
    megabytes: float
    lines: int
    code: int
    """The exit code."""

    @classmethod
    def on_command(cls, home: Home, *words: str) -> Spent:
        """Run a command of gradtui."""
        return cls.on_python(home, ["-P", "-m", "gradtui", *words])

    @classmethod
    def on_python(cls, home: Home, words: Sequence[str]) -> Spent:
        """Run Python with these arguments."""
        read, write = os.pipe()
        actions = [(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_CLOSE, read)]
        began = time.perf_counter()
        child = os.posix_spawn(
            sys.executable, [sys.executable, *words], home.environment(), file_actions=actions
        )
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            lines = pipe.read().count(b"\n")
        _, status, usage = os.wait4(child, 0)
        passed = time.perf_counter() - began
        cpu = usage.ru_utime + usage.ru_stime
        return cls(cpu, passed, usage.ru_maxrss / 1024, lines, os.waitstatus_to_exitcode(status))
