"""The frames of the layer page: a few curves of one layer, or its histogram."""

from __future__ import annotations

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Vertical

from gradtui.ui.charts.histogram import HistogramChart
from gradtui.ui.charts.plot import CurvePlot, Series
from gradtui.ui.layer_view import LayerView


@dataclass(frozen=True)
class Curves:
    """What one frame draws: measures by the name that their curve has."""

    id: str
    title: str
    measures: tuple[tuple[str, str], ...]
    logarithmic: bool


GRADIENT = Curves(
    "layer-gradient", "Gradient", (("grad_norm", "weights'"), ("output_grad_rms", "output's")), True
)
ACTIVATION = Curves(
    "layer-activation",
    "Activation",
    (
        ("activation_mean", "mean"),
        ("activation_std", "spread"),
        ("dead_fraction", "dead"),
        ("saturated_fraction", "saturated"),
    ),
    False,
)
WEIGHTS = Curves(
    "layer-weights", "Weights", (("update_ratio", "update ÷ weight"), ("weight_norm", "norm")), True
)


class LayerCurves(Vertical, can_focus=True):
    """Curves of one layer over the steps."""

    ALLOW_MAXIMIZE = True

    def __init__(self, curves: Curves) -> None:
        super().__init__(id=curves.id, classes="pane")
        self.curves = curves

    def compose(self) -> ComposeResult:
        """One chart."""
        yield CurvePlot(logarithmic=self.curves.logarithmic, placeholder="nothing recorded yet")

    def on_mount(self) -> None:
        """The frame's title."""
        self.border_title = self.curves.title + (" · log" if self.curves.logarithmic else "")

    def paint(self, view: LayerView, at: int | None, x_end: float | None) -> None:
        """Draw the curves of a layer, the cursor at the step looked at."""
        series = []
        for measure, name in self.curves.measures:
            curve = view.curves.get(measure)
            if curve is not None and len(curve) and (curve.mean == curve.mean).any():
                series.append(Series(name, curve.step, curve.mean))
        plot = self.query_one(CurvePlot)
        plot.update(series, x_end=x_end)
        plot.cursor = at


class LayerHistogram(Vertical, can_focus=True):
    """The sizes of one layer's gradients over the steps."""

    ALLOW_MAXIMIZE = True

    def __init__(self) -> None:
        super().__init__(id="layer-histogram", classes="pane")

    def compose(self) -> ComposeResult:
        """One chart."""
        yield HistogramChart()

    def on_mount(self) -> None:
        """The frame's title."""
        self.border_title = "Gradient of each weight, by size"

    def paint(self, view: LayerView, at: int | None) -> None:
        """Draw the histogram of a layer."""
        found = view.histogram
        chart = self.query_one(HistogramChart)
        last = max(view.step, int(found.steps[-1]) if len(found.steps) else 0)
        chart.update(found.shares, found.edges, found.steps, last, found.nonfinite > 0)
        chart.step = at
        zeros = found.zeros[found.steps <= at] if at is not None else found.zeros
        exact = f" · {float(zeros[-1]):.1%} exactly zero" if len(zeros) and zeros[-1] > 0 else ""
        self.border_subtitle = f"brighter: more of them{exact}"
