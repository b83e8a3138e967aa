"""Read the rows of a growing table, and summaries of any range of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gradtui.runs.folder import LEVEL_FACTOR, level_dtype, level_path, record_dtype, size_of, table_path
from gradtui.runs.records import find_row, read_records
from gradtui.runs.summary import (
    Floats,
    Records,
    Steps,
    Summary,
    Times,
    concatenate,
    empty,
    fold,
    merge,
    of_level,
    of_rows,
)

_PIECE_BYTES = 1 << 22
"""The bytes that are read at once, so that a table may be larger than memory."""


class Table:
    """A Table reads one table of a run. It keeps nothing and no file open; each call reads the files anew.

    A file that is not there yet has no rows; one that is cut short while it is read gives fewer.
    """

    def __init__(self, folder: Path, name: str, columns: tuple[str, ...], width: int = 1) -> None:
        """`width`: the numbers in each column of a row."""
        self.folder = folder
        self.name = name
        self.columns = columns
        self.numbers = len(columns) * width
        """The numbers in a row."""
        self._path = table_path(folder, name)
        self._dtype = record_dtype(self.numbers)
        self._level_dtype = level_dtype(self.numbers)

    @property
    def rows(self) -> int:
        """Return how many whole rows there are now."""
        return size_of(self._path) // self._dtype.itemsize if self.columns else 0

    def read(self, start: int = 0, stop: int | None = None) -> Records:
        """Return rows as structured records (see folder.record_dtype); start and stop count as in slices."""
        start, stop, _ = slice(start, stop).indices(self.rows)
        return _read(self._path, self._dtype, start, stop)

    def values(self, start: int = 0, stop: int | None = None) -> tuple[Steps, Times, Floats]:
        """Return rows as steps (n,), times (n,) and values (n, numbers in a row)."""
        start, stop, _ = slice(start, stop).indices(self.rows)
        stop = max(start, stop)
        values = np.empty((stop - start, self.numbers), np.float32)
        return self._gather(start, stop, values, slice(None))

    def column(self, name: str) -> tuple[Steps, Times, Floats]:
        """Return one column: steps, times and values, each (n,). Raises ValueError if there is none of that name."""
        index = self.columns.index(name)
        rows = self.rows
        return self._gather(0, rows, np.empty(rows, np.float32), index)

    def _gather(
        self, start: int, stop: int, values: Floats, part: slice | int
    ) -> tuple[Steps, Times, Floats]:
        steps, times = np.empty(stop - start, np.int64), np.empty(stop - start)
        done = 0
        for first, last in _pieces(start, stop, self._dtype.itemsize):
            rows = _read(self._path, self._dtype, first, last)
            place = slice(done, done + len(rows))
            steps[place], times[place], values[place] = rows["step"], rows["time"], rows["values"][:, part]
            done += len(rows)
        return steps[:done], times[:done], values[:done]

    def row_of(self, step: int) -> int:
        """Return the first row whose step is not below `step`; the number of rows if all are."""
        return self._find("step", step)

    def row_at(self, time: float) -> int:
        """Return the first row that was written at that time (seconds since the epoch) or later."""
        return self._find("time", time)

    def _find(self, field: str, value: float) -> int:
        return find_row(partial(_read, self._path, self._dtype), self.rows, field, value)

    def summary(self, start: int = 0, stop: int | None = None, buckets: int = 400) -> Summary:
        """Return the rows from `start` up to `stop` in `buckets` buckets, as even as the levels allow.

        There are fewer buckets only if there are fewer rows. This reads at most 16 records a bucket, and a few more.
        """
        start, stop, _ = slice(start, stop).indices(self.rows)
        count = min(buckets, stop - start)
        if count <= 0:
            return empty(self.numbers)
        bucket = coarsest_bucket((stop - start) // count)
        edges = bucket_edges(start, stop, count, bucket)
        each = self._level_dtype.itemsize * ((stop - start) // count // bucket + 1)
        at_once = max(1, _PIECE_BYTES // each)
        parts = [self._merged(edges[at : at + at_once + 1], bucket) for at in range(0, count, at_once)]
        return concatenate(parts)

    def _merged(self, edges: npt.NDArray[np.int64], bucket: int) -> Summary:
        parts, positions, weights = [empty(self.numbers)], [np.zeros(0, np.int64)], [np.zeros(0)]
        position = int(edges[0])
        for weight, part in self.pieces(position, int(edges[-1]), bucket):
            parts.append(part)
            positions.append(position + weight * np.arange(len(part)))
            weights.append(np.full(len(part), float(weight)))
            position += weight * len(part)
        where = np.searchsorted(edges, np.concatenate(positions), "right")
        starts = np.flatnonzero(np.diff(where, prepend=-1))
        return merge(concatenate(parts), np.concatenate(weights), starts)

    def pieces(self, start: int, stop: int, largest: int) -> Iterator[tuple[int, Summary]]:
        """Yield the rows from `start` up to `stop`, in order, as (rows a bucket, buckets) with few large buckets.

        A bucket holds at most `largest` rows (a power of 16) and begins at a multiple of its size.
        """
        if largest == 1:
            for first, last in _pieces(start, stop, self._dtype.itemsize):
                yield 1, of_rows(_read(self._path, self._dtype, first, last))
            return
        first, last = -(-start // largest), stop // largest
        smaller = largest // LEVEL_FACTOR
        if first >= last:
            yield from self.pieces(start, stop, smaller)
            return
        yield from self.pieces(start, first * largest, smaller)
        for one, other in _pieces(first, last, self._level_dtype.itemsize):
            yield largest, self._buckets(largest, one, other)
        yield from self.pieces(last * largest, stop, smaller)

    def _buckets(self, bucket: int, start: int, stop: int) -> Summary:
        """Return full buckets by number. Those that the level does not hold yet are made from the level below."""
        if bucket == 1:
            return of_rows(_read(self._path, self._dtype, start, stop))
        level = level_path(self.folder, self.name, bucket)
        parts = [of_level(_read(level, self._level_dtype, start, stop))]
        for first, last in _pieces(start + len(parts[0]), stop, self._level_dtype.itemsize * LEVEL_FACTOR):
            below = self._buckets(bucket // LEVEL_FACTOR, first * LEVEL_FACTOR, last * LEVEL_FACTOR)
            parts.append(fold(below[: len(below) // LEVEL_FACTOR * LEVEL_FACTOR], LEVEL_FACTOR))
        return concatenate(parts)


def coarsest_bucket(rows: int) -> int:
    """Return the largest size of a level's bucket that is at most `rows`; at least 1, a single row."""
    bucket = 1
    while bucket * LEVEL_FACTOR <= rows:
        bucket *= LEVEL_FACTOR
    return bucket


def bucket_edges(start: int, stop: int, count: int, bucket: int) -> npt.NDArray[np.int64]:
    """Return the count + 1 rows at which `count` even buckets begin and end, each inner one a multiple of `bucket`.

    They ascend strictly if stop - start is at least count · bucket.
    """
    edges = start + (stop - start) * np.arange(count + 1) // count
    edges[1:-1] -= edges[1:-1] % bucket
    return edges


def _read(path: Path, dtype: np.dtype[np.void], start: int, stop: int) -> Records:
    try:
        return read_records(path, dtype, start, stop)
    except OSError:
        return np.zeros(0, dtype)


def _pieces(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    at_once = max(1, _PIECE_BYTES // size)
    for first in range(start, stop, at_once):
        yield first, min(first + at_once, stop)


RECENT_ROWS = 50
"""The largest number of rows that `recent_rows` returns, if not told otherwise."""


@dataclass(frozen=True, eq=False)
class RecentRows:
    """RecentRows are the last rows of a table up to a step."""

    steps: Steps
    """(n,), ascending; none before the first row."""
    rows: Floats
    """The shape is (n, columns)."""

    @property
    def step(self) -> int:
        """Return the step of the newest row; 0 if there is none."""
        return int(self.steps[-1]) if len(self.steps) else 0


def recent_rows(table: Table, step: int | None, rows: int = RECENT_ROWS) -> RecentRows:
    """Return the last `rows` rows up to and with a step; None is the newest step. Reads no other rows."""
    stop = table.rows if step is None else table.row_of(step + 1)
    steps, _, values = table.values(max(0, stop - rows), stop)
    return RecentRows(steps, values)
