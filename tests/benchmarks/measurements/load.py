"""Measure what load does: many trainers at once, many runs, very deep and very long ones, and a whole day."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil

from tests.benchmarks.figures import CannotMeasure, Measured
from tests.benchmarks.home import Home
from tests.benchmarks.lab import OPENING, attached, bars, has_footer, step_of
from tests.benchmarks.made_runs import STEPS_BEFORE, copy_run, finished_run, growing_run
from tests.benchmarks.processes import cpu_seconds, memory_mb
from tests.benchmarks.spent import Spent
from tests.benchmarks.terminal import Terminal, watch

SIZE = (120, 36)
TRAINERS, RUNS, DEEP, LONG = 64, 5_000, 10_000, 10_000_000
DAY = 20 * 86_400
"""Steps of a day at twenty a second."""
DAY_RATE = 20_000
"""Steps a second in which the day is passed."""
LOADED = 120.0
"""Seconds within which a machine that is busy with all of them should have opened the lab."""
WARM = 0.2
"""The share of the day after which everything that is made once has been made."""


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """Yield the figures of each kind of load, one kind after the other."""
    yield from _many_trainers(home, 8 if quick else TRAINERS, 2.0 if quick else 15.0)
    yield from _many_runs(home, 100 if quick else RUNS)
    yield from _opened(home, 1_000 if quick else DEEP, 100)
    yield from _opened(home, 10, 100_000 if quick else LONG)
    yield from _day(home, DAY // 20 if quick else DAY)


def _many_trainers(home: Home, count: int, seconds: float) -> Iterator[Measured]:
    """Follow one of many runs that are written at once."""
    words = ("50", str(STEPS_BEFORE), "20", "10")
    with ExitStack() as stack:
        writers = [
            stack.enter_context(home.running("tests.benchmarks.made_runs", str(home.runs), *words))
            for _ in range(count)
        ]
        folders = [Path(_line(writer)) for writer in writers]
        lab = stack.enter_context(home.terminal(SIZE, "gradtui", "attach", str(folders[0])))
        lab.until(lambda screen: bool(step_of(screen) and bars(screen)), LOADED, "run on the screen")
        before, began, steps = cpu_seconds(lab.process.pid), time.perf_counter(), [step_of(lab.screen)]
        for _ in watch([lab], seconds):
            if (step := step_of(lab.screen)) != steps[-1]:
                steps.append(step)
        passed = time.perf_counter() - began
        used = cpu_seconds(lab.process.pid) - before
    what = f"{count} trainers write at once"
    yield Measured(f"{what}: the screen of one", 100 * used / passed, "% of a core")
    yield Measured(f"{what}: new steps shown", (len(steps) - 1) / passed, "a second")


def _line(writer: subprocess.Popen[bytes]) -> str:
    assert writer.stdout is not None
    line = writer.stdout.readline().decode().strip()
    if not line:
        raise CannotMeasure("no run could be written")
    return line


def _many_runs(home: Home, count: int) -> Iterator[Measured]:
    """List many runs, the first time and again."""
    shutil.rmtree(home.runs)
    home.runs.mkdir()
    copy_run(finished_run(home.runs, layers=20, steps=100), count)
    for which in ("first", "second"):
        listed = Spent.on_command(home, "runs")
        if listed.lines != count:
            raise CannotMeasure(f"{listed.lines} of {count} runs were listed")
        what = f"gradtui runs of {count:,}, the {which} time"
        yield Measured(f"{what}: CPU", listed.cpu, "s")
        yield Measured(f"{what}: memory at most", listed.megabytes, "MB")


def _opened(home: Home, layers: int, steps: int) -> Iterator[Measured]:
    """Open a finished run."""
    shutil.rmtree(home.runs)
    home.runs.mkdir()
    folder = finished_run(home.runs, layers=layers, steps=steps)
    with home.terminal(SIZE, "gradtui", "attach", str(folder)) as terminal:
        first = terminal.until(has_footer, OPENING, "first frame")
        terminal.until(
            lambda screen: step_of(screen) == steps and bars(screen) > 0, OPENING, "run on the screen"
        )
        whole = terminal.until_still(1.0, OPENING, "the picture")
        megabytes = memory_mb(terminal.process.pid)
    what = f"a run of {steps:,} steps × {layers:,} layers"
    yield Measured(f"{what}: first frame to the whole picture", 1000 * (whole - first), "ms")
    yield Measured(f"{what}: memory at most", megabytes, "MB")


def _day(home: Home, steps: int) -> Iterator[Measured]:
    """Write a day's steps as fast as they are taken here, follow them, and see whether memory grows."""
    shutil.rmtree(home.runs)
    home.runs.mkdir()
    with growing_run(home, layers=50, rate=DAY_RATE) as (folder, writer), attached(home, folder, SIZE) as lab:
        pids = {"writer": writer, "screen": lab.process.pid}
        early = _when(lab, int(WARM * steps), pids)
        late = _when(lab, steps, pids)
    for name in pids:
        grown = (late[name] - early[name]) / (1 - WARM) * DAY / steps
        yield Measured(f"a day of 20 steps a second, 50 layers: memory of the {name}", late[name], "MB")
        yield Measured(f"… and how much of it a day adds, {name}", grown, "MB a day")


def _when(lab: Terminal, step: int, pids: dict[str, int]) -> dict[str, float]:
    """Return the memory of each process when the screen shows a step."""
    end = time.monotonic() + 20 + 4 * step / DAY_RATE
    for _ in watch([lab], end - time.monotonic()):
        if step_of(lab.screen) >= step:
            break
    else:
        raise CannotMeasure(f"step {step:,} was not shown")
    return {name: psutil.Process(pid).memory_info().rss / 2**20 for name, pid in pids.items()}
