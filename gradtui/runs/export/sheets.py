"""Read a run's numbers in pieces for an export, so that a run may be larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gradtui.absent import absent_in
from gradtui.runs.events import EventLog, step_of
from gradtui.runs.folder import record_dtype
from gradtui.runs.reader import Run
from gradtui.runs.summary import Floats, Records, Steps, Times

Show = Callable[[int, int], None]
"""A function of the number of rows read so far and the number of all rows."""


def show_nothing(done: int, total: int) -> None:
    """Ignore the progress."""


PIECE_NUMBERS = 1 << 18
"""The approximate count of numbers in a piece; as text they take forty times as much memory."""

EVALUATION = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")


class SheetPart(Protocol):
    """A SheetPart gives rows by step: a table of a run, or the evaluations in its events."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns."""

    @property
    def rows(self) -> int:
        """Return the number of rows."""

    def read(self, start: int = 0, stop: int | None = None) -> Records:
        """Return the rows from `start` up to `stop`."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A Piece is some rows of a sheet, one for each step."""

    steps: Steps
    """The shape is (n,)."""
    times: Times
    """(n,): seconds since the epoch."""
    values: Floats
    """The shape is (n, columns)."""
    present: npt.NDArray[np.bool_]
    """(n, columns): False where a number was not recorded at that step, or is ABSENT; any other NaN is present."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """A Sheet is a set of columns with a row for each step at which any of its parts has one."""

    name: str
    columns: tuple[str, ...]
    parts: tuple[SheetPart, ...]
    show: Show = show_nothing
    """Called with the progress as rows are read."""

    def pieces(self) -> Iterator[Piece]:
        """Yield the rows that exist now, in the order of their steps.

        If parts have different times for a step, the time of the first part is taken.
        """
        at, stops = [0] * len(self.parts), [part.rows for part in self.parts]
        most = max(1, PIECE_NUMBERS // max(1, len(self.columns)))
        while any(start < stop for start, stop in zip(at, stops, strict=True)):
            read = [
                part.read(start, min(start + most, stop))
                for part, start, stop in zip(self.parts, at, stops, strict=True)
            ]
            for index, rows in enumerate(read):
                if not len(rows):
                    # The table was cut back while it was read.
                    stops[index] = at[index]
            # Only steps for which the rows of every part are known can be merged.
            bound = min(
                (
                    int(rows["step"][-1])
                    for rows, start, stop in zip(read, at, stops, strict=True)
                    if start + len(rows) < stop
                ),
                default=np.iinfo(np.int64).max,
            )
            chosen = [rows[: np.searchsorted(rows["step"], bound, side="right")] for rows in read]
            at = [start + len(rows) for start, rows in zip(at, chosen, strict=True)]
            self.show(sum(at), sum(stops))
            if any(map(len, chosen)):
                yield _merged(chosen, [len(part.columns) for part in self.parts])


def _merged(rows: Sequence[Records], widths: Sequence[int]) -> Piece:
    steps = np.unique(np.concatenate([part["step"].astype(np.int64) for part in rows]))
    times = np.zeros(len(steps))
    values = np.full((len(steps), sum(widths)), np.nan, np.float32)
    present = np.zeros(values.shape, np.bool_)
    column = sum(widths)
    for part, width in zip(reversed(rows), reversed(widths), strict=True):
        where = np.searchsorted(steps, part["step"])
        column -= width
        times[where] = part["time"]
        values[where, column : column + width] = part["values"]
        present[where, column : column + width] = ~absent_in(part["values"])
    return Piece(steps, times, values, present)


def sheet_of_all(run: Run, show: Show = show_nothing) -> Sheet:
    """Return one wide sheet: the scalars by name, every metric as `grad_norm/LAYER`, evaluations as
    `evaluation/test_loss`. Histograms are left out: they have 32 columns a layer.
    """
    parts: list[SheetPart] = []
    columns: list[str] = ["step", "time"]
    for name, part in _parts(run).items():
        if name == "grad_histogram":
            continue
        for column in part.columns:
            bare = name == "scalars" and column not in columns
            columns.append(column if bare else f"{name}/{column}")
        parts.append(part)
    return Sheet("run", tuple(columns[2:]), tuple(parts), show)


def sheets_of(run: Run, show: Show = show_nothing) -> list[Sheet]:
    """Return one sheet for each table that was recorded, and one of the evaluations."""
    return [
        Sheet(name, part.columns, (part,), show)
        for name, part in _parts(run).items()
        if part.columns and part.rows
    ]


def _parts(run: Run) -> dict[str, SheetPart]:
    meta = run.meta
    tables = meta.tables.items() if meta else ()
    # Planes are pictures: they have a thousand numbers per column.
    parts: dict[str, SheetPart] = {name: run.table(name) for name, about in tables if about.kind != "planes"}
    parts["evaluation"] = _Evaluations(run)
    return parts


class _Evaluations:
    """_Evaluations gives the evaluations of a run as rows."""

    columns = EVALUATION

    def __init__(self, run: Run) -> None:
        log = EventLog(run.folder)
        log.poll()
        newest = {step_of(event) or 0: event for event in log.evaluations}
        self._rows = np.empty(len(newest), record_dtype(len(EVALUATION)))
        for row, (step, event) in zip(self._rows, sorted(newest.items()), strict=True):
            row["step"], row["time"] = step, event["time"]
            row["values"] = [event.get(name, np.nan) for name in EVALUATION]

    @property
    def rows(self) -> int:
        """Return how many evaluations there are."""
        return len(self._rows)

    def read(self, start: int = 0, stop: int | None = None) -> Records:
        """Return some of the evaluations as records."""
        return self._rows[start:stop]
