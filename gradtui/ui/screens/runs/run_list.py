"""Which runs one sees, in which order, which are marked, and on which the cursor is. No widget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gradtui.runs.filter import Filter
from gradtui.runs.library import RunInfo
from gradtui.ui.widgets.row_table import Column, in_order

NEWEST = "started"
"""The column whose largest values one wishes to see first."""


class Listing:
    """The cursor and the marks stay with their runs, however these come to stand.

    Args:
        columns: by which runs can be sorted.
    """

    def __init__(self, columns: Sequence[Column[RunInfo]]) -> None:
        self.columns = {column.key: column for column in columns}
        self.runs: Sequence[RunInfo] = ()
        """All of them."""
        self.rows: Sequence[RunInfo] = ()
        """Those that fit the filter, sorted."""
        self.filter = Filter()
        self.by, self.descending = NEWEST, True
        self.at = 0
        """The row under the cursor."""
        self.marked: set[Path] = set()
        self._stays: Path | None = None

    @property
    def here(self) -> RunInfo | None:
        """The run under the cursor."""
        return self.rows[self.at] if self.rows else None

    @property
    def chosen(self) -> list[RunInfo]:
        """The marked ones, also where the filter hides them; or else the one under the cursor."""
        marked = [run for run in self.runs if run.run in self.marked]
        return marked or ([self.here] if self.here is not None else [])

    @property
    def marked_rows(self) -> set[int]:
        """Rows of the marked ones."""
        return {at for at, row in enumerate(self.rows) if row.run in self.marked}

    def take(self, runs: Sequence[RunInfo]) -> None:
        """Other runs, or the same as they are by now."""
        self.runs = runs
        self.marked &= {run.run for run in runs}
        self.sift()

    def sift(self, chosen: Filter | None = None) -> None:
        """Filter and sort. Where the run under the cursor has gone, the cursor stays at its place."""
        self.filter = self.filter if chosen is None else chosen
        fitting = [run for run in self.runs if self.filter.matches(run)]
        self.rows = in_order(fitting, self.columns[self.by], descending=self.descending)
        places = {run.run: at for at, run in enumerate(self.rows)}
        at = places.get(self._stays, self.at) if self._stays is not None else self.at
        self.choose(at, stay=self._stays in places or self._stays is None)

    def choose(self, at: int, *, stay: bool = True) -> None:
        """The cursor on another row. stay: it goes with that run from now on."""
        self.at = max(0, min(at, len(self.rows) - 1))
        if stay and self.here is not None:
            self._stays = self.here.run

    def sort(self, by: str, descending: bool | None = None) -> None:
        """By a column; None: as one wishes to see it first."""
        self.by, self.descending = by, by == NEWEST if descending is None else descending
        self.sift()

    def sort_beside(self, columns: int) -> None:
        """By the column so many to the right (left)."""
        keys = list(self.columns)
        self.sort(keys[(keys.index(self.by) + columns) % len(keys)])

    def mark(self) -> None:
        """Mark the run under the cursor, or no more; and go to the next."""
        if self.here is not None:
            self.marked ^= {self.here.run}
            self.choose(self.at + 1)

    def mark_all(self) -> None:
        """All that are shown; where all are marked, none."""
        shown = {run.run for run in self.rows}
        self.marked = self.marked - shown if shown <= self.marked else self.marked | shown
