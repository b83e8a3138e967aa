"""What the waterfall shows: all steps of a run downward, its layers across, in a bounded number of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradtui.runs.summary import Floats, Steps, Summary, mean_of_two
from gradtui.runs.table import Table


@dataclass(frozen=True, eq=False)
class Timeline:
    """The means of a measure over `stride` recorded steps each, for every layer; a power of two.

    Only the last row may be a mean of fewer (`last_count`). NaN and infinity in a step stay in the row's
    mean.
    """

    table: Table
    rows: Floats
    """(n, layers)"""
    steps: Steps
    """(n,): the step at which each row begins."""
    stride: int
    last_count: int

    @property
    def first_step(self) -> int:
        """The step at which the first row begins; 0 where there is none."""
        return int(self.steps[0]) if len(self.steps) else 0

    @property
    def recorded(self) -> int:
        """How many recorded steps the rows stand for."""
        return (len(self.rows) - 1) * self.stride + self.last_count if len(self.rows) else 0

    def fold(self, most: int) -> tuple[Floats, Steps, int]:
        """The same in at most `most` rows (of at least one): (matrix, the step at which each row begins, stride).

        Full rows are the very ones that a shorter timeline would hold, so a pane that grows row by row
        changes only at its end, until its stride doubles.
        """
        matrix, steps, stride, last = self.rows, self.steps, self.stride, self.last_count
        while len(matrix) > max(1, most):
            odd = len(matrix) % 2
            # The last row stands apart: it may weigh less than its neighbour.
            pairs = len(matrix) // 2 - (0 if odd else 1)
            merged = mean_of_two(matrix[0 : 2 * pairs : 2], matrix[1 : 2 * pairs : 2])
            tail = matrix[-1:] if odd else _weighed(matrix[-2:], stride, last)
            last = last if odd else stride + last
            matrix, steps = np.concatenate([merged, tail]), steps[::2]
            stride *= 2
        return matrix, steps, stride

    def window(self, first_step: int, last_step: int, most: int) -> Summary:
        """The recorded steps from `first_step` to `last_step`, both included, in at most `most` buckets.

        Read from the disk, as finely as it is stored there: for looking closer than `rows` allow.
        """
        return self.table.summary(self.table.row_of(first_step), self.table.row_of(last_step + 1), most)


def _weighed(two: Floats, first: int, second: int) -> Floats:
    if first == second:
        return mean_of_two(two[:1], two[1:])
    with np.errstate(invalid="ignore"):
        weights = np.array([first, second], np.float64)[:, None]
        mean: Floats = ((two * weights).sum(axis=0, keepdims=True) / (first + second)).astype(np.float32)
    return mean
