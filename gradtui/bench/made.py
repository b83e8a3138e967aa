"""Runs that no trainer has written: as long as one wishes, in the time that the disk takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gradtui.experiment import Experiment, from_dict, net_shape, to_dict
from gradtui.runs.folder import new_folder, record_dtype, table_path
from gradtui.runs.levels import Levels
from gradtui.runs.meta import LayerMeta, RunMeta, TableMeta, write_meta
from gradtui.runs.records import RecordFile
from gradtui.runs.writer import RunWriter

SCALARS = ("loss", "accuracy", "lr", "grad_norm", "grad_norm_clipped")

CHUNK = 1 << 15
"""Rows that are made at once: a few megabytes."""


def deep(layers: int, steps: int) -> Experiment:
    """A net of so many dense layers, to be trained for so many steps."""
    return from_dict(
        {
            "name": f"{layers:,} layers",
            "net": [{"width": 128, "repeat": layers - 1, "activation": "relu", "init": "he"}],
            "optimizer": {"lr": 0.001},
            "run": {"device": "cpu", "steps": steps, "eval_every": 0},
        }
    )


def describe(root: Path, experiment: Experiment) -> tuple[Path, dict[str, tuple[str, ...]]]:
    """A new run's folder with its run.json, by this process, and the columns of its tables."""
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
    """Numbers like those of a training: a loss that falls, gradients that shrink toward the input, and noise."""

    def __init__(self, layers: int, steps: int) -> None:
        self._rng = np.random.default_rng(0)
        self._profile = np.linspace(-3, 0, layers)
        self._fall = steps / 5

    def scalars(self, steps: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """(steps, scalars)."""
        progress = np.exp(-steps / self._fall)
        noise = self._rng.normal(0, 0.05, len(steps))
        columns = [0.1 + 2.2 * progress * (1 + noise), 1 - 0.9 * progress * (1 + noise)]
        return np.stack([*columns, np.full(len(steps), 0.001), *(1 + noise, 1 + noise)], axis=1)

    def norms(self, steps: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """(steps, layers)."""
        noise = self._rng.normal(0, 0.1, (len(steps), len(self._profile)))
        return np.asarray(10 ** (self._profile + noise))


def finished_run(root: Path, *, layers: int, steps: int) -> Path:
    """A run that has ended after so many steps, with all levels of its tables.

    The writer's own files and levels take it in, many rows at once: one by one a million would take a minute.
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


def chunks(steps: int) -> Iterator[npt.NDArray[np.int64]]:
    """The steps from 1 on, CHUNK at a time."""
    for first in range(1, steps + 1, CHUNK):
        yield np.arange(first, min(first + CHUNK, steps + 1))
