"""Make runs with synthetic pictures of the plane, so that every place in them is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from msgspec.structs import replace

from gradtui.experiment import resolve
from gradtui.runs.folder import new_folder, runs_root
from gradtui.runs.meta import PlaneMeta, TableMeta, read_meta, write_meta
from gradtui.runs.plane import Plane
from gradtui.runs.writer import RunWriter
from tests.support.studies import write_run

SIDE, UNIT_SIDE = 12, 4
PLANE = PlaneMeta(
    low=(-1.0, -2.0),
    high=(1.0, 2.0),
    side=SIDE,
    unit_side=UNIT_SIDE,
    x=(-0.9, 0.9, 0.9),
    y=(1.9, 1.9, -1.9),
    answers=(0.0, 1.0, 1.0),
    classes=2,
)
"""Three points: in the upper left, the upper right and the lower right corner."""


def split_at(column: int, sure: float = 0.9) -> np.ndarray:
    """Return the outputs (2, SIDE, SIDE) of a net that gives class 0 left of a column, and class 1 from there on."""
    right = np.where(np.arange(SIDE) < column, 1 - sure, sure) + np.zeros((SIDE, 1))
    return np.float32([1 - right, right])


def plane(outputs: np.ndarray, about: PlaneMeta = PLANE) -> Plane:
    return Plane(about, 1, np.float32(outputs), (1,))


def write_plane_run(steps: int = 60) -> Path:
    """A run of spirals-sigmoid: at first all of the plane is class 1, from step 40 on the left half is class 0.

    It has a row at every tenth step. Unit 1 of layer k answers k at each place, unit 2 rises from left to right.
    """
    folder = write_run(
        new_folder(runs_root(), "spirals"), resolve("spirals-sigmoid"), steps=steps, decades=0.2
    )
    meta = read_meta(folder)
    names = tuple(layer.name for layer in meta.layers)
    tables = {
        "plane": TableMeta(("0", "1"), "planes", SIDE**2),
        "unit_planes": TableMeta(names, "planes", 2 * UNIT_SIDE**2),
    }
    write_meta(folder, replace(meta, tables={**meta.tables, **tables}, plane=PLANE))
    columns = {name: table.columns * table.width for name, table in tables.items()}
    writer = RunWriter(folder, columns, unlevelled=list(columns))
    for step in range(10, steps + 1, 10):
        writer.append("plane", step, split_at(0 if step < 40 else SIDE // 2).reshape(-1), time=1e9)
        rising = np.arange(UNIT_SIDE) + np.zeros((UNIT_SIDE, 1))
        units = [np.array([np.full((UNIT_SIDE, UNIT_SIDE), k + 1.0), rising]) for k in range(len(names))]
        writer.append("unit_planes", step, np.array(units).reshape(-1), time=1e9)
    writer.close()
    return folder
