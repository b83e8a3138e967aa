"""Read and write files of records of equal size, and the coarser levels of a table."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gradtui.ordinary_files import open_to_read
from gradtui.runs.folder import LEVEL_FACTOR, level_dtype, level_path
from gradtui.runs.safe_files import open_file, truncate
from gradtui.runs.summary import Records, Summary, concatenate, empty, fold, of_level, of_rows, to_level


class RecordFile:
    """A RecordFile appends whole records to a file that only this process writes, and never leaves a torn one.

    The file is opened for each append: on a network file system, written data reaches other hosts when the file is
    closed, and a removed folder is noticed. On a local disk that costs about 10 microseconds.
    """

    def __init__(self, path: Path, dtype: np.dtype[np.void]) -> None:
        """Continue an existing file; a torn last record is not counted, and the next append overwrites it."""
        self.path = path
        self.dtype = dtype
        self.size = dtype.itemsize
        self._new = True
        self.count = 0
        with contextlib.suppress(FileNotFoundError):
            self.count = path.stat().st_size // self.size
            self._new = False

    def truncate(self, count: int) -> None:
        """Cut the file to the first `count` records. Raises OSError."""
        self.count = min(count, self.count)
        with contextlib.suppress(FileNotFoundError):
            truncate(self.path, self.count * self.size)

    def append(self, records: Records) -> None:
        """Append records by one write, unless the disk accepts only a part of it.

        Raises OSError; then the file ends with the last record that was written completely.
        """
        # A file that has been removed must not be made again, because it would lack its beginning.
        descriptor = open_file(self.path, os.O_WRONLY | (os.O_CREAT if self._new else 0))
        self._new = False
        try:
            self._write(descriptor, records.view(np.uint8).data)
        finally:
            os.close(descriptor)

    def _write(self, descriptor: int, content: memoryview) -> None:
        start, done = self.count * self.size, 0
        try:
            while done < len(content):
                done += os.pwrite(descriptor, content[done:], start + done)
        finally:
            self.count += done // self.size
            if done < len(content):
                os.ftruncate(descriptor, self.count * self.size)


def read_records(path: Path, dtype: np.dtype[np.void], start: int, stop: int) -> Records:
    """Return the records from `start` up to `stop`, or as many whole ones as exist. Raises OSError.

    The file is not mapped into memory, because the reader of a mapped file that is cut short is killed.
    """
    with os.fdopen(open_to_read(path), "rb") as file:
        return np.fromfile(file, dtype, count=max(0, stop - start), offset=start * dtype.itemsize)


def find_row(read: Callable[[int, int], Records], count: int, field: str, value: float) -> int:
    """Return the first of `count` rows whose ascending `field` is not below `value`; `count` if there is none.

    `read` returns the rows from a start up to a stop. A row that it cannot read counts as not below `value`.
    """
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        row = read(middle, middle + 1)
        if len(row) and row[field][0] < value:
            low = middle + 1
        else:
            high = middle
    return low


def written_rows(file: RecordFile) -> int:
    """Return how many rows lie before the zeros at the end of a table, which a power cut may leave. Raises OSError.

    No row has the time 0.
    """

    def is_written(row: int) -> bool:
        return bool((read_records(file.path, file.dtype, row, row + 1)["time"] != 0).any())

    low, high = 0, file.count
    if high and is_written(high - 1):
        return high
    while low < high:
        middle = (low + high) // 2
        if is_written(middle):
            low = middle + 1
        else:
            high = middle
    return low


HIGHEST_LEVEL = 8
"""The number of levels: 16**8 rows are more than the 32 bits of a step can count."""

_CHUNK_BYTES = 16_000_000
"""About the most bytes of rows that are read at once where levels are made of rows that are there."""


class Levels:
    """Levels writes the coarser levels of one table: the same rows in buckets of 16, 256, 4096 and so on.

    It keeps less than one bucket of each level in memory.
    """

    def __init__(self, folder: Path, table: str, columns: int, rows: RecordFile) -> None:
        """Continue the levels of the first `rows.count` rows, and make those that are missing. Raises OSError."""
        self._rows = rows
        self._files = [
            RecordFile(level_path(folder, table, LEVEL_FACTOR**power), level_dtype(columns))
            for power in range(1, HIGHEST_LEVEL + 1)
        ]
        self._pending = [empty(columns)] * HIGHEST_LEVEL
        below = rows.count
        for file in self._files:
            file.truncate(min(below // LEVEL_FACTOR, written_rows(file)))
            below = file.count
        # The order is from the top down: a level adds its new buckets to the level above, which must be complete.
        for index in reversed(range(HIGHEST_LEVEL)):
            self._catch_up(index)

    def _catch_up(self, index: int) -> None:
        below = self._rows if index == 0 else self._files[index - 1]
        start, stop = self._files[index].count * LEVEL_FACTOR, below.count
        chunk = max(1, min(4096, _CHUNK_BYTES // (below.size * LEVEL_FACTOR))) * LEVEL_FACTOR
        for first in range(start, stop, chunk):
            records = read_records(below.path, below.dtype, first, min(first + chunk, stop))
            self._extend(index, of_rows(records) if index == 0 else of_level(records))

    def extend(self, rows: Records) -> None:
        """Add rows that were appended to the table. Raises OSError."""
        self._extend(0, of_rows(rows))

    def _extend(self, index: int, fresh: Summary) -> None:
        if index == HIGHEST_LEVEL:
            return
        waiting = concatenate([self._pending[index], fresh])
        full = len(waiting) // LEVEL_FACTOR * LEVEL_FACTOR
        self._pending[index] = waiting[full:]
        if full:
            folded = fold(waiting[:full], LEVEL_FACTOR)
            self._files[index].append(to_level(folded))
            self._extend(index + 1, folded)
