"""The chart of a study: curves with the spread of their seeds, bars, or a map with theory's borders."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from gradtui.report.charts import Paper
from gradtui.report.study_charts import series, study_chart
from gradtui.study.chart import Chart, LineChart
from gradtui.ui.charts.plot import CurvePlot

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


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
            drawn = [series(line, chart, LETTERS[at % len(LETTERS)]) for at, line in enumerate(chart.lines)]
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
