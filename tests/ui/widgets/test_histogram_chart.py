"""Test the histogram of one layer over time."""

from __future__ import annotations

import numpy as np
from textual.app import App, ComposeResult

from gradtui.ui.widgets.histogram_chart import HistogramChart


class HistogramApp(App[None]):
    """A HistogramApp has one histogram of ten lines, with the last row at the last step."""

    def compose(self) -> ComposeResult:
        """Yield the chart."""
        yield HistogramChart()

    @property
    def chart(self) -> HistogramChart:
        """Return the chart."""
        return self.query_one(HistogramChart)

    def show(self, steps: list[int]) -> None:
        """Show a row for each of these steps."""
        self.chart.update(np.ones((len(steps), 8)), np.linspace(-8, 0, 9), steps, steps[-1] if steps else 0)


async def test_few_rows_fill_the_chart_and_each_can_be_reached() -> None:
    app = HistogramApp()
    async with app.run_test(size=(60, 11)):
        for steps in ([1], [1, 500], [1, 126, 500], [1, 33, 126, 283, 500], list(range(1, 8))):
            app.show(steps)
            assert len(app.chart.line_steps()) == 10, "no line is left empty"
            shown = np.unique(app.chart.line_steps()).tolist()
            at, reached = None, []
            while (at := app.chart.step_beside(at, -1)) is not None and at not in reached:
                reached.append(at)
            assert reached == (shown[-2::-1] or shown), "from the newest step back to the first"
            if len(shown) > 1:
                assert app.chart.step_beside(shown[0], 1) == shown[1]
            assert app.chart.step_beside(shown[-1], 1) is None
        app.show([])
        assert app.chart.step_beside(None, -1) is None
