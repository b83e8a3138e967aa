"""Files of records of one size, and the memory that rows wait in until they are written."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gradtui.runs.folder import record_dtype
from gradtui.runs.summary import Records


class RecordFile:
    """A file that this process alone writes: appends whole records, never leaves a torn one behind a whole
    one.

    The file is opened for each append: on a network file system what is written reaches other hosts when the
    file is closed, and a folder that was removed is noticed. Locally that costs some 10 microseconds.
    """

    def __init__(self, path: Path, dtype: np.dtype[np.void]) -> None:
        """Takes up what is there; a torn last record is not counted, and the next append overwrites it."""
        self.path = path
        self.dtype = dtype
        self.size = dtype.itemsize
        self._new = True
        self.count = 0
        with contextlib.suppress(FileNotFoundError):
            self.count = path.stat().st_size // self.size
            self._new = False

    def truncate(self, count: int) -> None:
        """Keep the first `count` records, and no torn one. Raises OSError."""
        self.count = min(count, self.count)
        with contextlib.suppress(FileNotFoundError):
            os.truncate(self.path, self.count * self.size)

    def append(self, records: Records) -> None:
        """Write them by one call, unless the disk takes them in pieces.

        Raises OSError; then the file ends with the last record that was written whole.
        """
        # A file that was there and is gone shall not come back with its beginning missing.
        descriptor = os.open(self.path, os.O_WRONLY | (os.O_CREAT if self._new else 0), 0o666)
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
    """The records from `start` up to `stop`, or as many of them as are there, whole. Raises OSError.

    Not mapped into memory: where a mapped file on a network file system is cut short, the reader is killed.
    """
    return np.fromfile(path, dtype, count=max(0, stop - start), offset=start * dtype.itemsize)


class RowBuffer:
    """Two arrays: rows are copied into one while the other is being written. The caller holds a lock."""

    FIRST_BYTES = 1 << 16
    MOST_BYTES = 1 << 26

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.dtype = record_dtype(columns)
        capacity = max(8, self.FIRST_BYTES // self.dtype.itemsize)
        self.count = 0
        self.dropped = 0
        self._spare = np.empty(capacity, self.dtype)
        self._use(np.empty(capacity, self.dtype))

    def _use(self, rows: Records) -> None:
        # The fields' views are made once: each costs as much as the copy of a row.
        self._rows = rows
        self._steps, self._times, self._values = rows["step"], rows["time"], rows["values"]

    def put(self, step: int, time: float, values: npt.ArrayLike) -> None:
        """Copy one row in; drop it where the disk has been out of reach until memory ran full."""
        index = self.count
        if index == len(self._rows) and not self._grow():
            self.dropped += 1
            return
        self._values[index] = values
        self._steps[index] = step
        self._times[index] = time
        self.count = index + 1

    def _grow(self) -> bool:
        if 2 * self._rows.nbytes > self.MOST_BYTES:
            return False
        larger = np.empty(2 * len(self._rows), self.dtype)
        larger[: self.count] = self._rows[: self.count]
        self._use(larger)
        return True

    def swap(self) -> Records:
        """The rows that wait, valid until the next swap."""
        rows, self.count = self._rows[: self.count], 0
        full = self._rows
        self._use(self._spare)
        self._spare = full
        return rows


def check_row(values: Any, columns: int, table: str) -> None:
    """Raises ValueError on a row of the wrong length: numpy would spread one number over all columns."""
    if len(values) != columns:
        raise ValueError(f"{table}: {len(values)} values for {columns} columns")
