"""Export a run to files, which replace existing files only with `force`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gradtui.ordinary_files import problem_of
from gradtui.runs.errors import RunError
from gradtui.runs.export import Kind
from gradtui.runs.export.csv_parquet import write_csv, write_parquet
from gradtui.runs.export.sheets import Sheet, Show, sheet_of_all, sheets_of, show_nothing
from gradtui.runs.export.tensorboard import FILE, write_events
from gradtui.runs.reader import Run
from gradtui.runs.safe_files import replacing

_SHEETS: dict[str, Callable[[Sheet, IO[bytes]], int]] = {"csv": write_csv, "parquet": write_parquet}


@dataclass(frozen=True)
class Exported:
    """An Exported describes the files that were written."""

    steps: int
    """The number of steps that were written."""
    files: tuple[Path, ...]


def export(run: Run, kind: Kind, out: Path, *, force: bool = False, show: Show = show_nothing) -> Exported:
    """Write the numbers that a run has recorded so far, whether it is live or finished.

    csv, parquet: where `out` ends in `.csv` or `.parquet`, one wide sheet; else a folder with a file for each table.
    tensorboard: a folder with one event file. Each file appears complete or not at all. Raises RunError, in one line,
    where `out` exists (`force` replaces the files of the same names, and no others), where nothing is recorded, where a
    library is missing or the disk refuses.
    """
    if not run.steps:
        raise RunError(f"{run.folder.name}: nothing is recorded yet")
    single = out.suffix == f".{kind}"
    _check(out, single, force)
    try:
        (out.parent if single else out).mkdir(parents=True, exist_ok=True)
        if kind == "tensorboard":
            path = out / FILE
            return Exported(_written(path, lambda file: write_events(run, file, show)), (path,))
        if single:
            sheets = {out: sheet_of_all(run, show)}
        else:
            sheets = {out / f"{sheet.name}.{kind}": sheet for sheet in sheets_of(run, show)}
        write = _SHEETS[kind]
        steps = [
            _written(path, lambda file, sheet=sheet: write(sheet, file))  # type: ignore[misc]
            for path, sheet in sheets.items()
        ]
        return Exported(max(steps), tuple(sheets))
    except (OSError, ValueError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{getattr(error, 'filename', None) or out}: {problem_of(error)}") from None


def _check(out: Path, single: bool, force: bool) -> None:
    if single and os.path.isdir(out):
        raise RunError(f"{out}: is a folder")
    if not single and os.path.exists(out) and not os.path.isdir(out):
        raise RunError(f"{out}: is a file; expected a folder, or a name that does not exist")
    taken = os.path.exists(out) if single else os.path.isdir(out) and any(out.iterdir())
    if taken and not force:
        raise RunError(f"{out}: exists already; --force replaces it")


def _written(path: Path, write: Callable[[IO[bytes]], int]) -> int:
    with replacing(path, exported=True) as file:
        return write(file)
