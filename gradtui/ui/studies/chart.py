"""The charts of a study: curves with the spread of their seeds, bars and their gradients over depth, or a map with
theory's borders."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from gradtui.report.output import Paper
from gradtui.report.study_charts import series, study_chart
from gradtui.study.chart import Chart, LineChart
from gradtui.ui.panes.small_profiles import Multiple, SmallProfiles
from gradtui.ui.widgets.curve_plot import CurvePlot

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class StudyChart(Vertical, can_focus=True):
    """One of the study's charts; a key shows the next. Behind those of its figures, the gradients, if there are any."""

    ALLOW_MAXIMIZE = True
    DEFAULT_CSS = """
    StudyChart {
        & CurvePlot { height: 1fr; }
        & SmallProfiles { display: none; }
        & VerticalScroll { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; display: none; }
        & Static { width: auto; text-wrap: nowrap; }
    }
    """

    def __init__(self) -> None:
        super().__init__(classes="pane")
        self._charts: Sequence[Chart] = ()
        self._profiles: Sequence[Multiple] = ()
        self._name = ""
        self._run = ""
        self._at = 0
        self._said = ("", "")

    def compose(self) -> ComposeResult:
        """Curves, text, or small multiples."""
        plot = CurvePlot(placeholder="nothing has been trained to its end yet")
        plot.steps_on_x = False
        yield plot
        with VerticalScroll(can_focus=False):
            yield Static()
        yield SmallProfiles()

    def show(self, charts: Sequence[Chart], profiles: Sequence[Multiple] = (), name: str = "") -> None:
        """Show these; the same one of them as before.

        Args:
            charts: of the study's figures.
            profiles: the gradients behind them; empty where there are none.
            name: of the study, for the title of the gradients.
        """
        self._charts, self._profiles, self._name = charts, profiles, name
        self._paint()

    def point(self, run: str) -> None:
        """Mark the gradients of a run, and have them in view."""
        if run != self._run:
            self._run = run
            self.query_one(SmallProfiles).paint(self._profiles, run)

    def following(self) -> None:
        """The next of them."""
        self._at += 1
        self._paint()

    @property
    def several(self) -> bool:
        """Whether there is another one."""
        return self._count > 1

    @property
    def _count(self) -> int:
        return len(self._charts) + bool(self._profiles)

    def on_resize(self) -> None:
        """Text has another width."""
        self._paint()

    def _paint(self) -> None:
        if not self._charts:
            return
        at = self._at % self._count
        place = f"{at + 1} of {self._count}" if self.several else ""
        chart = self._charts[at] if at < len(self._charts) else None
        self.query_one(CurvePlot).display = isinstance(chart, LineChart)
        self.query_one(SmallProfiles).display = chart is None
        self.query_one(VerticalScroll).display = not (chart is None or isinstance(chart, LineChart))
        if chart is None:
            self.query_one(SmallProfiles).paint(self._profiles, self._run)
            self._say(
                f"{self._name}: gradient of each layer at the newest step",
                f"{len(self._profiles)} profiles, first seed",
                place,
            )
        elif isinstance(chart, LineChart):
            self._draw(chart)
            across = f"log10 of {chart.x_label}" if chart.log_x else chart.x_label
            self._say(chart.title, f"{across} · shaded: all seeds", place)
        else:
            paper = Paper(max(40, self.content_size.width - 3), colour=not self.app.no_color, ascii=False)
            lines = [Content.from_rich_text(line) for line in study_chart(chart, paper)]
            # The title stands in the frame.
            self.query_one(Static).update(Content("\n").join(lines[1:]))
            self._say(chart.title, place)

    def _draw(self, chart: LineChart) -> None:
        plot = self.query_one(CurvePlot)
        plot.y_range = chart.y_range
        plot.logarithmic = chart.log_y
        drawn = [series(line, chart, LETTERS[at % len(LETTERS)]) for at, line in enumerate(chart.lines)]
        plot.update([curve for curve in drawn if curve is not None])

    def _say(self, title: str, *caption: str) -> None:
        said = (title, " · ".join(filter(None, caption)))
        if said != self._said:
            self._said = said
            self.border_title, self.border_subtitle = map(Content, said)
