"""The StudyChart shows the charts of a study: curves with the spread of the seeds, bars with the gradients behind them,
or a map with the borders that theory predicts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from gradtui.report.output import Paper
from gradtui.report.study_charts import series, study_chart
from gradtui.study.chart_data import Bar, BarChart, Chart, LineChart
from gradtui.study.state import StudyState
from gradtui.ui.screens.study.small_profiles import GradientProfile, SmallProfiles
from gradtui.ui.widgets.curve_plot import CurvePlot
from gradtui.words import printable

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class StudyChart(Vertical, can_focus=True):
    """A StudyChart shows one chart at a time, the next at a key, and behind them the gradients of bars."""

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
        self._profiles: Sequence[GradientProfile] = ()
        self._name = ""
        self._run = ""
        self._at = 0
        self._titles = ("", "")

    def compose(self) -> ComposeResult:
        """Yield a plot of curves, a text, and small profiles, of which one is shown."""
        plot = CurvePlot(placeholder="")
        plot.steps_on_x = False
        yield plot
        with VerticalScroll(can_focus=False):
            yield Static()
        yield SmallProfiles()

    def show(
        self,
        charts: Sequence[Chart],
        profiles: Sequence[GradientProfile] = (),
        name: str = "",
        *,
        nothing: str = "",
    ) -> None:
        """Show these charts, and the same one of them as before.

        Args:
            charts: the charts of the study; none before it has been read.
            profiles: the gradients behind bars; empty where there are none.
            name: the study's name, for the title of the gradients.
            nothing: the text in a chart without a point.
        """
        plot = self.query_one(CurvePlot)
        if nothing != plot.placeholder:
            plot.placeholder = nothing
            plot.repaint()
        self._charts, self._profiles, self._name = charts, profiles, name
        self._paint()

    def point(self, run: str) -> None:
        """Mark the gradients of the run with this key, and bring them into view."""
        if run != self._run:
            self._run = run
            self.query_one(SmallProfiles).paint(self._profiles, run)

    def next_chart(self) -> None:
        """Show the next chart."""
        self._at += 1
        self._paint()

    @property
    def several(self) -> bool:
        """Return whether there is another chart."""
        return self._count > 1

    @property
    def _count(self) -> int:
        return len(self._charts) + bool(self._profiles)

    def on_resize(self) -> None:
        """Draw text again, for its width has changed."""
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
            self._show_titles(
                f"{self._name}: gradient of each layer at the newest step",
                f"{len(self._profiles)} profiles, first seed",
                place,
            )
        elif isinstance(chart, LineChart):
            self._draw(chart)
            across = f"log10 of {chart.x_label}" if chart.log_x else chart.x_label
            self._show_titles(chart.title, f"{across} · shaded: all seeds", place)
        else:
            ascii = bool(getattr(self.app, "ascii", False))
            paper = Paper(max(40, self.content_size.width - 3), colour=not self.app.no_color, ascii=ascii)
            # The first line is the title, which is in the frame.
            height = self.content_size.height + 1
            lines = [Content.from_rich_text(line) for line in study_chart(chart, paper, height)]
            self.query_one(Static).update(Content("\n").join(lines[1:]))
            self._show_titles(chart.title, place)

    def _draw(self, chart: LineChart) -> None:
        plot = self.query_one(CurvePlot)
        plot.y_range = chart.y_range
        plot.logarithmic = chart.log_y
        drawn = [series(line, chart, LETTERS[at % len(LETTERS)]) for at, line in enumerate(chart.lines)]
        plot.update([curve for curve in drawn if curve is not None])

    def _show_titles(self, title: str, *caption: str) -> None:
        titles = (title, " · ".join(filter(None, caption)))
        if titles != self._titles:
            self._titles = titles
            self.border_title, self.border_subtitle = map(Content, titles)


def profiles_of(state: StudyState) -> tuple[GradientProfile, ...]:
    """Return a profile for each bar of a study, in the order of the bars, of the first seed that has gradients.

    Bars without a run that has taken a step are left out; a study that is not drawn as bars has no profiles.
    """
    chart = next((chart for chart in state.charts if isinstance(chart, BarChart)), None)
    made = (_profile(state, bar) for bar in chart.bars) if chart is not None else ()
    return tuple(profile for profile in made if profile is not None)


def _profile(state: StudyState, bar: Bar) -> GradientProfile | None:
    rows = [state.row(key) for key in bar.runs]
    row = next((row for row in rows if row.gradients is not None), None)
    if row is None:
        return None
    return GradientProfile(
        bar.runs,
        printable(bar.name),
        # A sign for all seeds, as the bar's own note is.
        ("✖" if bar.note else "✓") if any(row.completed for row in rows) else "",
        row.outcome.drop if row.outcome is not None else math.nan,
        row.gradients,
        row.healthy,
    )
