"""Show the recorded data of one layer in the panes of the layer page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from gradtui import metrics
from gradtui.charts.series import CurveData
from gradtui.charts.x_axis import STEPS, XAxis
from gradtui.diagnosis.factors import Factors, factors_of_run
from gradtui.metrics import CurveChart
from gradtui.runs.histograms import Histogram
from gradtui.runs.meta import LayerMeta
from gradtui.runs.plane import read_units
from gradtui.runs.reader import Run
from gradtui.runs.summary import Floats, Summary
from gradtui.runs.table import recent_rows
from gradtui.ui.terminal.terminal_app import named_keys
from gradtui.ui.widgets.cell_chart import palette_of
from gradtui.ui.widgets.curve_plot import CurvePlot
from gradtui.ui.widgets.factor_chart import FactorChart, factor_readout, factor_signs
from gradtui.ui.widgets.histogram_chart import HistogramChart
from gradtui.ui.widgets.plane_chart import UnitsChart
from gradtui.words import several


@dataclass(frozen=True)
class Curves:
    """A Curves says which of the metrics' charts of curves one frame draws."""

    chart: CurveChart
    title: str
    logarithmic: bool


GRADIENT = Curves("gradient", "Gradient", True)
ACTIVATION = Curves("activation", "Activation", False)
WEIGHTS = Curves("weights", "Weights", True)


FRAME_COLUMNS = 6
"""The columns of a frame's edge that no text can take."""


class LayerCurves(Vertical, can_focus=True):
    """LayerCurves draw a few metrics of one layer over the steps."""

    ALLOW_MAXIMIZE = True

    def __init__(self, curves: Curves) -> None:
        super().__init__(id=f"layer-{curves.chart}", classes="pane")
        self.curves = curves
        self._axis = STEPS
        self._edges = Content(""), Content("")
        """The texts of the upper and the lower edge, which are only written if they are new."""

    def compose(self) -> ComposeResult:
        """Yield the chart."""
        plot = CurvePlot(logarithmic=self.curves.logarithmic, placeholder="nothing recorded yet")
        # The frame names the curves, and the line over the charts has their values.
        plot.has_legend = False
        yield plot

    def on_mount(self) -> None:
        """Write the title of the frame."""
        self._write_frame()

    def on_resize(self) -> None:
        """Part the names of the curves anew between the two edges of the frame."""
        self._write_frame()

    def _write_frame(self) -> None:
        """Name the curves in the lower edge, and the first of them beside the title if it has no room for all."""
        words = self.curves.title, self._axis.words, "log" if self.curves.logarithmic else ""
        title, room = Content(" · ".join(filter(None, words))), self.size.width - FRAME_COLUMNS
        for gap in (Content("  "), Content(" ")):
            names, above = self.query_one(CurvePlot).names, [title]
            while len(names) > 1 and gap.join(names).cell_length > room:
                above.append(names.pop(0))
            edges = gap.join(above), gap.join(names)
            if edges[0].cell_length <= room:
                break
        if edges != self._edges:
            self._edges = edges
            self.border_title, self.border_subtitle = edges

    def paint(self, view: LayerView, at: int | None, x_end: float | None, axis: XAxis = STEPS) -> None:
        """Draw the curves of a layer over an axis, with the cursor at a step; None means no cursor."""
        series = []
        for metric in metrics.registered():
            chart, name = metric.curve or (None, "")
            curve = view.curves.get(metric.name) if chart == self.curves.chart else None
            if curve is not None and len(curve) and (curve.mean == curve.mean).any():
                series.append(CurveData(name, curve.step, curve.mean, axis=axis))
        plot = self.query_one(CurvePlot)
        plot.update(series, x_end=x_end)
        plot.cursor = at
        self._axis = axis
        self._write_frame()


class LayerHistogram(Vertical, can_focus=True):
    """The LayerHistogram draws the sizes of one layer's gradients over the steps."""

    ALLOW_MAXIMIZE = True

    def __init__(self) -> None:
        super().__init__(id="layer-histogram", classes="pane")

    def compose(self) -> ComposeResult:
        """Yield the chart."""
        yield HistogramChart()

    def on_mount(self) -> None:
        """Write the title of the frame."""
        self.border_title = "Gradient of each weight, by size"

    def paint(self, view: LayerView, at: int | None) -> None:
        """Draw the histogram of a layer, with the cursor at a step; None means no cursor."""
        found = view.histogram
        chart = self.query_one(HistogramChart)
        last = max(view.step, int(found.steps[-1]) if len(found.steps) else 0)
        chart.update(found.shares, found.edges, found.steps, last, found.nonfinite > 0)
        chart.step = at
        zeros = found.zeros[found.steps <= at] if at is not None else found.zeros
        none = len(zeros) == 0 or not zeros[-1] > 0
        self.border_subtitle = "stronger = more " + (
            "weights" if none else f"· {float(zeros[-1]):.1%} are zero"
        )


class LayerFactors(Vertical, can_focus=True):
    """LayerFactors draw the factors of all layers, with this one's in the title, and their product."""

    ALLOW_MAXIMIZE = True

    def __init__(self) -> None:
        super().__init__(id="layer-factors", classes="pane -none")
        self._view: LayerView | None = None

    def paint(self, view: LayerView) -> None:
        """Draw the factors, with the cursor at the layer; hide where the run has recorded none."""
        factors, self._view = view.factors, view
        self.set_class(factors is None, "-none")
        if factors is None:
            return
        self._write_frame()
        chart = next(iter(self.query(FactorChart)), None)
        if chart is None:
            lag = factors.over_time
            chart = FactorChart(of="lag" if lag else "layer", start=0 if lag else 1)
            self.mount(Static(id="layer-product"), chart)
        chart.update(factors)
        chart.cursor = None if factors.over_time else view.index
        self.query_one("#layer-product", Static).update(Content(factors.headline.text))

    def _write_frame(self) -> None:
        """Write the meaning of the signs, and the layer's factor."""
        if self._view is None or (factors := self._view.factors) is None:
            return
        palette = palette_of(self)
        self.border_title = factor_signs(factors, palette)
        self.border_subtitle = (
            Content("") if factors.over_time else factor_readout(factors, self._view.index, palette)
        )

    def notify_style_update(self) -> None:
        """Write the signs as they are drawn in other colours or characters."""
        super().notify_style_update()
        self._write_frame()


class LayerUnits(Vertical, can_focus=True):
    """LayerUnits draw what each of the layer's first units answers over the plane."""

    ALLOW_MAXIMIZE = True

    def __init__(self) -> None:
        super().__init__(id="layer-units", classes="pane")

    def compose(self) -> ComposeResult:
        """Yield the chart."""
        yield UnitsChart()

    def on_mount(self) -> None:
        """Write the title of the frame."""
        self.border_title = "Output of units over the plane"

    def paint(self, view: LayerView) -> None:
        """Draw the units of a layer, on the scale that stands beneath them."""
        self.query_one(UnitsChart).update(view.units)
        units = view.units if view.units is not None else np.zeros(0)
        # Of a wide layer, only the first units are recorded.
        self.border_title = f"Output of the first {several(len(units), 'unit')} over the plane"
        known = units[np.isfinite(units)]
        scale = (
            f"from {known.min():.3g} (faint) to {known.max():.3g} (strong)" if len(known) else "no numbers"
        )
        if len(known) and known.max() - known.min() <= FLAT * max(1e-9, float(np.abs(known).max())):
            scale = f"{float(known.mean()):.3g} everywhere"
        keys = named_keys(self.app, "←→ other layers · D curves")
        self.border_subtitle = f"{scale} · layer {view.index + 1:,} · {keys}"


FLAT = 1e-3
"""If a unit's answers vary by less than this share of their size, they count as equal everywhere."""
CURVE_POINTS = 240
HISTOGRAM_ROWS = 128


@dataclass(frozen=True, eq=False)
class LayerView:
    """A LayerView is one layer over the whole run, with its figures at a step."""

    index: int
    count: int
    """The number of layers."""
    layer: LayerMeta
    step: int
    """The last recorded step up to the one that is shown."""
    curves: Mapping[str, Summary]
    """The curve of each metric, statistics of the shape (n,); NaN where the metric does not apply."""
    figures: Mapping[str, float]
    """The newest value of each metric up to that step."""
    histogram: Histogram
    factors: Factors | None = None
    """The factors of all layers, or of the steps of time."""
    units: Floats | None = None
    """What its first units answer over the plane, (units, side, side); None where that was not recorded."""


def view_layer(run: Run, index: int, at: int | None) -> LayerView | None:
    """Read one layer at a step; None is the newest step. Return None while the net is not built."""
    meta = run.meta
    if meta is None or not meta.layers:
        return None
    index = max(0, min(index, len(meta.layers) - 1))
    curves, figures, step = {}, {}, 0
    for metric in run.metrics:
        table = run.table(metric)
        if len(table.columns) != len(meta.layers):
            # This metric has a column for each time lag, not for each layer.
            continue
        curves[metric] = table.summary(buckets=CURVE_POINTS).column(index)
        moment = recent_rows(table, at, 1)
        if len(moment.rows):
            figures[metric] = float(moment.rows[-1][index])
            step = max(step, moment.step)
    layer = meta.layers[index]
    histogram = run.histogram(layer.name, HISTOGRAM_ROWS)
    factors = factors_of_run(run, at)
    units = read_units(run, index, at)
    return LayerView(index, len(meta.layers), layer, step, curves, figures, histogram, factors, units)
