"""Show the gradient of every layer: one step as bars, all steps as a waterfall on the same axis of layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive

from gradtui.ui.keys import GRADIENT_KEYS
from gradtui.ui.screens.lab.headline import Headline, headline_of, legend_of
from gradtui.ui.screens.lab.waiting import WaitingNote, waiting_for
from gradtui.ui.terminal.terminal_app import named_keys
from gradtui.ui.view import StepChanged, TimeZoomed
from gradtui.ui.widgets.cell_chart import palette_of
from gradtui.ui.widgets.factor_chart import factor_readout, factor_signs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from gradtui.metrics import Metric
    from gradtui.runs.plane import Plane
    from gradtui.ui.followed_run import FollowedRun
    from gradtui.ui.shown_diagnosis import ShownDiagnosis
    from gradtui.ui.view_data import ViewData
    from gradtui.ui.widgets.factor_chart import FactorChart
    from gradtui.ui.widgets.layer_charts import LayerChart, LayerSelected, ProfileChart
    from gradtui.ui.widgets.waterfall import StepSelected, Waterfall


CHARTS = "WaitingNote, ProfileChart, FactorChart, Waterfall, ScaleLegend, PlaneChart"
"""The widgets that can be in the pane below its headline."""


class GradientPane(Vertical, can_focus=True):
    """The GradientPane shows a headline, a profile and a waterfall; the charts are mounted after the first frame."""

    HELP = (
        "## Gradient of each layer\n\n"
        "**Bars**: the newest step (or the one you look at), input on the left, output on the right. The line "
        "across a bar is the median of the last 50 recorded steps, and the paler tones are their range. A healthy "
        "net lies in the shaded band, and the line called theory is what theory expects at the start.\n\n"
        "**Waterfall**: the whole run for the same layers, with time running downward. `×` is NaN, `∞` infinite, "
        "`0` exactly zero.\n\n"
        "**Product** (`P`): the factor of each layer, as a bar up or down from 1 in two parts; the dots are the "
        "product of the factors from the output to the layer.\n\n"
        "**What it computes** (`D`, for data such as spirals): the class that the net gives each point of the "
        "plane, and the training points. A pale tone means that the net is not sure.\n\n"
        "Arrows move through layers and time, `enter` opens the layer."
    )
    BINDINGS = GRADIENT_KEYS
    ALLOW_MAXIMIZE = True
    DEFAULT_CSS = """
    GradientPane {
        & ProfileChart { height: 5fr; min-height: 4; }
        & FactorChart { height: 12fr; min-height: 4; }
        & Waterfall { height: 4fr; min-height: 2; }
    }
    """

    @dataclass
    class RowsChanged(Message):
        """Another number of rows of time fits into the waterfall now."""

        rows: int

    @dataclass
    class Opened(Message):
        """Request for the page of a layer, by its index."""

        layer: int

    def __init__(self) -> None:
        super().__init__(classes="pane")
        self._shown: tuple[Path, str, bool] | None = None
        self._data: ViewData | None = None
        self._other: NDArray[np.float64] | None = None

    heading: reactive[Content] = reactive(Content("Gradient of each layer"), repaint=False)
    """The title of the frame."""
    edited: reactive[bool] = reactive(False, repaint=False)
    """Whether the builder has another experiment than the run that is drawn."""
    opened: reactive[str] = reactive("", repaint=False)
    """The name of the experiment in the builder, where it was opened after the run: a preset, a file, a lesson's."""
    caption: reactive[Content] = reactive(Content(""), repaint=False)
    """The lower line of the frame. It is only written if it is new, since that paints the whole pane."""

    def compose(self) -> ComposeResult:
        """Yield the headline, and the text that is shown until a run has its first step."""
        yield Headline()
        yield WaitingNote()

    def watch_heading(self) -> None:
        """Write the title of the frame."""
        other = ""
        if self.opened:
            other = f" · of the run, not of {self.opened}"
        elif self.edited:
            other = " · of the run, not of the edited net"
        self.border_title = self.heading + other

    watch_edited = watch_opened = watch_heading

    def watch_caption(self, caption: Content) -> None:
        """Write the lower line of the frame."""
        self.border_subtitle = caption

    # -- painting

    async def paint(
        self, followed: FollowedRun, diagnosis: ShownDiagnosis, partner: FollowedRun | None = None
    ) -> None:
        """Show the data of a run: one step of a metric as bars, all its rows as the waterfall.

        Args:
            followed: the run.
            diagnosis: the diagnosis that the other panes show too.
            partner: the run that it is compared with, drawn as a broken line over the bars.
        """
        data = followed.data
        if data is None or not len(data.values):
            await self._wait(waiting_for(followed))
            return
        from gradtui import metrics
        from gradtui.absent import log10_of
        from gradtui.ui.view_data import values_beside
        from gradtui.ui.widgets.layer_charts import ScaleLegend

        if data.plane is not None:
            await self._paint_plane(followed, data.plane, diagnosis, partner)
            return
        metric = metrics.get(data.request.metric)
        units = log10_of if metric.scale == "log" else _plain
        chart, waterfall = await self._charts(followed.folder, metric, data.factors is not None)
        self._data = data
        self._other = values_beside(data, partner.data if partner is not None else None)
        text = data.factors.headline if data.factors else metric.headline(data.names, data.values.tolist())
        self.query_one(Headline).sentence = headline_of(text, diagnosis, data.step)
        # The waterfall comes first: it has every step, so it sets the scale that both share.
        waterfall.update(units(data.matrix), data.steps, data.last, whole_run=not followed.live)
        self._update(chart, data, units)
        waterfall.step = data.step if data.request.at is not None else None
        self.query_one(ScaleLegend).update()
        self.heading = Content(metric.title)
        self._write_legend()

    async def _wait(self, waits: Content) -> None:
        """Show what the run waits for, instead of the charts and of the axes that the previous run had."""
        if waits.plain and not self.query(WaitingNote):
            await self.query(CHARTS).remove()
            await self.mount(WaitingNote())
            self._shown = None
        for waiting in self.query(WaitingNote):
            waiting.say(waits)

    async def _paint_plane(
        self, followed: FollowedRun, plane: Plane, diagnosis: ShownDiagnosis, partner: FollowedRun | None
    ) -> None:
        """Show what the net computes over the plane, and beside it that of the other run."""
        from gradtui.ui.widgets.plane_chart import PlaneChart, plane_caption, plane_headline

        other = partner.data.plane if partner is not None and partner.data is not None else None
        if self._shown != (followed.folder, "plane", False):
            await self.query(CHARTS).remove()
            await self.mount(PlaneChart())
            self._shown = (followed.folder, "plane", False)
            self.screen.refresh_bindings()
        self._data = followed.data
        headline = self.query_one(Headline)
        headline.sentence, headline.legend = headline_of(plane_headline(plane), diagnosis, plane.step), ()
        beside = () if other is None else (("without the cure", other),)
        self.query_one(PlaneChart).update(("this run", plane), *beside)
        self.heading = Content("What the net computes")
        self.caption = Content(named_keys(self.app, plane_caption(plane, plane.steps)))

    def _update(
        self, chart: LayerChart, data: ViewData, units: Callable[[ArrayLike], NDArray[np.float64]]
    ) -> None:
        """Draw the values of one step, or the factors between them."""
        from gradtui.ui.widgets.factor_chart import FactorChart
        from gradtui.ui.widgets.layer_charts import ProfileChart

        if isinstance(chart, FactorChart):
            chart.update(data.factors)
            return
        assert isinstance(chart, ProfileChart)
        chart.update(
            units(data.values),
            spread=(units(data.low), units(data.high)),
            typical=units(data.middle) if len(data.moment.rows) > 1 else None,
            theory=None if data.theory is None else units(data.theory),
            other=None if self._other is None else units(self._other),
            healthy=None if data.healthy is None else (units(data.healthy[0]), units(data.healthy[1])),
        )

    def _write_legend(self) -> None:
        """Write the values of the layer pointed at, or the meaning of the signs, and below it the part in view."""
        data = self._data
        # The order matters: getting the chart imports numpy, which is not needed before there are data.
        if data is None or (chart := self._profile()) is None:
            return
        at = chart.cursor if chart.cursor is not None and chart.cursor < len(data.names) else None
        headline, palette = self.query_one(Headline), palette_of(self)
        headline.asked = at is not None and data.factors is None
        headline.legend = legend_of(data, at, self._other is not None, palette)
        from gradtui.ui.widgets.waterfall import Waterfall, caption_of

        self.caption = Content(caption_of(chart, self.query_one(Waterfall), data.request.window))
        if data.factors is not None:
            self.heading = factor_signs(data.factors, palette)
        if data.factors is not None and at is not None:
            # Beside the sentence there is no room for the parts of a factor.
            self.caption = factor_readout(data.factors, at, palette)

    def notify_style_update(self) -> None:
        """Write the signs as they are drawn in other colours or characters."""
        super().notify_style_update()
        self._write_legend()

    def on_resize(self) -> None:
        """Write as many words as fit now."""
        self._write_legend()

    def clear(self, says: Content) -> None:
        """Show nothing, so that another run's title does not stand over data of this one, or say why."""
        for waiting in self.query(WaitingNote):
            waiting.say(says)
        headline = self.query_one(Headline)
        headline.sentence, headline.legend, self.caption, self._data = Content(""), (), Content(""), None
        for chart in self.query("ProfileChart, FactorChart, Waterfall"):
            chart.update(None)  # type: ignore[attr-defined]
        for chart in self.query("PlaneChart"):
            chart.update()  # type: ignore[attr-defined]

    async def _charts(self, folder: Path, metric: Metric, factors: bool) -> tuple[LayerChart, Waterfall]:
        """Return the charts; they are mounted instead of the invitation with the first numbers of a run."""
        from gradtui.charts.scale import Scale
        from gradtui.ui.widgets.factor_chart import FactorChart
        from gradtui.ui.widgets.layer_charts import LayerChart, ProfileChart, ScaleLegend
        from gradtui.ui.widgets.waterfall import Waterfall

        if self._shown != (folder, metric.name, factors):
            cursor, window = self._kept(folder, metric)
            scale = Scale(metric.scale, metric.low, metric.high)
            await self.query(CHARTS).remove()
            start = 0 if metric.axis == "lag" else 1
            profile = (
                FactorChart(of=metric.axis, start=start, id="profile")
                if factors
                else ProfileChart(scale, of=metric.axis, start=start, id="profile")
            )
            waterfall = Waterfall(scale, id="waterfall")
            await self.mount(profile, waterfall, ScaleLegend(scale))
            for chart in (profile, waterfall):
                chart.cursor, chart.window = cursor, window
            if self._shown is not None and self._shown[1] == "plane":
                self.screen.refresh_bindings()
            self._shown = (folder, metric.name, factors)
        return self.query_one("#profile", LayerChart), self.query_one(Waterfall)

    def _kept(self, folder: Path, metric: Metric) -> tuple[int | None, tuple[int, int] | None]:
        """Return the cursor and the layers in view, to keep them if another metric of the same layers is drawn."""
        chart = self._profile()
        if chart is None or self._shown is None or self._shown[0] != folder or chart.of != metric.axis:
            return None, None
        return chart.cursor, chart.window

    def _profile(self) -> ProfileChart | FactorChart | None:
        from gradtui.ui.widgets.factor_chart import FactorChart
        from gradtui.ui.widgets.layer_charts import ProfileChart

        return next((one for one in self.children if isinstance(one, ProfileChart | FactorChart)), None)

    def _layer_charts(self) -> list[LayerChart]:
        from gradtui.ui.widgets.layer_charts import LayerChart

        return list(self.query(LayerChart))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key does anything now: the plane has neither layers nor a zoom, and no step nothing."""
        if self._data is None:
            return action not in ("layer", "end", "time", "zoom", "zoom_time", "whole", "open")
        return self._data.plane is None or action not in ("layer", "end", "zoom", "zoom_time", "whole")

    # -- layers

    @property
    def pointed(self) -> int | None:
        """Return the index of the layer pointed at, or None."""
        chart = self._profile()
        return chart.cursor if chart is not None else None

    def point_at(self, layer: int | None) -> None:
        """Point at a layer in both charts, and bring it into view."""
        chart = self._profile()
        if chart is None:
            return
        chart.point_at(layer)
        self._follow(chart)

    def _follow(self, leader: LayerChart) -> None:
        """Let all charts point at and show the same layers as one of them."""
        for chart in self._layer_charts():
            chart.cursor, chart.window = leader.cursor, leader.window
        self._write_legend()

    def action_layer(self, by: int) -> None:
        """Point at another layer."""
        chart = self._profile()
        if chart is not None:
            chart.move_cursor(by)
            self._follow(chart)

    def action_end(self, last: bool) -> None:
        """Point at the first or the last layer."""
        if self._data is not None:
            self.point_at(len(self._data.names) - 1 if last else 0)

    def action_zoom(self, factor: float) -> None:
        """Show fewer or more layers."""
        chart = self._profile()
        if chart is not None:
            chart.zoom(factor)
            self._follow(chart)

    def action_whole(self) -> None:
        """Show all layers and the whole run."""
        for chart in self._layer_charts():
            chart.reset_zoom()
        self._write_legend()
        self.post_message(TimeZoomed(0.0))

    def action_open(self) -> None:
        """Open the page of the layer pointed at, or of the first one."""
        if self._data is None:
            return
        if self.pointed is None:
            self.action_layer(1)
        if self.pointed is not None:
            self.post_message(self.Opened(self.pointed))
        elif self._data.plane is not None:
            self.post_message(self.Opened(0))

    # -- time

    def action_time(self, lines: int) -> None:
        """Show a step that is later by some lines of the waterfall, or earlier if negative."""
        from gradtui.ui.widgets.waterfall import Waterfall

        data = self._data
        if data is not None and data.plane is not None:
            self.post_message(StepChanged(data.plane.beside(data.plane.step, lines)))
        for waterfall in self.query(Waterfall):
            if data is not None:
                here = data.last if data.request.at is None else data.request.at
                self.post_message(StepChanged(waterfall.step_beside(here, lines)))

    def action_zoom_time(self, factor: float) -> None:
        """Show a shorter or longer stretch of time."""
        self.post_message(TimeZoomed(factor))

    def on_capacity_changed(self) -> None:
        """Ask for as many rows of time as fit now."""
        from gradtui.ui.widgets.waterfall import Waterfall

        for waterfall in self.query(Waterfall):
            self.post_message(self.RowsChanged(waterfall.capacity))

    def on_layer_selected(self, event: LayerSelected) -> None:
        """Point at a clicked layer in all charts."""
        event.stop()
        self._follow(event.chart)

    def on_step_selected(self, event: StepSelected) -> None:
        """Show a clicked step."""
        event.stop()
        self.post_message(StepChanged(event.step))

    @on(events.Click)
    def _clicked(self) -> None:
        self.focus()


def _plain(values: ArrayLike) -> NDArray[np.float64]:
    import numpy as np

    return np.asarray(values, np.float64)
