"""Run commands of gradtui in forked processes with bounds of time and memory, and report their faults."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.hostile_text import orders_in

MOST_SECONDS = 5.0
"""The CPU seconds that a command may take. By the clock it gets four times as many, since others may use the core."""
MOST_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Outcome:
    """An Outcome is the result of a command: its exit code, its output, and its fault."""

    code: int
    """The exit code; if it is negative, the signal that ended the command."""
    stdout: str
    stderr: str
    seconds: float
    bytes: int
    """The most memory that the command had."""
    fault: str
    """Why this is a fault of the program; empty if it is none."""


def run_bounded(work: Callable[[], int], seconds: float = MOST_SECONDS) -> Outcome:
    """Run a function, which returns an exit code, in a process that is forked from this one."""
    read_ends, write_ends = zip(*(os.pipe() for _ in range(2)), strict=True)
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_the_child(work, write_ends, seconds)
    for end in write_ends:
        os.close(end)
    output = [b"", b""]

    def read(index: int) -> None:
        with os.fdopen(read_ends[index], "rb") as pipe:
            output[index] = pipe.read()

    readers = [threading.Thread(target=read, args=(index,)) for index in range(2)]
    for reader in readers:
        reader.start()
    _, status, usage = os.wait4(child, 0)
    taken = time.monotonic() - began
    for reader in readers:
        reader.join()
    code = os.waitstatus_to_exitcode(status)
    stdout, stderr = (text.decode(errors="replace") for text in output)
    peak = usage.ru_maxrss * 1024
    return Outcome(code, stdout, stderr, taken, peak, _fault(code, stdout, stderr, peak, seconds))


def run_command(
    words: Sequence[str], home: Path, seconds: float = MOST_SECONDS, before: Callable[[], None] = lambda: None
) -> Outcome:
    """Run one command line of gradtui in such a process, after a call of `before`."""

    def work() -> int:
        from gradtui.cli import main

        before()
        os.environ.update(GRADTUI_HOME=str(home), GRADTUI_DEBUG="1", COLUMNS="100")
        return main(list(words))

    return run_bounded(work, seconds)


def _be_the_child(work: Callable[[], int], ends: Sequence[int], seconds: float) -> None:
    code = 70
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, end in enumerate((nothing, *ends)):
            os.dup2(end, number)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
        for number, timer, most in (
            (signal.SIGPROF, signal.ITIMER_PROF, seconds),
            (signal.SIGALRM, signal.ITIMER_REAL, 4 * seconds),
        ):
            signal.signal(number, signal.SIG_DFL)
            signal.setitimer(timer, most)
        limit = size_now() + 3 * MOST_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        code = work()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def size_now() -> int:
    """Return the bytes of address space that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _fault(code: int, stdout: str, stderr: str, peak: int, seconds: float) -> str:
    if code in (-signal.SIGALRM, -signal.SIGPROF):
        return (
            f"took over {seconds:g} s of a core" if code == -signal.SIGPROF else f"hung for {4 * seconds:g} s"
        )
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    if "Traceback" in stderr:
        lines = stderr.strip().splitlines()
        places = [line.split("/gradtui/")[-1].strip() for line in lines if line.startswith('  File "')]
        return f"traceback: {lines[-1][:300]} ({'; '.join(places[-2:])})"
    if "GRADTUI_DEBUG" in stderr:
        return "error of its own: " + stderr.strip()[:300]
    if code not in (0, 1, 2, 3):
        return f"ended with {code}: {stderr[:300]}"
    if found := orders_in(stdout) + orders_in(stderr):
        return f"gave orders to the terminal: {found[0]!r}"
    lines = stderr.strip().splitlines()
    if code in (0, 3) and lines:
        return f"wrote to stderr: {stderr[:300]}"
    if code == 2 and len(lines) != 1:
        return f"wrote {len(lines)} lines for bad input: {stderr[:300]}"
    if peak > MOST_BYTES:
        return f"took {peak / 1e6:.0f} MB"
    return ""
