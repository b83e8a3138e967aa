"""Small multiples: the gradient over depth of several trainings side by side, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from textual.app import ComposeResult
from textual.containers import Grid, Vertical

from gradtui.ui.charts.profile import ProfileChart
from gradtui.ui.charts.scale import Scale, log10_of
from gradtui.ui.panes.trial_table import power, verdict_mark

if TYPE_CHECKING:
    from gradtui.study.state import TrialRow

WIDTH, HEIGHT = 36, 8
"""Cells of one, its frame included, at least."""
MOST = 16


class TrialProfile(Vertical):
    """One training's, in a frame that says whose it is."""

    DEFAULT_CSS = """
    TrialProfile {
        border: round $border; border-title-color: $text-muted; border-subtitle-color: $text-muted;
        &.-chosen { border: round $accent; border-title-color: $accent; }
        &:nocolor.-chosen { border: heavy $accent; border-title-style: reverse; }
        & ProfileChart { height: 1fr; }
    }
    """

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.scale = scale
        self._said = ("", "")

    def compose(self) -> ComposeResult:
        """The chart."""
        yield ProfileChart(self.scale)

    def paint(self, row: TrialRow, chosen: bool) -> None:
        """Show a training as it stands."""
        mark = verdict_mark(row)[0] if row.state in ("finished", "diverged") else ""
        drop = row.outcome.drop if row.outcome is not None else float("nan")
        said = (f"{mark} {row.name}".strip(), f"first ÷ last {power(drop)}" if drop == drop else "")
        if said != self._said:
            # To write on the frame paints all of it, so only what is new is written.
            self._said = said
            self.border_title, self.border_subtitle = said
        self.set_class(chosen, "-chosen")
        chart = self.query_one(ProfileChart)
        if row.gradients is None:
            chart.update(None)
            return
        healthy = None
        if row.healthy is not None:
            healthy = (log10_of(row.healthy[0]), log10_of(row.healthy[1]))
        chart.update(log10_of(row.gradients), corridor=healthy)


class TrialProfiles(Grid):
    """As many as there is room for: the sick net first, then in the order of the table, the chosen one among them."""

    DEFAULT_CSS = """
    TrialProfiles { height: 1fr; grid-gutter: 0; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.scale = Scale()
        self._rows: tuple[TrialRow, ...] = ()
        self._chosen = ""
        self._grid = (0, 0, 0)

    def paint(self, rows: Sequence[TrialRow], chosen: str) -> None:
        """Show trainings, in the order of the table."""
        self._rows, self._chosen = tuple(rows), chosen
        self._paint()

    def on_resize(self) -> None:
        """There is room for more, or for fewer."""
        self._paint()

    def _paint(self) -> None:
        drawn = [row for row in self._rows if row.gradients is not None or row.live]
        across, down = fitting(self.size.width, self.size.height, len(drawn))
        shown = among(drawn, across * down, self._chosen)
        each = self.size.height // max(1, down)
        if (across, down, each) != self._grid:
            self._grid = (across, down, each)
            # All as high as each other: a scale looks the same only in as many rows.
            self.styles.grid_rows = str(each)
            self.styles.grid_size_columns, self.styles.grid_size_rows = max(1, across), max(1, down)
        there = list(self.query(TrialProfile))
        for profile in there[len(shown) :]:
            profile.display = False
        if len(there) < len(shown):
            self.mount(*(TrialProfile(self.scale) for _ in shown[len(there) :]))
            # They have no chart yet.
            self.call_after_refresh(self._paint)
            return
        values = [log10_of(row.gradients) for row in shown if row.gradients is not None]
        if values:
            # All of them at once, before any is drawn: one scale.
            self.scale.include(np.concatenate(values))
        for profile, row in zip(there, shown, strict=False):
            profile.display = True
            profile.paint(row, row.key == self._chosen)


def fitting(width: int, height: int, wanted: int) -> tuple[int, int]:
    """Columns and rows of charts that fit, no more rows than are needed; 0 where none does."""
    across, most = min(MOST, width // WIDTH), height // HEIGHT
    if not (across and most and wanted):
        return 0, 0
    down = min(most, -(-wanted // across), max(1, MOST // across))
    return min(across, -(-wanted // down)), down


def among(rows: Sequence[TrialRow], count: int, chosen: str) -> list[TrialRow]:
    """The first so many, the chosen one in place of the last where it is not among them."""
    shown = list(rows[:count])
    if shown and chosen not in [row.key for row in shown]:
        shown[-1:] = [row for row in rows if row.key == chosen] or shown[-1:]
    return shown
