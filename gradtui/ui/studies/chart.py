"""The chart of a study: curves with the spread of their seeds, bars, or a map with theory's borders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from gradtui.report.charts import Paper
from gradtui.report.study_charts import study_chart
from gradtui.study.chart import Chart, Line, LineChart
from gradtui.ui.charts.plot import CurvePlot, Series

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BETWEEN = 400
"""Points of a curve, as many as a wide terminal has dots across."""


class StudyChart(Vertical, can_focus=True):
    """One of the study's charts; a key shows the next."""

    ALLOW_MAXIMIZE = True
    DEFAULT_CSS = """
    StudyChart {
        & CurvePlot { height: 1fr; }
        & VerticalScroll { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; display: none; }
        & Static { width: auto; text-wrap: nowrap; }
    }
    """

    def __init__(self) -> None:
        super().__init__(classes="pane")
        self._charts: Sequence[Chart] = ()
        self._at = 0
        self._said = ("", "")

    def compose(self) -> ComposeResult:
        """Curves, or text."""
        plot = CurvePlot(placeholder="nothing has been trained to its end yet")
        plot.travels = False
        yield plot
        with VerticalScroll(can_focus=False):
            yield Static()

    def show(self, charts: Sequence[Chart]) -> None:
        """Show these; the same one of them as before."""
        self._charts = charts
        self._paint()

    def following(self) -> None:
        """The next of them."""
        self._at += 1
        self._paint()

    @property
    def several(self) -> bool:
        """Whether there is another one."""
        return len(self._charts) > 1

    def on_resize(self) -> None:
        """Text has another width."""
        self._paint()

    def _paint(self) -> None:
        if not self._charts:
            return
        chart = self._charts[self._at % len(self._charts)]
        plot, text = self.query_one(CurvePlot), self.query_one(VerticalScroll)
        curves = isinstance(chart, LineChart)
        plot.display, text.display = curves, not curves
        place = f"{self._at % len(self._charts) + 1} of {len(self._charts)}" if self.several else ""
        caption = [place]
        if isinstance(chart, LineChart):
            plot.y_range = chart.y_range
            plot.logarithmic = chart.log_y
            drawn = [series(line, at, chart) for at, line in enumerate(chart.lines)]
            plot.update([curve for curve in drawn if curve is not None])
            across = f"log10 of {chart.x_label}" if chart.log_x else chart.x_label
            caption = [f"{across} · shaded: all seeds", place]
        else:
            paper = Paper(max(40, self.content_size.width - 3), colour=not self.app.no_color, ascii=False)
            lines = [Content.from_rich_text(line) for line in study_chart(chart, paper)]
            # The title stands in the frame.
            self.query_one(Static).update(Content("\n").join(lines[1:]))
        said = (chart.title, " · ".join(filter(None, caption)))
        if said != self._said:
            self._said = said
            self.border_title, self.border_subtitle = map(Content, said)


def series(line: Line, at: int, chart: LineChart) -> Series | None:
    """A curve with its spread, of what has ended; None before there is anything."""
    known = np.isfinite(line.mean)
    if not known.any():
        return None
    x = (np.log10(line.x) if chart.log_x else line.x)[known]
    # A band between two points runs from spread to spread, as the line does from mean to mean.
    between = np.union1d(x, np.linspace(x[0], x[-1], BETWEEN))
    there, back = (np.log10, lambda y: 10.0**y) if chart.log_y else (np.asarray, np.asarray)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, low, high = (
            back(np.interp(between, x, there(values[known]))) for values in (line.mean, line.low, line.high)
        )
    return Series(line.name, between, mean, low=low, high=high, noisy=False, sign=LETTERS[at % len(LETTERS)])
