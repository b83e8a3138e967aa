"""What this machine has for trainers: cores and memory. Asked without torch."""

from __future__ import annotations

import os
import re
from pathlib import Path


def cores() -> int:
    """Cores that this process may use: fewer than the machine has where it is held to some of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_bytes() -> int | None:
    """Memory that processes may still take, by the machine and by the control group; None where neither says."""
    # As gradtui.training.device counts it for the trainer itself, which may import torch and this may not.
    known = [limit for limit in (_available(), _left_in_group()) if limit is not None]
    return min(known) if known else None


def _available() -> int | None:
    try:
        found = re.search(r"^MemAvailable: *(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _left_in_group() -> int | None:
    group = Path("/sys/fs/cgroup")
    try:
        most = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
        cached = re.search(r"^inactive_file (\d+)$", (group / "memory.stat").read_text(), re.MULTILINE)
        # Files that were read lately count as used, and are dropped when memory is wanted.
        return None if most == "max" else max(0, int(most) - used + (int(cached[1]) if cached else 0))
    except (OSError, ValueError):
        return None
