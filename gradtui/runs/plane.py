"""Read what a net computes over the plane: the classes on a grid of places, and the outputs of single units.

The table `plane` has one column per class, which holds the class's probabilities at the places of the grid; where the
net predicts numbers, it has one column with the first output. The table `unit_planes` has one column per layer, which
holds the outputs of its first units, one after another, on a coarser grid; NaN where the layer has fewer units. The
places go row by row from the upper left: x ascends within a row, and y falls from row to row. `plane` in run.json
describes the grid and holds the training points.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gradtui.ordinary_files import open_to_read
from gradtui.runs.folder import record_size, table_path
from gradtui.runs.meta import PlaneMeta
from gradtui.runs.reader import Run
from gradtui.runs.summary import Floats

OUTPUTS, UNITS = "plane", "unit_planes"


@dataclass(frozen=True, eq=False)
class Plane:
    """A Plane holds what the net computes over the plane at a step."""

    about: PlaneMeta
    step: int
    outputs: Floats
    """The probability of each class (classes, side, side), or the predicted number (1, side, side)."""
    steps: tuple[int, ...] = ()
    """The steps of all rows."""

    @property
    def classes(self) -> npt.NDArray[np.int64]:
        """Return the most probable class of each place (side, side); -1 where the outputs are not finite."""
        found: npt.NDArray[np.int64] = self.outputs.argmax(0)
        return np.where(np.isfinite(self.outputs).all(0), found, -1)

    def at_points(self) -> npt.NDArray[np.int64]:
        """Return the class of the place in which each training point lies; -1 where the outputs are not finite."""
        return self.classes[self.places(self.about.side, self.about.side)]

    def places(self, rows: int, columns: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the row and the column of each training point on a grid; a point outside gets the nearest place."""
        (left, below), (right, above) = self.about.low, self.about.high
        across = (np.asarray(self.about.x) - left) / (right - left) * columns
        down = (above - np.asarray(self.about.y)) / (above - below) * rows
        row = np.clip(np.nan_to_num(down), 0, rows - 1).astype(np.int64)
        return row, np.clip(np.nan_to_num(across), 0, columns - 1).astype(np.int64)

    @property
    def accuracy(self) -> float:
        """Return the share of the shown training points whose place has their class."""
        answers = np.asarray(self.about.answers)
        return float((self.at_points() == answers).mean()) if len(answers) else 0.0

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """Return the share of the plane that each class has, (classes,)."""
        known = self.classes
        counts = np.bincount(known[known >= 0], minlength=max(1, self.about.classes))
        return counts / known.size

    def beside(self, step: int, by: int) -> int:
        """Return the step of the row that is `by` rows later (or earlier, if negative) than that of a step."""
        if not self.steps:
            return step
        here = int(np.searchsorted(self.steps, step, side="right")) - 1
        return self.steps[max(0, min(len(self.steps) - 1, here + by))]


def read_plane(run: Run, at: int | None = None) -> Plane | None:
    """Return what the net computed at the last recorded step up to `at`; None where the run has recorded none."""
    meta = run.meta
    about = meta.plane if meta is not None else None
    found = _row(run, OUTPUTS, at)
    if about is None or found is None:
        return None
    step, values = found
    outputs = values.reshape(-1, about.side, about.side)
    if len(outputs) != max(1, about.classes):
        return None
    return Plane(about, step, outputs, _steps(run))


def read_units(run: Run, layer: int, at: int | None = None) -> Floats | None:
    """Return the outputs of a layer's first units at the last recorded step up to `at`, (units, side, side)."""
    meta = run.meta
    about = meta.plane if meta is not None else None
    found = _row(run, UNITS, at)
    if about is None or found is None or meta is None:
        return None
    columns = len(meta.tables[UNITS].columns)
    if not 0 <= layer < columns:
        return None
    units = found[1].reshape(columns, -1)[layer].reshape(-1, about.unit_side, about.unit_side)
    there = ~np.isnan(units).all(axis=(1, 2))
    shown: Floats = units[: int(there.nonzero()[0][-1]) + 1 if there.any() else 1]
    return shown


def _row(run: Run, name: str, at: int | None) -> tuple[int, Floats] | None:
    table = run.table_or_empty(name)
    stop = table.rows if at is None else table.row_of(at + 1)
    rows = table.read(max(0, stop - 1), stop)
    return (int(rows["step"][-1]), rows["values"][-1]) if len(rows) else None


def _steps(run: Run) -> tuple[int, ...]:
    """Return the steps of all rows, without reading their values."""
    table = run.table_or_empty(OUTPUTS)
    size = record_size(table.numbers)
    try:
        with os.fdopen(open_to_read(table_path(run.folder, OUTPUTS)), "rb", buffering=0) as file:
            heads = [os.pread(file.fileno(), 4, row * size) for row in range(table.rows)]
    except OSError:
        return ()
    return tuple(int.from_bytes(head, "little") for head in heads)
