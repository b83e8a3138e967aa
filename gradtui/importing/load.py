"""Make runs from the logs of other programs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gradtui.importing.log import ImportFailed, Log
from gradtui.importing.tables import TableRows, Tables, tables_of
from gradtui.importing.tensorboard import event_files, read_events
from gradtui.importing.wandb import offline_runs, read_offline_run
from gradtui.runs.errors import RunError
from gradtui.runs.folder import new_folder, record_dtype
from gradtui.runs.meta import LayerMeta, RunMeta, TableMeta, read_meta, write_meta
from gradtui.runs.summary import Records
from gradtui.runs.writer import RunWriter


@dataclass(frozen=True)
class Imported:
    """An Imported is one log and the run that was made from it."""

    log: Log
    tables: Tables
    folder: Path | None
    """The run's folder; None if the log says nothing about single layers, so that no run was made."""


def load(path: Path, root: Path, name: str | None = None) -> Iterator[Imported]:
    """Make runs in `root` from the TensorBoard event files and the W&B offline runs at `path`, a file or a folder.

    `name` is the run's name; of several runs, each is called NAME/ITS-OWN. Raises ImportFailed, in one line, where
    there is nothing to import or a file cannot be read; runs that were made before that stay.
    """
    if not os.path.exists(path):
        raise ImportFailed(f"{path}: no such file or folder")
    events, offline = event_files(path), offline_runs(path)
    several = len(events) + len(offline) > 1
    if not events and not offline:
        raise ImportFailed(f"{path}: no TensorBoard event file (*tfevents*) and no W&B offline run (*.wandb)")
    for files in events:
        yield _made(read_events(files, _own_name(files[0], path)), root, name, several)
    for file in offline:
        yield _made(read_offline_run(file), root, name, several)


def _own_name(file: Path, path: Path) -> str:
    """Return the name of the run of an event file: its folder, relative to the path."""
    folder, above = file.parent.absolute(), path.absolute()
    return folder.relative_to(above).as_posix() if path.is_dir() and folder != above else folder.name


def _made(log: Log, root: Path, name: str | None, several: bool) -> Imported:
    tables = tables_of(log)
    chosen = log.name if name is None else f"{name}/{log.name}" if several else name
    gradients = tables.layers.get("grad_norm")
    if gradients is None or not len(gradients.steps):
        return Imported(log, tables, None)
    return Imported(log, tables, write_run(root, chosen, log, tables))


LARGEST_STEP = 2**32 - 1
"""The largest step that a row can hold, in 32 bits."""


def write_run(root: Path, name: str, log: Log, tables: Tables) -> Path:
    """Make a finished run in `root`. Steps are counted from 1: where the log counts from 0, one is added to each.

    Raises ImportFailed if the folder cannot be written; then it is removed.
    """
    rows_by_table = dict(tables.layers)
    if tables.scalars is not None:
        rows_by_table = {"scalars": tables.scalars, **rows_by_table}
    first = min(int(table.steps[0]) for table in rows_by_table.values() if len(table.steps))
    last = max(int(table.steps[-1]) for table in rows_by_table.values() if len(table.steps))
    offset = 1 - first if first < 1 else 0
    if last + offset > LARGEST_STEP:
        raise ImportFailed(
            f"{log.path}: counts to step {last:,}, but a run can hold steps up to {LARGEST_STEP:,} only"
        )
    folder = None
    try:
        folder = new_folder(root, name)
        write_meta(folder, _meta(folder, name, log, tables, rows_by_table, last + offset, offset))
        writer = RunWriter(folder, {table: rows.columns for table, rows in rows_by_table.items()})
        try:
            for table, rows in rows_by_table.items():
                writer.insert(table, _records(rows, offset))
            for step, time, figures in tables.evaluations:
                writer.event("evaluation", step + offset, time=time, **figures)
            end = max(float(rows.times[-1]) for rows in rows_by_table.values() if len(rows.times))
            writer.event("end", last + offset, time=end, status="finished", reason="")
        finally:
            writer.close()
        if writer.error is not None:
            raise writer.error
        # A folder that cannot be opened afterwards is removed.
        read_meta(folder)
    except BaseException as error:
        # Ctrl-C, too, leaves no half of a run.
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, RunError):
            raise ImportFailed(f"{log.path}: cannot be turned into a readable run: {error}") from None
        if isinstance(error, OSError):
            raise ImportFailed(f"{error.filename or root}: {error.strerror}") from None
        raise
    return folder


def _meta(
    folder: Path,
    name: str,
    log: Log,
    tables: Tables,
    rows_by_table: dict[str, TableRows],
    last: int,
    offset: int,
) -> RunMeta:
    started = min(float(rows.times[0]) for rows in rows_by_table.values() if len(rows.times))
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
            for table, rows in rows_by_table.items()
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


def _records(rows: TableRows, offset: int) -> Records:
    records = np.empty(len(rows.steps), record_dtype(len(rows.columns)))
    records["step"] = rows.steps + offset
    records["time"] = rows.times
    # A number beyond float32 is stored as infinity, as in every run.
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        records["values"] = rows.values
    return records
