"""The levels of a table: the same rows in buckets of 16, 256, 4096 …, written along with it."""

from __future__ import annotations

from pathlib import Path

from gradtui.runs.folder import LEVEL_FACTOR, level_dtype, level_path
from gradtui.runs.records import RecordFile, read_records
from gradtui.runs.summary import Records, Summary, concatenate, empty, fold, of_level, of_rows, to_level

HIGHEST = 8
"""16**8 rows are more than a step's 32 bits can count."""

_CHUNK = 4096 * LEVEL_FACTOR


class Levels:
    """Writes the levels of one table. Holds less than a bucket of each level in memory."""

    def __init__(self, folder: Path, table: str, columns: int, rows: RecordFile) -> None:
        """Takes up the levels of the first `rows.count` rows, and makes what lacks. Raises OSError."""
        self._rows = rows
        self._files = [
            RecordFile(level_path(folder, table, LEVEL_FACTOR**power), level_dtype(columns))
            for power in range(1, HIGHEST + 1)
        ]
        self._pending = [empty(columns)] * HIGHEST
        below = rows.count
        for file in self._files:
            file.truncate(below // LEVEL_FACTOR)
            below = file.count
        # From the top down: what a level lacks goes behind what the level above has taken up already.
        for index in reversed(range(HIGHEST)):
            self._catch_up(index)

    def _catch_up(self, index: int) -> None:
        below = self._rows if index == 0 else self._files[index - 1]
        start, stop = self._files[index].count * LEVEL_FACTOR, below.count
        for first in range(start, stop, _CHUNK):
            records = read_records(below.path, below.dtype, first, min(first + _CHUNK, stop))
            self._extend(index, of_rows(records) if index == 0 else of_level(records))

    def extend(self, rows: Records) -> None:
        """Take in rows that were appended to the table. Raises OSError."""
        self._extend(0, of_rows(rows))

    def _extend(self, index: int, fresh: Summary) -> None:
        if index == HIGHEST:
            return
        waiting = concatenate([self._pending[index], fresh])
        full = len(waiting) // LEVEL_FACTOR * LEVEL_FACTOR
        self._pending[index] = waiting[full:]
        if full:
            folded = fold(waiting[:full], LEVEL_FACTOR)
            self._files[index].append(to_level(folded))
            self._extend(index + 1, folded)
