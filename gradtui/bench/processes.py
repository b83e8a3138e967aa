"""What the operating system knows of other processes: their time, their memory, their children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

PROC = Path("/proc")


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process has used, all its threads together and without its children's."""
    fields = _stat(pid)
    if fields:
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return sum(_clock(line) for line in _ps("-o", "time=", "-p", str(pid)))


def memory_mb(pid: int) -> float:
    """The most memory that a process has held at once so far; where there is no /proc, what it holds now."""
    with contextlib.suppress(OSError):
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return sum(int(line) for line in _ps("-o", "rss=", "-p", str(pid))) / 1024


def descendants(pid: int) -> list[int]:
    """Children, their children, and so on."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found, waiting = [], [pid]
    while waiting:
        fresh = children.get(waiting.pop(), [])
        found += fresh
        waiting += fresh
    return found


def end_tree(pid: int) -> None:
    """Kill a process and all that it has started."""
    # It must not start another one meanwhile, nor may its children become somebody else's before they are known.
    _signal(pid, signal.SIGSTOP)
    below = descendants(pid)
    for each in (pid, *below):
        _signal(each, signal.SIGKILL)


def end_children(pid: int) -> None:
    """Kill what a process has started, and leave it alone."""
    for each in descendants(pid):
        _signal(each, signal.SIGKILL)


def wait_idle(pids: list[int], seconds: float) -> bool:
    """Wait until processes use no more than a twentieth of a core over a fifth of a second."""
    end = time.perf_counter() + seconds
    before = sum(map(cpu_seconds, pids))
    while time.perf_counter() < end:
        time.sleep(0.2)
        now = sum(map(cpu_seconds, pids))
        if now - before <= 0.01:
            return True
        before = now
    return False


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _parents() -> list[tuple[int, int]]:
    """Every process with its parent."""
    if _stat(os.getpid()):
        pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
        return [(pid, int(fields[1])) for pid in pids if (fields := _stat(pid))]
    pairs = [line.split() for line in _ps("-A", "-o", "pid=,ppid=")]
    return [(int(pid), int(parent)) for pid, parent in pairs]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; none where there is no such process or no /proc."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _ps(*words: str) -> list[str]:
    done = subprocess.run(["ps", *words], capture_output=True, text=True)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def _clock(text: str) -> float:
    """Seconds of ps's [[days-]hours:]minutes:seconds."""
    days, _, clock = text.rpartition("-")
    seconds = 0.0
    for part in clock.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds + 86400 * int(days or 0)
