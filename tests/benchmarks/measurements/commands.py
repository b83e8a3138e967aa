"""Measure the commands that handle much: the list of many runs, and the export of a long one."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from tests.benchmarks.figures import CannotMeasure, Measured
from tests.benchmarks.home import Home
from tests.benchmarks.made_runs import copy_run, finished_run
from tests.benchmarks.spent import Spent

RUNS = 3_000
STEPS, LAYERS = 200_000, 50


def measure(home: Home, quick: bool) -> Iterator[Measured]:
    """Yield the CPU time of the list, and the time of the export where TensorBoard is installed."""
    yield from _list(home, 100 if quick else RUNS)
    if find_spec("tensorboard"):
        yield from _export(home, 2_000 if quick else STEPS)


def _list(home: Home, count: int) -> Iterator[Measured]:
    """List runs that are known, as those of a trainer are, and compare with a Python that does nothing."""
    one = finished_run(home.runs, layers=20, steps=100)
    # No trainer has diagnosed this run, so a list does it.
    Spent.on_command(home, "runs")
    copy_run(one, count)
    listed = [Spent.on_command(home, "runs") for _ in range(3)]
    if any(one.lines != count for one in listed):
        raise CannotMeasure(f"{listed[-1].lines} of {count} runs were listed")
    nothing = min(Spent.on_python(home, ["-c", "pass"]).cpu for _ in range(3))
    # The first list writes down what it has read of each run.
    again = min(one.cpu for one in listed[1:]) - nothing
    yield Measured(f"gradtui runs of {count:,}, over python -c pass: CPU", again, "s", budget=0.5)


def _export(home: Home, steps: int) -> Iterator[Measured]:
    run = finished_run(home.scratch, layers=LAYERS, steps=steps)
    done = Spent.on_command(home, "export", str(run), "--to", "tensorboard", str(home.path / "exported"))
    if done.code:
        raise CannotMeasure(f"the export ended with {done.code}")
    yield Measured(f"export of {steps:,} steps × {LAYERS} layers to TensorBoard", done.passed, "s", budget=30)
