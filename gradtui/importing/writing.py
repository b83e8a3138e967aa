"""A run's folder, written from what another program logged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from gradtui.importing.errors import ImportFailed
from gradtui.importing.logged import Log
from gradtui.importing.shaped import Shaped, Tables
from gradtui.runs.folder import new_folder, record_dtype
from gradtui.runs.meta import LayerMeta, RunMeta, TableMeta, write_meta
from gradtui.runs.summary import Records
from gradtui.runs.writer import RunWriter

MOST_STEPS = 2**32 - 1
"""A row counts its step in 32 bits."""


def write_run(root: Path, name: str, log: Log, tables: Tables) -> Path:
    """Make a finished run in `root`. Steps are counted from 1: where the log counts from 0, one is added to each.

    Raises ImportFailed where the folder cannot be written; then there is none.
    """
    shaped = dict(tables.layers)
    if tables.scalars is not None:
        shaped = {"scalars": tables.scalars, **shaped}
    first = min(int(table.steps[0]) for table in shaped.values() if len(table.steps))
    last = max(int(table.steps[-1]) for table in shaped.values() if len(table.steps))
    offset = 1 - first if first < 1 else 0
    if last + offset > MOST_STEPS:
        raise ImportFailed(f"{log.path}: counts to step {last:,}, and a run holds steps up to {MOST_STEPS:,}")
    folder = None
    try:
        folder = new_folder(root, name)
        write_meta(folder, _meta(folder, name, log, tables, shaped, last + offset, offset))
        writer = RunWriter(folder, {table: rows.columns for table, rows in shaped.items()})
        try:
            for table, rows in shaped.items():
                writer.insert(table, _records(rows, offset))
            for step, time, figures in tables.evaluations:
                writer.event("evaluation", step + offset, time=time, **figures)
            end = max(float(rows.times[-1]) for rows in shaped.values() if len(rows.times))
            writer.event("end", last + offset, time=end, status="finished", reason="")
        finally:
            writer.close()
        if writer.error is not None:
            raise writer.error
    except OSError as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        raise ImportFailed(f"{error.filename or root}: {error.strerror}") from None
    return folder


def _meta(
    folder: Path, name: str, log: Log, tables: Tables, shaped: dict[str, Shaped], last: int, offset: int
) -> RunMeta:
    started = min(float(rows.times[0]) for rows in shaped.values() if len(rows.times))
    return RunMeta(
        id=folder.name,
        name=name,
        kind="script",
        layers=tuple(
            LayerMeta(layer, parameters=tables.sizes.get(layer, 0))
            for layer in tables.layers["grad_norm"].columns
        ),
        tables={
            table: TableMeta(rows.columns, "scalars" if table == "scalars" else "layers")
            for table, rows in shaped.items()
        },
        steps=last,
        started=started,
        parameters=sum(tables.sizes.values()),
        data={
            "source": log.program,
            "path": str(log.path),
            "gradients": tables.source,
            "layer_order": "as logged" if log.ordered else "by name",
            "steps_added": offset,
            "left_out": tables.left,
        },
    )


def _records(rows: Shaped, offset: int) -> Records:
    records = np.empty(len(rows.steps), record_dtype(len(rows.columns)))
    records["step"] = rows.steps + offset
    records["time"] = rows.times
    # A number beyond float32 is stored as infinity, as in every run.
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        records["values"] = rows.values
    return records
