"""A measure over the layers of several runs, over each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive

from gradtui.ui.charts.plot import CurvePlot, Series
from gradtui.ui.compare.entry import Entry
from gradtui.ui.measures import Measure


class OverlaidProfiles(Vertical, can_focus=True):
    """One line a run, from input to output: level is healthy, and where nets differ in depth, depth is relative."""

    HELP = (
        "## The layers of all runs\n\nOne line a net, from input to output; its letter stands at the output. Where the "
        "nets are not equally deep, the axis runs from 0, the first layer, to 1, the output. A gap with a red sign was "
        "not a number; the lowest row is exactly 0. `m` draws another measure, and the waterfalls with it."
    )
    ALLOW_MAXIMIZE = True
    DEFAULT_CSS = "OverlaidProfiles CurvePlot { height: 1fr; }"

    heading: reactive[str] = reactive("", repaint=False)
    caption: reactive[str] = reactive("", repaint=False)

    def __init__(self) -> None:
        super().__init__(classes="pane", id="profiles-pane")

    def compose(self) -> ComposeResult:
        """The chart."""
        plot = CurvePlot(logarithmic=True, placeholder="no layers yet")
        plot.travels = plot.has_legend = False
        yield plot

    def watch_heading(self, heading: str) -> None:
        """Above the chart."""
        self.border_title = Content(heading)

    def watch_caption(self, caption: str) -> None:
        """Beneath it."""
        self.border_subtitle = Content(caption)

    def overlay(self, entries: Sequence[Entry], measure: Measure) -> None:
        """Show the step that each of them is looked at."""
        plot = self.query_one(CurvePlot)
        values = {entry.letter: seen(entry, measure) for entry in entries}
        depths = sorted({len(row) for row in values.values() if len(row)})
        plot.logarithmic = measure.scale == "log"
        plot.update(
            [
                Series("", places(len(row), relative=len(depths) > 1), row, noisy=False, sign=letter)
                for letter, row in values.items()
                if len(row)
            ]
        )
        self.heading = measure.title
        if len(depths) > 1:
            self.caption = f"first to last of {', '.join(map(str, depths))} {measure.axis}s"
        elif depths:
            self.caption = f"{measure.axis} 1 to {depths[0]:,}"


def seen(entry: Entry, measure: Measure) -> NDArray[np.floating]:
    """The row of a run at the step looked at, (layers,); none before there is one of this measure."""
    sight = entry.watching.sight
    return sight.values if sight is not None and sight.look.measure == measure.name else np.zeros(0)


def places(count: int, *, relative: bool) -> NDArray[np.float64]:
    """Where layers stand: by their number, or by their share of the depth, from 0 to 1."""
    if not relative:
        return np.arange(1.0, count + 1)
    return np.linspace(0.0, 1.0, count) if count > 1 else np.array([0.5])
