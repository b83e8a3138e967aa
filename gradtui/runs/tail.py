"""The last row of a table, read without numpy: lists look at many runs, and at one row of each."""

from __future__ import annotations

import struct
import sys
from array import array
from pathlib import Path
from typing import NamedTuple

from gradtui.runs.folder import HEADER_BYTES, record_size, size_of, table_path


class Row(NamedTuple):
    """One row of a table."""

    step: int
    time: float
    """Seconds since the epoch."""
    values: array[float]
    """(columns,)"""


def last_row(folder: Path, table: str, columns: int) -> Row | None:
    """The last whole row of a table with so many columns; None where there is none, or it cannot be read."""
    record = _last_bytes(folder, table, columns, record_size(columns))
    if record is None:
        return None
    values = array("f", record[HEADER_BYTES:])
    if sys.byteorder == "big":
        values.byteswap()
    step, time = struct.unpack_from("<Id", record)
    return Row(step, time, values)


def last_step(folder: Path, table: str, columns: int) -> int:
    """The step of that row; 0 where there is none."""
    record = _last_bytes(folder, table, columns, HEADER_BYTES)
    return 0 if record is None else int.from_bytes(record[:4], "little")


def _last_bytes(folder: Path, table: str, columns: int, count: int) -> bytes | None:
    """The first `count` bytes of the last whole record."""
    try:
        path, size = table_path(folder, table), record_size(columns)
        rows = size_of(path) // size
        if not rows:
            return None
        with path.open("rb") as file:
            file.seek((rows - 1) * size)
            record = file.read(count)
    except (OSError, ValueError):
        return None
    return record if len(record) == count else None
