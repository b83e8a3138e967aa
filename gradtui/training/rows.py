"""Rows that are measured now and written later, or not at all."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from gradtui.runs.folder import record_dtype
from gradtui.runs.summary import Records


class TakesRows(Protocol):
    """Whoever takes the rows of what is measured: a run's writer, or one who waits to see what they are worth."""

    def append(self, table: str, step: int, values: npt.ArrayLike, time: float | None = None) -> None:
        """Take a row; `values` holds one number a column."""
        ...


class Rows:
    """Keeps rows in memory."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[int, float, npt.NDArray[np.float32]]]] = {}

    def append(self, table: str, step: int, values: npt.ArrayLike, time: float | None = None) -> None:
        """Keep a copy of a row."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            row = np.array(values, np.float32)
        self._rows.setdefault(table, []).append((step, time or 0.0, row))

    def records(self) -> dict[str, Records]:
        """Of each table, what a writer inserts."""
        return {table: _records(rows) for table, rows in self._rows.items()}

    def row(self, table: str, step: int) -> npt.NDArray[np.float32] | None:
        """The row of a step; None where there is none."""
        return next((row for at, _, row in self._rows.get(table, []) if at == step), None)


def _records(rows: list[tuple[int, float, npt.NDArray[np.float32]]]) -> Records:
    records = np.empty(len(rows), record_dtype(len(rows[0][2])))
    for record, (step, time, values) in zip(records, rows, strict=True):
        record["step"], record["time"], record["values"] = step, time, values
    return records
