"""Find how many cores and how much memory this machine has for trainers, without torch."""

from __future__ import annotations

import os
import re
from pathlib import Path

import psutil


def cores() -> int:
    """Return how many cores this process may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_bytes() -> int:
    """Return the free bytes of memory, limited by the machine and by this process's control group."""
    available = int(psutil.virtual_memory().available)
    in_group = _free_in_control_group()
    return available if in_group is None else min(available, in_group)


def _free_in_control_group() -> int | None:
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
        # Cached files count as used memory, but are dropped when memory is needed.
        cached = re.search(r"^inactive_file (\d+)$", (group / "memory.stat").read_text(), re.MULTILINE)
        return None if limit == "max" else max(0, int(limit) - used + (int(cached[1]) if cached else 0))
    except (OSError, ValueError):
        return None
