"""Identify the process that writes a run, and check whether it is still alive.

This reads /proc itself: run.json holds the start of a process in clock ticks since boot, which psutil's public
interface lacks, and the list of runs needs it before the first frame, when importing psutil would take too long.
"""

from __future__ import annotations

import functools
import os
import socket
from pathlib import Path


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot, to detect a reused pid. None without /proc."""
    fields = _stat_fields(pid)
    return int(fields[19]) if fields else None


def is_alive(pid: int, started: int | None) -> bool:
    """Return whether the process `pid` that started at `started` still runs here. A zombie counts as ended.

    If `started` is None, only the pid is compared.
    """
    if pid <= 0:
        return False
    fields = _stat_fields(pid)
    if fields:
        return fields[0] not in ("Z", "X", "x") and started in (None, int(fields[19]))
    if _has_proc():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def host_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


@functools.cache
def machine() -> str:
    """Return the boot and the pid namespace as a text, which is equal for processes that can see each other's pid.

    A host's name does not suffice: two containers may share one, and a machine keeps it when it restarts.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _has_proc() -> bool:
    return Path("/proc/self/stat").exists()


def _stat_fields(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat from the state on; the name before it may contain blanks and brackets."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
