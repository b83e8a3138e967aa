"""Draw several runs together in panes: their curves, their layers, and their waterfalls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Grid, Vertical
from textual.content import Content
from textual.css.query import NoMatches
from textual.reactive import reactive

from gradtui.absent import log10_of
from gradtui.charts.scale import Scale
from gradtui.charts.series import CurveData
from gradtui.charts.x_axis import STEPS
from gradtui.metrics import Metric
from gradtui.runs.follower import Snapshot
from gradtui.ui.run_curves import axis_choices, axis_of, by_axis, end_of_axis, mean_curve
from gradtui.ui.screens.compare.runs_legend import ComparedRun, newest_of
from gradtui.ui.settings_store import settings_of
from gradtui.ui.widgets.curve_pane import CURVE_KEYS, CurvePane
from gradtui.ui.widgets.curve_plot import CurvePlot
from gradtui.ui.widgets.layer_charts import ScaleLegend
from gradtui.ui.widgets.waterfall import Waterfall

PARTS = ("batch", "train", "test")
"""The curve of a run that is drawn: that of its batches, or of the evaluations on the training or the test set."""

EXPLODED = frozenset({"exploding", "nonfinite"})


class OverlaidCurves(CurvePane, inherit_bindings=False):
    """OverlaidCurves draws one curve for each run, with the run's letter at its end."""

    HELP = (
        "## Loss and accuracy of all runs\n\n"
        "The letter at the end of a curve names its run. A **group** of runs is one curve: the mean at each step "
        "over its runs that have not diverged, with a band of one standard deviation. `e` switches between the "
        "values of the training batches and the **evaluations** on the training and the test set. `y` draws a "
        "logarithmic axis; for the accuracy it shows the error, 1 − accuracy. `v` smooths. `X` draws by step, by "
        "time or by a logged number. `← →` move through **time** in all charts; a run that had ended by then shows "
        "its last step. A run that explodes does not stretch a linear axis."
    )

    BINDINGS = CURVE_KEYS

    part = PARTS[0]
    """The curve of each run that is drawn."""

    async def overlay(self, entries: Sequence[ComparedRun], part: str, at: int | None) -> None:
        """Show the curves of all runs; at: the step of the cursor, or None."""
        self._again = partial(self.overlay, entries, part, at)
        known = {
            entry.letter: snapshot
            for entry in entries
            if (snapshot := next((run.snapshot for run in entry.counted if run.snapshot), None)) is not None
        }
        self._choices = partial(axis_choices, [snapshot.curves for snapshot in known.values()])
        choice = settings_of(self.app).x_axis
        axes = {letter: axis_of(snapshot.curves, choice) for letter, snapshot in known.items()}
        if not any(axes.values()):
            axes = dict.fromkeys(axes, STEPS)
        self._axis_words = next((axis.words for axis in axes.values() if axis is not None), "")
        missing = ", ".join(letter for letter, axis in axes.items() if axis is None)
        series: list[CurveData] = []
        for entry in entries:
            one = curve(entry, self.what, part)
            series += by_axis([one] if one is not None else [], axes.get(entry.letter))
        plot = await self.plot()
        had_values = bool(self._newest)
        self._newest, self._first = newest_of(entries), 1
        if not had_values:
            # The keys of the curves have an effect from now on.
            self.refresh_bindings()
        plot.steps_on_x, plot.cursor = True, at
        plot.update(series, x_end=end_of_axis(list(known.values())))
        said = [f"not recorded in {missing}"] if missing else []
        said += [f"{entry.letter} {entry.diverged}, left out" for entry in entries if entry.diverged]
        said += ["band: mean ± standard deviation"] if any(entry.group for entry in entries) else []
        self.caption = " · ".join(said)
        self.part = part
        self._write_title()

    def point_at(self, step: int | None) -> None:
        """Put the cursor at a step, even before the runs are read at that step."""
        for plot in self._plots():
            plot.cursor = step

    def step_beside(self, step: int, columns: int) -> int:
        """Return the step this many columns to the right of another, or to the left if negative."""
        return next((plot.step_beside(step, columns) for plot in self._plots()), step)

    def _title(self) -> list[str]:
        head, *rest = super()._title()
        of_what = {"batch": "of each batch", "train": "on the training set", "test": "on the test set"}
        return [f"{head} {of_what[self.part]}", *rest]

    def _write_caption(self) -> None:
        """Write nothing, since the events of many runs would be too many signs."""


def curve(entry: ComparedRun, what: str, part: str) -> CurveData | None:
    """Return the curve of a run, or of a group the mean and the spread of its curves; None where there is none."""
    found = [_points(run.snapshot, what, part) for run in entry.counted if run.snapshot is not None]
    points = [(steps, values) for steps, values in found if np.size(steps)]
    if not points:
        return None
    if entry.group:
        return mean_curve(points, sign=entry.letter, noisy=part == "batch")
    explodes = not EXPLODED.isdisjoint(entry.codes)
    return CurveData("", *points[0], noisy=part == "batch", only_compared=explodes, sign=entry.letter)


def _points(snapshot: Snapshot, what: str, part: str) -> tuple[ArrayLike, ArrayLike]:
    """Return the steps and values of one curve of a run; none where it has no such curve."""
    if part == "batch":
        batch = snapshot.curves.get(what)
        return ((), ()) if batch is None else (batch.step, batch.mean)
    key = f"{part}_{what}"
    known = [event for event in snapshot.evaluations if event.get(key) is not None]
    return [event["step"] for event in known], [event[key] for event in known]


class OverlaidProfiles(Vertical, can_focus=True):
    """OverlaidProfiles draw one line for each run over its layers, from input to output.

    A level line is healthy. Where nets differ in depth, the axis is the relative depth.
    """

    HELP = (
        "## The layers of all runs\n\n"
        "Each line is a net, from input to output, with its letter at the output. Where the nets are not equally "
        "deep, the axis runs from 0, the first layer, to 1, the output. A gap with a red sign means NaN or "
        "infinity; the lowest row means exactly 0. `m` shows another metric, here and in the waterfalls."
    )
    ALLOW_MAXIMIZE = True
    DEFAULT_CSS = "OverlaidProfiles CurvePlot { height: 1fr; }"

    heading: reactive[str] = reactive("", repaint=False)
    caption: reactive[str] = reactive("", repaint=False)

    def __init__(self) -> None:
        super().__init__(classes="pane", id="profiles-pane")

    def compose(self) -> ComposeResult:
        """Yield the chart."""
        plot = CurvePlot(logarithmic=True, placeholder="no layers yet")
        plot.steps_on_x = plot.has_legend = False
        yield plot

    def watch_heading(self, heading: str) -> None:
        """Write the title of the frame."""
        self.border_title = Content(heading)

    def watch_caption(self, caption: str) -> None:
        """Write the lower line of the frame."""
        self.border_subtitle = Content(caption)

    def overlay(self, entries: Sequence[ComparedRun], metric: Metric) -> None:
        """Show the layers of each run at its step."""
        plot = self.query_one(CurvePlot)
        rows = {entry: rows_at_cursor(entry, metric) for entry in entries}
        depths = sorted({len(row) for found in rows.values() for row in found})
        plot.logarithmic = metric.scale == "log"
        series = []
        for entry, found in rows.items():
            points = [(places(len(row), relative=len(depths) > 1), row) for row in found]
            if entry.group and points:
                series.append(mean_curve(points, sign=entry.letter, noisy=False))
            elif points:
                series.append(CurveData("", *points[0], noisy=False, sign=entry.letter))
        plot.update(series)
        self.heading = metric.title
        if len(depths) > 1:
            self.caption = f"first to last of {', '.join(map(str, depths))} {metric.axis}s"
        elif depths:
            self.caption = f"{metric.axis} 1 to {depths[0]:,}"


def rows_at_cursor(entry: ComparedRun, metric: Metric) -> list[NDArray[np.floating]]:
    """Return the row of a run at its step, (layers,), or of a group those of its runs that have not diverged."""
    found = [run.data for run in entry.counted]
    known = [data for data in found if data is not None and data.request.metric == metric.name]
    return [data.values for data in known if len(data.values)]


def places(count: int, *, relative: bool) -> NDArray[np.float64]:
    """Return where layers stand on the axis, (count,): at their number, or at their share of the depth from 0 to 1."""
    if not relative:
        return np.arange(1.0, count + 1)
    return np.linspace(0.0, 1.0, count) if count > 1 else np.array([0.5])


NARROWEST_WATERFALL = 18
"""The least columns of one waterfall with its frame, where there is height for more than one row of them."""


class RunWaterfall(Vertical):
    """A RunWaterfall is the waterfall of one run, in a frame with its letter."""

    DEFAULT_CSS = """
    RunWaterfall {
        border-top: solid $border; border-title-color: $text-muted; padding: 0 1 0 0;
        & Waterfall { height: 1fr; }
    }
    """

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.chart = Waterfall(scale)
        self._title = ""

    def compose(self) -> ComposeResult:
        """Yield the chart."""
        yield self.chart

    def write_title(self, title: str) -> None:
        """Write the title of the frame if it is new: that paints all of the frame."""
        if title != self._title:
            self._title = title
            self.border_title = Content(title)


class Waterfalls(Vertical, can_focus=True):
    """Waterfalls show the whole course of each run side by side, in the same colours."""

    HELP = (
        "## Waterfalls\n\n"
        "Each picture is a whole run: the layers run across, with the input at the left, and time runs downward. "
        "Each picture has its own time axis, and all have the same colours. Of a group it is the first run. "
        "`×` is NaN, `∞` infinite, `0` exactly zero. `↑ ↓` move through time."
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
        self._entries: Sequence[ComparedRun] = ()
        self._panes: list[RunWaterfall] = []
        self._metric: Metric | None = None
        self._scale = Scale()

    def compose(self) -> ComposeResult:
        """Yield the grid of the waterfalls."""
        yield Grid()

    async def overlay(self, entries: Sequence[ComparedRun], metric: Metric) -> None:
        """Show all recorded steps of each run."""
        self._entries = entries
        if metric is not self._metric:
            self._metric = metric
            self._scale = Scale(metric.scale, metric.low, metric.high)
            await self.query("RunWaterfall, ScaleLegend").remove()
            self._panes = [RunWaterfall(self._scale) for _ in entries]
            await self.query_one(Grid).mount(*self._panes)
            await self.mount(ScaleLegend(self._scale))
            self._arrange()
        views = [
            entry.followed.data
            for entry in entries
            if entry.followed.data is not None and entry.followed.data.request.metric == metric.name
        ]
        units = log10_of if metric.scale == "log" else np.asarray
        matrices = {id(data): units(data.matrix) for data in views}
        if matrices:
            # All runs share one scale, so it has to include all of them before any is drawn.
            self._scale.include(np.concatenate([matrix.ravel() for matrix in matrices.values()]))
        for entry, pane in zip(entries, self._panes, strict=True):
            data, chart = entry.followed.data, pane.chart
            if data is not None and id(data) in matrices:
                chart.update(matrices[id(data)], data.steps, data.last, whole_run=not entry.followed.live)
                chart.step = data.step if data.request.at is not None else None
            title = f"{entry.letter} {entry.title}" + (", its first run" if entry.group else "")
            alike = chart.alike_in_words()
            whole = f"{title} · {alike}" if alike else title
            # The blanks and the corners of the frame take four columns.
            pane.write_title(whole if cell_len(whole) <= pane.size.width - 4 else title)
        self.query_one(ScaleLegend).update()

    def rows_of(self, chart: Waterfall) -> tuple[ComparedRun, int] | None:
        """Return the run of a chart, and how many rows of time the chart can show; None where it is none of these."""
        for entry, pane in zip(self._entries, self._panes, strict=False):
            if chart is pane.chart:
                return entry, chart.capacity
        return None

    def on_resize(self) -> None:
        """Place as many beside each other as fit now."""
        self._arrange()

    def _arrange(self) -> None:
        try:
            grid = self.query_one(Grid)
        except NoMatches:
            return
        across = abreast(self.content_size.width, self.content_size.height, len(self._entries))
        grid.styles.grid_size_columns = across
        grid.styles.grid_size_rows = max(1, -(-len(self._entries) // across))


def abreast(width: int, height: int, count: int) -> int:
    """Return how many fit beside each other: all, unless that is too narrow and there is height for another row."""
    if not count:
        return 1
    rows = 1
    while width // -(-count // rows) < NARROWEST_WATERFALL and height // (rows + 1) >= 5 and rows < count:
        rows += 1
    return -(-count // rows)
