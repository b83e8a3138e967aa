"""Loss or accuracy of several runs over each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from textual.app import ComposeResult
from textual.containers import Grid, Vertical
from textual.content import Content
from textual.css.query import NoMatches
from textual.reactive import reactive

from gradtui.charts.scale import Scale, log10_of
from gradtui.charts.series import CurveData
from gradtui.metrics import Metric
from gradtui.ui.screens.compare.runs_legend import Entry, newest_of
from gradtui.ui.screens.lab.curve_pane import CurvePane
from gradtui.ui.widgets.curve_plot import CurvePlot
from gradtui.ui.widgets.layer_charts import ScaleLegend
from gradtui.ui.widgets.waterfall import Waterfall

if TYPE_CHECKING:
    from gradtui.charts.series import CurveData

PARTS = ("batch", "train", "test")
"""What of a run is drawn: its batches, or what was evaluated of the training or the test set."""

EXPLODED = frozenset({"exploding", "nonfinite"})


class OverlaidCurves(CurvePane):
    """One curve a run, its letter at its end."""

    HELP = (
        "## Loss and accuracy of all runs\n\nThe letter at the end of a curve says whose it is. `e` draws the batches "
        "that were trained on, or what was **evaluated** on the training or the test set. `y` a logarithmic axis; of "
        "the accuracy it shows the error. `v` smooths. `← →` move through **time** in all charts; a run that had ended "
        "by then shows its last step. Where a run explodes, it leaves a linear axis to the others."
    )

    part = PARTS[0]
    """What of each run is drawn."""

    async def overlay(self, entries: Sequence[Entry], part: str, at: int | None) -> None:
        """Show what all of them have by now; at: the step that is looked at."""
        series = [one for entry in entries if (one := curve(entry, self.what, part)) is not None]
        plot = await self.plot()
        self._newest, self._first = newest_of(entries), 1
        plot.travels, plot.cursor = True, at
        ends = [entry.watching.snapshot.steps for entry in entries if entry.watching.snapshot is not None]
        plot.update(series, x_end=max(ends, default=0) or None)
        self.part = part
        self._write_title()

    def point_at(self, step: int | None) -> None:
        """The cursor at a step, before the runs were read for it."""
        for plot in self._plots():
            plot.cursor = step

    def step_beside(self, step: int, columns: int) -> int:
        """The step so many columns to the right (left) of another."""
        return next((plot.step_beside(step, columns) for plot in self._plots()), step)

    def _write_title(self) -> None:
        super()._write_title()
        said = {"batch": "of each batch", "train": "on the training set", "test": "on the test set"}[
            self.part
        ]
        head, *rest = self.heading.split(" · ")
        self.heading = " · ".join([f"{head} {said}", *rest])

    def _write_caption(self) -> None:
        """Nothing besides: what happened to each of many runs would be a forest of signs."""


def curve(entry: Entry, what: str, part: str) -> CurveData | None:
    """What is drawn of a run; None where it has nothing of the kind."""
    from gradtui.charts.series import CurveData

    snapshot = entry.watching.snapshot
    if snapshot is None:
        return None
    guest = not EXPLODED.isdisjoint(entry.codes)
    if part == "batch":
        batch = snapshot.curves.get(what)
        if batch is None or not len(batch):
            return None
        return CurveData("", batch.step, batch.mean, guest=guest, sign=entry.letter)
    key = f"{part}_{what}"
    known = [event for event in snapshot.evaluations if event.get(key) is not None]
    if not known:
        return None
    values = [event[key] for event in known]
    return CurveData(
        "", [event["step"] for event in known], values, noisy=False, guest=guest, sign=entry.letter
    )


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

    def overlay(self, entries: Sequence[Entry], metric: Metric) -> None:
        """Show the step that each of them is looked at."""
        plot = self.query_one(CurvePlot)
        values = {entry.letter: seen(entry, metric) for entry in entries}
        depths = sorted({len(row) for row in values.values() if len(row)})
        plot.logarithmic = metric.scale == "log"
        plot.update(
            [
                CurveData("", places(len(row), relative=len(depths) > 1), row, noisy=False, sign=letter)
                for letter, row in values.items()
                if len(row)
            ]
        )
        self.heading = metric.title
        if len(depths) > 1:
            self.caption = f"first to last of {', '.join(map(str, depths))} {metric.axis}s"
        elif depths:
            self.caption = f"{metric.axis} 1 to {depths[0]:,}"


def seen(entry: Entry, metric: Metric) -> NDArray[np.floating]:
    """The row of a run at the step looked at, (layers,); none before there is one of this measure."""
    sight = entry.watching.sight
    return sight.values if sight is not None and sight.look.measure == metric.name else np.zeros(0)


def places(count: int, *, relative: bool) -> NDArray[np.float64]:
    """Where layers stand: by their number, or by their share of the depth, from 0 to 1."""
    if not relative:
        return np.arange(1.0, count + 1)
    return np.linspace(0.0, 1.0, count) if count > 1 else np.array([0.5])


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
        self._metric: Metric | None = None
        self._scale = Scale()

    def compose(self) -> ComposeResult:
        """A place for them."""
        yield Grid()

    async def overlay(self, entries: Sequence[Entry], metric: Metric) -> None:
        """Show all that each of them has recorded."""
        self._entries = entries
        if metric is not self._metric:
            self._metric = metric
            self._scale = Scale(metric.scale, metric.low, metric.high)
            await self.query("RunWaterfall, ScaleLegend").remove()
            await self.query_one(Grid).mount(*(RunWaterfall(self._scale) for _ in entries))
            await self.mount(ScaleLegend(self._scale))
            self._place()
        sights = [
            entry.watching.sight
            for entry in entries
            if entry.watching.sight is not None and entry.watching.sight.look.measure == metric.name
        ]
        units = log10_of if metric.scale == "log" else np.asarray
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
