"""Write rows to CSV and Parquet files: the tables of a run, and the results of a study."""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

import numpy as np

from gradtui.plain_text import spreadsheet_cell
from gradtui.runs.errors import RunError
from gradtui.runs.export.sheets import Piece, Sheet


class MissingLibrary(RunError):
    """A MissingLibrary error says, in one line, how to install an optional library that is needed."""


def write_csv_rows(names: Sequence[str], rows: Iterable[Sequence[Any]], file: IO[bytes]) -> int:
    """Write rows under one line of names and return how many there were. None is an empty cell. Raises OSError."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    count = 0
    try:
        writer = csv.writer(text)
        writer.writerow([spreadsheet_cell(name) for name in names])
        for row in rows:
            writer.writerow([spreadsheet_cell(value) for value in row])
            count += 1
    finally:
        # The caller opened the file and closes it.
        text.detach()
    return count


def load_pyarrow() -> tuple[Any, Any]:
    """Import and return the modules pyarrow and pyarrow.parquet. Raises MissingLibrary."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise MissingLibrary("Parquet needs pyarrow: pip install 'gradtui[parquet]'") from None


def write_csv(sheet: Sheet, file: IO[bytes]) -> int:
    """Write a sheet as CSV and return the number of rows. Raises OSError.

    Numbers have the fewest digits that give the same float32; NaN and infinity are `nan`, `inf` and `-inf`; a cell is
    empty where nothing was recorded at that step.
    """
    rows = (row for piece in sheet.pieces() for row in _cells(piece))
    return write_csv_rows(["step", "time", *sheet.columns], rows, file)


def _cells(piece: Piece) -> Iterator[list[Any]]:
    cells = np.where(piece.present, piece.values.astype(str), "").tolist()
    for step, time, values in zip(piece.steps.tolist(), piece.times.tolist(), cells, strict=True):
        yield [step, time, *values]


def write_parquet(sheet: Sheet, file: IO[bytes]) -> int:
    """Write a sheet as Parquet and return the number of rows. Raises MissingLibrary, OSError.

    `step` is int64, `time` float64 (seconds since the epoch), the rest float32. A number is null where nothing was
    recorded at that step; NaN and infinity stay as they are.
    """
    arrow, parquet = load_pyarrow()
    numbers = [(name, arrow.float32()) for name in sheet.columns]
    schema = arrow.schema([("step", arrow.int64()), ("time", arrow.float64()), *numbers])
    rows = 0
    with parquet.ParquetWriter(file, schema) as writer:
        for piece in sheet.pieces():
            columns = [
                arrow.array(values, mask=~present)
                for values, present in zip(piece.values.T, piece.present.T, strict=True)
            ]
            whole = [arrow.array(piece.steps), arrow.array(piece.times), *columns]
            writer.write_table(arrow.Table.from_arrays(whole, schema=schema))
            rows += len(piece.steps)
    return rows
