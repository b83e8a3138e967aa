"""Write runs without a trainer: finished ones of any length, and one that grows at a steady rate.

``python -m tests.benchmarks.made_runs ROOT LAYERS BEFORE RATE COMMITS`` makes a run in ROOT with BEFORE steps, prints
its folder, and adds RATE steps a second until its stdin closes, written COMMITS times a second (a trainer does ten).
"""

from __future__ import annotations

import contextlib
import select
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gradtui.experiment import Experiment, from_dict, net_shape, to_dict
from gradtui.runs.folder import new_folder, record_dtype, table_path
from gradtui.runs.meta import LayerMeta, RunMeta, TableMeta, write_meta
from gradtui.runs.records import Levels, RecordFile
from gradtui.runs.writer import RunWriter
from tests.benchmarks.figures import CannotMeasure
from tests.benchmarks.home import Home

SCALARS = ("loss", "accuracy", "lr", "grad_norm", "grad_norm_clipped")

CHUNK = 1 << 15
"""Rows that are made at once: a few megabytes."""

STEPS_BEFORE = 300
"""Steps of a growing run that are there at its start: the waterfall has rows, and is not full."""
TICK = 0.01
"""Seconds between two writes of several rows: sleeping between single rows costs more than writing them."""
PLANNED = 100_000
"""Steps that a growing run seems to be planned for."""


def deep(layers: int, steps: int) -> Experiment:
    """Return an experiment with that many dense layers and steps."""
    return from_dict(
        {
            "name": f"{layers:,} layers",
            "net": [{"width": 128, "repeat": layers - 1, "activation": "relu", "init": "he"}],
            "optimizer": {"lr": 0.001},
            "run": {"device": "cpu", "steps": steps, "eval_every": 0},
        }
    )


def describe(root: Path, experiment: Experiment) -> tuple[Path, dict[str, tuple[str, ...]]]:
    """Make a run folder with its run.json, and return it with the columns of its tables."""
    folder = new_folder(root, experiment.name)
    layers = tuple(LayerMeta(s.name, s.kind, s.parameters) for s in net_shape(experiment).layers)
    columns = {"scalars": SCALARS, "grad_norm": tuple(layer.name for layer in layers)}
    meta = RunMeta.of_this_process(
        id=folder.name,
        name=experiment.name,
        experiment=to_dict(experiment),
        layers=layers,
        tables={
            "scalars": TableMeta(columns["scalars"], "scalars"),
            "grad_norm": TableMeta(columns["grad_norm"], "layers"),
        },
        steps=experiment.run.steps,
        chance_loss=2.303,
    )
    write_meta(folder, meta)
    return folder, columns


class Numbers:
    """Made-up numbers are like those of a training: the loss falls, gradients shrink toward the input, with noise."""

    def __init__(self, layers: int, steps: int) -> None:
        self._rng = np.random.default_rng(0)
        self._profile = np.linspace(-3, 0, layers)
        self._fall = steps / 5

    def scalars(self, steps: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return an array (steps, scalars)."""
        progress = np.exp(-steps / self._fall)
        noise = self._rng.normal(0, 0.05, len(steps))
        columns = [0.1 + 2.2 * progress * (1 + noise), 1 - 0.9 * progress * (1 + noise)]
        return np.stack([*columns, np.full(len(steps), 0.001), *(1 + noise, 1 + noise)], axis=1)

    def norms(self, steps: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return an array (steps, layers)."""
        noise = self._rng.normal(0, 0.1, (len(steps), len(self._profile)))
        return np.asarray(10 ** (self._profile + noise))


def finished_run(root: Path, *, layers: int, steps: int) -> Path:
    """Write a finished run of that many steps, with all levels of its tables.

    Many rows are handed at once to the writer's own files and levels: one by one, a million would take a minute.
    """
    folder, columns = describe(root, deep(layers, steps))
    numbers = Numbers(layers, steps)
    for table, values in (("scalars", numbers.scalars), ("grad_norm", numbers.norms)):
        dtype = record_dtype(len(columns[table]))
        file = RecordFile(table_path(folder, table), dtype)
        levels = Levels(folder, table, len(columns[table]), file)
        for some in chunks(steps):
            rows = np.empty(len(some), dtype)
            # A made-up clock of a thousand steps a second.
            rows["step"], rows["time"], rows["values"] = some, 1e9 + some / 1000, values(some)
            file.append(rows)
            levels.extend(rows)
    writer = RunWriter(folder, columns)
    writer.event("phase", phase="training")
    writer.event("end", step=steps, status="finished", reason="")
    writer.close()
    if writer.error is not None:
        raise writer.error
    return folder


def copy_run(run: Path, count: int) -> None:
    """Copy a run until there are that many of it."""
    for number in range(1, count):
        shutil.copytree(run, run.with_name(f"{run.name}-{number}"))


def chunks(steps: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the steps from 1 on, CHUNK at a time."""
    for first in range(1, steps + 1, CHUNK):
        yield np.arange(first, min(first + CHUNK, steps + 1))


@contextlib.contextmanager
def growing_run(home: Home, *, layers: int, rate: int, commits: int = 10) -> Iterator[tuple[Path, int]]:
    """Yield the folder of a run that grows until the block ends, and the process id of its writer.

    `rate` is in steps a second, written `commits` times a second.
    """
    words = map(str, (home.runs, layers, STEPS_BEFORE, rate, commits))
    with home.running("tests.benchmarks.made_runs", *words) as child:
        assert child.stdout is not None
        folder = child.stdout.readline().decode().strip()
        if not folder:
            raise CannotMeasure("no run could be written")
        yield Path(folder), child.pid


def main(root: Path, layers: int, before: int, rate: int, commits: int) -> None:
    """Write a growing run until stdin closes."""
    folder, columns = describe(root, deep(layers, PLANNED))
    numbers = Numbers(layers, PLANNED)
    writer = RunWriter(folder, columns, flush_every=1 / commits)

    def write(first: int, last: int, moment: float | None = None) -> None:
        steps = np.arange(first, last + 1)
        scalars, norms = numbers.scalars(steps), numbers.norms(steps)
        for step, some, all_layers in zip(steps.tolist(), scalars, norms, strict=True):
            when = None if moment is None else moment + (step - last) / rate
            writer.append("scalars", step, some, when)
            writer.append("grad_norm", step, all_layers, when)

    writer.event("phase", phase="training")
    write(1, before, time.time())
    writer.flush()
    print(folder, flush=True)
    began, done = time.monotonic(), before
    while not select.select([sys.stdin], [], [], max(TICK, 1 / rate))[0]:
        due = before + int((time.monotonic() - began) * rate)
        write(done + 1, due)
        done = due
    writer.event("end", step=done, status="stopped", reason="")
    writer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
