"""A HistogramChart shows the sizes of numbers over time: size across, time downward, brighter where more of
them are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from textual import events
from textual.reactive import var

from gradtui.charts.cells import Cells
from gradtui.charts.heat import draw_histogram, draw_sizes, draw_steps, rows_per_line
from gradtui.charts.layer_axis import GUTTER, Floats
from gradtui.charts.palette import AXIS, Palette
from gradtui.ui.view import StepChanged
from gradtui.ui.widgets.cell_chart import CellChart


class HistogramChart(CellChart):
    """A HistogramChart shows shares of numbers by log10 of their size, a row for each sampled step.

    It shows how wide the sizes are spread and where they drift: a vanishing gradient moves to the left, an exploding
    one to the right. × across a row: some numbers were not finite. A blank: no number of that size.
    """

    step: var[int | None] = var(None, init=False)
    """The step pointed at in the gutter."""

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._shares: Floats = np.zeros((0, 0))
        self._edges: NDArray[np.float64] = np.zeros(0)
        self._broken = np.zeros(0, bool)
        self._steps = np.zeros(0, np.int64)
        self._last = 0

    def update(
        self,
        shares: ArrayLike,
        edges: ArrayLike,
        steps: ArrayLike,
        last: int,
        broken: ArrayLike | None = None,
    ) -> None:
        """Show rows.

        shares: (rows, bins), oldest first; edges: (bins + 1,) in log10; steps: (rows,), each holds until the next;
        last: the last step of the last row; broken: (rows,), whether some numbers were not finite.
        """
        self._shares = np.array(shares, np.float64, ndmin=2)
        self._edges = np.array(edges, np.float64)
        self._steps, self._last = np.array(steps, np.int64), last
        self._broken = np.zeros(len(self._steps), bool) if broken is None else np.array(broken, bool)
        self.repaint()

    def draw(self, height: int, width: int, palette: Palette) -> Cells:
        """Draw the rows that fit, their steps at the left and decades beneath."""
        cells = Cells(height, width)
        lines = height - 1
        if lines < 1 or width <= GUTTER or not len(self._steps):
            text = "no histogram was recorded"
            cells.write(height // 2, max(0, (width - len(text)) // 2), text, AXIS)
            return cells
        chosen = self._chosen(lines * rows_per_line(palette))
        picture = Cells(lines, width)
        draw_histogram(picture, self._shares[chosen], self._broken[chosen], palette)
        steps = self._steps[chosen][:: rows_per_line(palette)]
        draw_steps(picture, steps, self._last, self.step, palette)
        cells.codes[:lines], cells.ink[:lines], cells.fill[:lines] = picture.codes, picture.ink, picture.fill
        draw_sizes(cells, lines, self._edges, self._shares.shape[1])
        return cells

    def _chosen(self, places: int) -> NDArray[np.intp]:
        """Return the row that is drawn in each place: few rows fill several places, many are thinned evenly."""
        count, places = len(self._steps), max(0, places)
        if count < places:
            return np.arange(places if count else 0) * count // places
        return np.linspace(0, count - 1, places).round().astype(np.intp)

    def line_steps(self) -> list[int]:
        """Return the step at which each filled line begins."""
        per_line = rows_per_line(self.palette)
        starts: list[int] = self._steps[self._chosen((self.size.height - 1) * per_line)][::per_line].tolist()
        return starts

    def step_beside(self, step: int | None, lines: int) -> int | None:
        """Return the step of the row so many rows below that of a step (None: the last); None beyond the last.

        A row that fills several lines counts once.
        """
        starts = np.unique(self.line_steps())
        if not len(starts):
            return None
        shown = self._last if step is None else step
        row = int(np.searchsorted(starts, shown, side="right")) - 1 + lines
        return None if row >= len(starts) else int(starts[max(0, row)])

    def watch_step(self) -> None:
        """Draw the pointer in the gutter."""
        self.repaint()

    def on_click(self, event: events.Click) -> None:
        """Post the step of that line."""
        offset, starts = event.get_content_offset(self), self.line_steps()
        if offset is not None and 0 <= offset.y < len(starts):
            self.post_message(StepChanged(starts[offset.y]))
