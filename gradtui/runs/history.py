"""The whole of a growing table in a bounded number of buckets."""

from __future__ import annotations

import numpy as np

from gradtui.runs.summary import Summary, concatenate, empty, halve, merge
from gradtui.runs.table import Table, coarsest_bucket


class History:
    """All rows of a table in at most `most` buckets of `stride` rows each.

    The stride is the smallest power of two that suffices; when the history is full, neighbours are merged and
    it goes on. Only the last bucket may hold fewer rows. A bucket's numbers follow from its rows alone: not
    from how many came at once, nor from whether they were read from a level.
    """

    def __init__(self, columns: int, most: int) -> None:
        self.rows = 0
        self.stride = 1
        self._columns = columns
        self._most = most
        self._full = empty(columns)
        # Rows that fill no bucket yet: at most one merged bucket of each smaller power of two, keyed by it.
        self._waiting: dict[int, Summary] = {}

    def take(self, table: Table, stop: int) -> None:
        """Take in a table's rows from where the history ends up to `stop`."""
        stride = self._stride_for(stop)
        while self.stride < stride:
            self._coarsen()
        fresh: list[Summary] = []
        for size, buckets in table.pieces(self.rows, stop, coarsest_bucket(stride)):
            self.rows += size * len(buckets)
            fresh.append(self._carry(buckets, size))
        self._full = concatenate([self._full, *fresh])

    def _stride_for(self, rows: int) -> int:
        stride = 1
        while rows > self._most * stride:
            stride *= 2
        return stride

    def _coarsen(self) -> None:
        even = len(self._full) // 2 * 2
        if even < len(self._full):
            self._waiting[self.stride] = self._full[even:]
        self._full = halve(self._full[:even])
        self.stride *= 2

    def _carry(self, buckets: Summary, size: int) -> Summary:
        """What fills strides, once these are merged with the buckets that wait, as a counter carries."""
        while size < self.stride:
            waiting = self._waiting.pop(size, None)
            if waiting is not None:
                buckets = concatenate([waiting, buckets])
            even = len(buckets) // 2 * 2
            if even < len(buckets):
                self._waiting[size] = buckets[even:]
            buckets = halve(buckets[:even])
            size *= 2
        return buckets

    @property
    def last_rows(self) -> int:
        """Rows in the last bucket; 0 where there is none."""
        return (self.rows - 1) % self.stride + 1 if self.rows else 0

    def summary(self) -> Summary:
        """The buckets, oldest first. They are not changed later."""
        if not self._waiting:
            return self._full
        sizes = sorted(self._waiting, reverse=True)
        parts = concatenate([self._waiting[size] for size in sizes])
        last = merge(parts, np.array(sizes, np.float64), np.zeros(1, np.intp))
        return concatenate([self._full, last])
