"""The whole course of several runs side by side, in the same colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from textual.app import ComposeResult
from textual.containers import Grid, Vertical
from textual.content import Content
from textual.css.query import NoMatches

from gradtui.ui.charts.legend import ScaleLegend
from gradtui.ui.charts.scale import Scale, log10_of
from gradtui.ui.charts.waterfall import Waterfall
from gradtui.ui.compare.entry import Entry
from gradtui.ui.measures import Measure

NARROWEST = 18
"""Columns of one waterfall with its frame, at least, where more than one row of them can be had."""


class RunWaterfall(Vertical):
    """One run's, in a frame with its letter."""

    DEFAULT_CSS = """
    RunWaterfall {
        border-top: solid $border; border-title-color: $text-muted; padding: 0 1 0 0;
        & Waterfall { height: 1fr; }
    }
    """

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.scale = scale
        self._said = ""

    def compose(self) -> ComposeResult:
        """The chart."""
        yield Waterfall(self.scale)

    def entitle(self, said: str) -> None:
        """Write on the frame, if it is new: that paints all of it."""
        if said != self._said:
            self._said = said
            self.border_title = Content(said)


class Waterfalls(Vertical, can_focus=True):
    """As many as there are runs, on one scale."""

    HELP = (
        "## Waterfalls\n\nThe whole of each run: layers across, input at the left, time downward; each has its own "
        "time, and all have the same colours. `×` was not a number, `∞` infinite, `0` exactly zero. `↑ ↓` move "
        "through time."
    )
    ALLOW_MAXIMIZE = True
    DEFAULT_CSS = """
    Waterfalls {
        & Grid { height: 1fr; grid-gutter: 0; }
    }
    """

    def __init__(self) -> None:
        super().__init__(classes="pane", id="waterfalls-pane")
        self.border_title = "Waterfalls"
        self._entries: Sequence[Entry] = ()
        self._measure: Measure | None = None
        self._scale = Scale()

    def compose(self) -> ComposeResult:
        """A place for them."""
        yield Grid()

    async def overlay(self, entries: Sequence[Entry], measure: Measure) -> None:
        """Show all that each of them has recorded."""
        self._entries = entries
        if measure is not self._measure:
            self._measure = measure
            self._scale = Scale(measure.scale, measure.low, measure.high)
            await self.query("RunWaterfall, ScaleLegend").remove()
            await self.query_one(Grid).mount(*(RunWaterfall(self._scale) for _ in entries))
            await self.mount(ScaleLegend(self._scale))
            self._place()
        sights = [
            entry.watching.sight
            for entry in entries
            if entry.watching.sight is not None and entry.watching.sight.look.measure == measure.name
        ]
        units = log10_of if measure.scale == "log" else np.asarray
        matrices = {id(sight): units(sight.matrix) for sight in sights}
        if matrices:
            # All of them at once, before any is drawn: one scale.
            self._scale.include(np.concatenate([matrix.ravel() for matrix in matrices.values()]))
        for entry, pane in zip(entries, self.query(RunWaterfall), strict=True):
            pane.entitle(f"{entry.letter} {entry.watching.title}")
            sight = entry.watching.sight
            chart = pane.query_one(Waterfall)
            if sight is not None and id(sight) in matrices:
                chart.update(matrices[id(sight)], sight.steps, sight.last)
                chart.step = sight.step if sight.look.at is not None else None
        self.query_one(ScaleLegend).update()

    def rows_of(self, chart: Waterfall) -> tuple[Entry, int] | None:
        """Whose chart it is, and how many rows of time it can show."""
        for entry, pane in zip(self._entries, self.query(RunWaterfall), strict=False):
            if chart in pane.children:
                return entry, chart.capacity
        return None

    def on_resize(self) -> None:
        """More or fewer beside each other."""
        self._place()

    def _place(self) -> None:
        try:
            grid = self.query_one(Grid)
        except NoMatches:
            return
        across = abreast(self.content_size.width, self.content_size.height, len(self._entries))
        grid.styles.grid_size_columns = across
        grid.styles.grid_size_rows = max(1, -(-len(self._entries) // across))


def abreast(width: int, height: int, count: int) -> int:
    """How many stand beside each other: all, unless they would be too narrow and there is height for another row."""
    if not count:
        return 1
    rows = 1
    while width // -(-count // rows) < NARROWEST and height // (rows + 1) >= 5 and rows < count:
        rows += 1
    return -(-count // rows)
