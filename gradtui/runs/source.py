"""A table that is followed: its history, its newest row, and how fast it grows."""

from __future__ import annotations

from collections import deque

import numpy as np

from gradtui.runs.history import History
from gradtui.runs.summary import Floats
from gradtui.runs.table import Table

RATE_SECONDS = 2.0


class TableFollower:
    """Reads on in a table, and begins anew where it was cut back because the run was resumed."""

    def __init__(self, table: Table, most: int) -> None:
        """`most`: buckets of the history."""
        self._most = most
        self.restart(table)

    def restart(self, table: Table) -> None:
        """Forget everything and follow this table."""
        self.table = table
        self.history = History(len(table.columns), self._most)
        self.rows = 0
        self.step = 0
        self.last_values: Floats = np.zeros(0, np.float32)
        self._last_time = 0.0
        self._marks: deque[tuple[float, int]] = deque()

    def poll(self) -> bool:
        """Take in the rows that are new. Whether any were. One look at the file's size where none are."""
        rows = self.table.rows
        if rows == self.rows:
            return False
        if self.rows and not self._goes_on(rows):
            self.restart(self.table)
        last = self.table.read(max(0, rows - 1), rows)
        if not len(last):
            return True
        if not self._marks:
            self._mark_past(float(last["time"][0]), rows - 2)
        self.rows = rows
        self.step, self._last_time = int(last["step"][0]), float(last["time"][0])
        self.last_values = np.array(last["values"][0])
        self.history.take(self.table, rows)
        if self.history.rows != rows:
            # Cut back while it was read.
            self.restart(self.table)
            return True
        self._mark(self._last_time, self.step)
        return True

    def _goes_on(self, rows: int) -> bool:
        """Whether the last row that was read is still where it was."""
        if rows < self.rows:
            return False
        row = self.table.read(self.rows - 1, self.rows)
        return bool(len(row)) and (int(row["step"][0]), float(row["time"][0])) == (self.step, self._last_time)

    def _mark_past(self, now: float, latest: int) -> None:
        row = max(0, min(latest, self.table.row_at(now - RATE_SECONDS)))
        past = self.table.read(row, row + 1)
        if len(past):
            self._mark(float(past["time"][0]), int(past["step"][0]))

    def _mark(self, time: float, step: int) -> None:
        self._marks.append((time, step))
        # One mark older than the span is kept where it alone lies before the newest: a step may take minutes.
        while len(self._marks) > 2 and self._marks[0][0] < time - RATE_SECONDS:
            self._marks.popleft()

    def rate(self) -> float | None:
        """Steps a second over the last two seconds recorded, or over the last two rows where they lie further
        apart.

        None before the second row.
        """
        if len(self._marks) < 2:
            return None
        (before, first), (now, last) = self._marks[0], self._marks[-1]
        return (last - first) / (now - before) if now > before and last > first else None
