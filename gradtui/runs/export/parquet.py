"""Parquet, by pyarrow, which is imported when it is wanted."""

from __future__ import annotations

import importlib
from typing import IO, Any

from gradtui.runs.errors import RunError
from gradtui.runs.export.sheets import Sheet


def write_parquet(sheet: Sheet, file: IO[bytes]) -> int:
    """Write a sheet: `step` as int64, `time` as float64 (seconds since the epoch), the rest as float32. Returns how
    many rows.

    A number is null where nothing was recorded at that step; NaN and infinity stay what they are. Raises RunError
    where pyarrow is missing, OSError.
    """
    arrow, parquet = _library("pyarrow"), _library("pyarrow.parquet")
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


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise RunError("Parquet needs pyarrow: pip install 'gradtui[parquet]'") from None
