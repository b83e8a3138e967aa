"""A table at one step: the row that was the newest then, and the ones just before it."""

from __future__ import annotations

from dataclasses import dataclass

from gradtui.runs.summary import Floats, Steps
from gradtui.runs.table import Table

RECENT_ROWS = 50
"""How many rows a moment looks back, itself included."""


@dataclass(frozen=True, eq=False)
class RecentRows:
    """The last rows of a table up to a step."""

    steps: Steps
    """(n,), ascending; none before the first row."""
    rows: Floats
    """(n, columns)"""

    @property
    def step(self) -> int:
        """The step of the newest row; 0 where there is none."""
        return int(self.steps[-1]) if len(self.steps) else 0


def recent_rows(table: Table, step: int | None, rows: int = RECENT_ROWS) -> RecentRows:
    """The last `rows` rows up to and with a step; None is the newest there is. Reads no others."""
    stop = table.rows if step is None else table.row_of(step + 1)
    steps, _, values = table.values(max(0, stop - rows), stop)
    return RecentRows(steps, values)
