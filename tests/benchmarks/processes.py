"""Measure the time, the memory and the children of other processes, and end them."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import psutil


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, all its threads together and without its children; 0 if it is gone."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def memory_mb(pid: int) -> float:
    """Return the largest resident memory of a process so far; where the system does not say, its present one."""
    with contextlib.suppress(OSError):
        # psutil has no peak on Linux.
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return float(psutil.Process(pid).memory_info().rss) / 2**20


def descendants(pid: int) -> list[int]:
    """Return the process ids of the children, their children, and so on."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def end_tree(pid: int) -> None:
    """Kill a process and all that it has started."""
    # Stopped first: it must not start another process meanwhile, nor may its children lose their parent
    # before they are known.
    _signal([pid], signal.SIGSTOP)
    _signal([pid, *descendants(pid)], signal.SIGKILL)


def end_children(pid: int) -> None:
    """Kill all that a process has started, and leave the process itself alone."""
    _signal(descendants(pid), signal.SIGKILL)


def wait_idle(pids: list[int], seconds: float) -> bool:
    """Wait until the processes use at most a twentieth of a core over a fifth of a second; False if they do not."""
    end = time.perf_counter() + seconds
    before = sum(map(cpu_seconds, pids))
    while time.perf_counter() < end:
        time.sleep(0.2)
        now = sum(map(cpu_seconds, pids))
        if now - before <= 0.01:
            return True
        before = now
    return False


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            psutil.Process(pid).send_signal(number)
