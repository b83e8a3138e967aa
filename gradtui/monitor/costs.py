"""Measure what a training costs beside its gradients: the time of a step, memory, and how busy the GPU is.

It is asked about once a minute, and takes some 50 µs. What takes longer is done in a thread: the use of a GPU.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time

import torch

STATM = "/proc/self/statm"
"""Where Linux tells the memory of this process: its second number counts resident pages."""
LONGEST_SECONDS = 60.0
"""The longest time between two events that report the costs."""
GROWTH = 1.2
"""These events are closer at the beginning: each comes at this many times the time of the one before."""


class CostMeter:
    """A CostMeter measures the costs since it was last asked."""

    def __init__(self, device: torch.device) -> None:
        """`device` is that of the training."""
        self._device = device
        self._step, self._moment = 0, 0.0
        self._begun, self._next = time.monotonic(), 1.0
        self._step_seconds: float | None = None
        self._gpu_use: float | None = None
        self._asking: threading.Thread | None = None

    def due(self) -> bool:
        """Return whether to report the costs now."""
        elapsed = time.monotonic() - self._begun
        if elapsed < self._next:
            return False
        self._next = min(elapsed * GROWTH, elapsed + LONGEST_SECONDS)
        return True

    def begin(self, step: int, moment: float) -> None:
        """Count the time of steps from this one on: the first one takes longer than others."""
        self._step, self._moment = step, moment

    def read(self, step: int, moment: float) -> dict[str, float]:
        """Return the costs that are known, as the fields of an event.

        `step` is the newest one, and `moment` when it ended, in seconds since the epoch.
        """
        found: dict[str, float] = {}
        if step > self._step:
            self._step_seconds = (moment - self._moment) / (step - self._step)
            self._step, self._moment = step, moment
        if self._step_seconds is not None:
            found["step_seconds"] = self._step_seconds
        if (memory := _resident_bytes()) is not None:
            found["memory"] = memory
        with contextlib.suppress(Exception):
            found |= self._gpu()
        return found

    def _gpu(self) -> dict[str, float]:
        # Nothing here may start CUDA in a process that does not use it.
        if self._device.type != "cuda" or not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            return {}
        found = {
            "gpu_allocated": float(torch.cuda.memory_allocated(self._device)),
            "gpu_reserved": float(torch.cuda.memory_reserved(self._device)),
        }
        if self._gpu_use is not None:
            found["gpu_use"] = self._gpu_use
        if self._asking is None or not self._asking.is_alive():
            self._asking = threading.Thread(target=self._ask_use, name="gradtui-gpu", daemon=True)
            self._asking.start()
        return found

    def _ask_use(self) -> None:
        """Ask the driver; without nvidia-ml-py nothing is known. The answer is told with the next costs."""
        try:
            self._gpu_use = torch.cuda.utilization(self._device) / 100
        except Exception:
            self._gpu_use = None


def _resident_bytes() -> float | None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, ValueError, IndexError), open(STATM, "rb") as file:
            return float(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(Exception):
        import psutil

        return float(psutil.Process().memory_info().rss)
    return None
