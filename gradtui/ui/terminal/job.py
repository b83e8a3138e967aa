"""Tell whether a shell waits for this process, so that it can be stopped and continued."""

from __future__ import annotations

import os
from pathlib import Path


def can_be_continued() -> bool:
    """Return whether a process of the same session has started this process's group, as a shell does.

    A process that no shell could continue must not stop itself: the command of a tmux pane or of a container, for one.
    """
    group, parent = os.getpgrp(), os.getppid()
    # A wrapper such as `uv run` is of the same group; the shell is above it.
    while parent > 1 and _group_of(parent) == group:
        parent = _parent_of(parent)
    if parent <= 1:
        return False
    try:
        return os.getsid(parent) == os.getsid(0)
    except OSError:
        return False


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return -1


def _parent_of(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        # Without /proc a wrapper is not looked through.
        return 0
    # The name of the command, in brackets, may hold anything.
    return int(stat.rpartition(")")[2].split()[1])
