"""Whether a net fits into memory, asked before it is built.

Linux promises more memory than it has and then kills the process, which leaves no reason behind.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch

from gradtui.experiment import Experiment
from gradtui.experiment.memory import examples, memory_of
from gradtui.training.failures import TrainingFailed

SURE = 0.9
"""Share of the activations' estimate that is needed in any case: it lies within a tenth of torch's own count."""


def check_fits(exp: Experiment, parameters: int, device: torch.device) -> None:
    """Raises TrainingFailed where what the net needs of this machine's memory is more than is free.

    On the CPU that is weights, gradients, the optimizer's state and what is kept for the backward pass; for a GPU
    the weights, which are drawn here. This refuses only what cannot work.
    """
    memory = memory_of(exp, parameters)
    needed = memory.weights
    kept = 0
    if device.type == "cpu":
        needed += memory.gradients + memory.optimizer
        kept = round(SURE * memory.activations)
    free = free_bytes()
    if free is not None and needed + kept > free:
        batch = f", a batch of {examples(exp):,} examples {size(kept)}" if kept > needed / 10 else ""
        raise TrainingFailed(
            f"out of memory: the net's {parameters:,} parameters need {size(needed)} to train{batch}, "
            f"and {size(free)} are free"
        )


def free_on(device: torch.device) -> int | None:
    """Memory that is free where the net of that device lies; None if unknown."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_bytes()


def free_bytes() -> int | None:
    """Memory that a process may still take here, by the machine and by its control group; None if unknown."""
    limits = [_available(), _left_in_group()]
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


def _available() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def _left_in_group() -> int | None:
    try:
        most = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if most == "max":
            return None
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        statistics = Path("/sys/fs/cgroup/memory.stat").read_text()
        # Files that were read lately count as used, and are dropped when memory is wanted.
        cached = re.search(r"^inactive_file (\d+)$", statistics, re.MULTILINE)
        return max(0, int(most) - used + (int(cached[1]) if cached else 0))
    except (OSError, ValueError):
        return None


def size(count: int) -> str:
    """Bytes as one says them."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
