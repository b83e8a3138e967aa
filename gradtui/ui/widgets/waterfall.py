"""Show a whole run in one picture: layers across as in the profile above it, time downward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from textual import events
from textual.reactive import var

from gradtui.charts.cells import Cells
from gradtui.charts.heat import draw_heat, draw_steps, heat_codes, rows_per_line, thinned
from gradtui.charts.layer_axis import Floats
from gradtui.charts.palette import Palette, ramp_steps
from gradtui.charts.scale import Scale
from gradtui.ui.widgets.cell_chart import ChartMessage
from gradtui.ui.widgets.layer_charts import LayerChart


@dataclass
class StepHovered(ChartMessage):
    """The mouse is over another line of time, or over none."""

    step: int | None
    """The first step of the line."""


@dataclass
class StepSelected(ChartMessage):
    """A line of time was clicked."""

    step: int
    """The first step of the line."""


@dataclass
class CapacityChanged(ChartMessage):
    """Another number of rows fits (`Waterfall.capacity`), so that the matrix should be folded again."""

    chart: Waterfall


MOST_PLACES = 4
"""The most places that a row gets while more rows come."""


class Waterfall(LayerChart):
    """A Waterfall shows a row for each stretch of time, a column for each layer or several, coloured by the value.

    It shows when and where a metric changed. A cell with × or ∞ holds at least one layer and step that was not a
    number or infinite; 0 is a value of exactly zero; a blank is a layer that has none, or time that has not come.
    New rows paint their own lines only, which an SSH line can carry.
    """

    step: var[int | None] = var(None, init=False)
    """The step pointed at in the gutter."""

    def __init__(
        self,
        scale: Scale | None = None,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.scale = scale or Scale()
        self._matrix: Floats = np.zeros((0, 0))
        self._steps = np.zeros(0, np.int64)
        self._last = 0
        self._given: tuple[Floats, NDArray[np.int64], int, bool] | None = None
        """What `update` was given last: another height stretches it anew."""
        self._hovered_step: int | None = None
        self._posted_capacity = 0

    @property
    def rows_per_line(self) -> int:
        """Return the number of rows of the matrix that one line of text holds."""
        return rows_per_line(self.palette)

    @property
    def capacity(self) -> int:
        """Return the number of rows that fit; before the first layout, what the whole screen would hold."""
        return max(2, (self.size.height or self.app.size.height) * self.rows_per_line)

    def update(
        self,
        matrix: ArrayLike | None,
        steps: ArrayLike | None = None,
        last: int | None = None,
        *,
        whole_run: bool = False,
    ) -> None:
        """Show rows in units of the scale (log10 for a log scale), of shape (rows, layers), oldest first.

        Row i stands for the steps from steps[i] on until the next row's; steps: (rows,), ascending, by default
        0, 1, 2 …; last: the last step of the last row. Rows beyond `capacity` are thinned; few rows are drawn over
        several lines. whole_run: no more rows come, so that they fill all lines.
        """
        given = np.zeros((0, 0)) if matrix is None else np.array(matrix, np.float32, ndmin=2)
        starts = np.arange(len(given)) if steps is None else np.array(steps, np.int64)
        last = last if last is not None else int(starts[-1]) if len(starts) else 0
        self._given = given, starts, last, whole_run
        shown = self._stretched(len(given), whole=whole_run)
        if shown is not None:
            given, starts = given[shown], starts[shown]
        kept = self._same_rows(given, starts)
        self._matrix, self._steps = given, starts
        self._last = last
        self._layers = given.shape[1]
        self.scale.include(given)
        palette = self.palette
        width, height = self.size
        whole = self._cells is None or self._drawn_for != (width, height, palette, self.stale())
        if whole or len(given) > self.capacity or not kept:
            self.repaint()
        else:
            self._paint_from(kept // rows_per_line(palette), palette)

    def _stretched(self, rows: int, *, whole: bool) -> NDArray[np.intp] | None:
        """Return the row that is drawn in each place from the top down; None where each row has one place.

        While rows arrive, each keeps its place until there are twice as many, so that little is drawn again.
        """
        room = self.capacity
        if not 0 < rows < room or not self.size.height:
            return None
        if whole:
            return np.arange(room) * rows // room
        times = min(room // rows, MOST_PLACES)
        return np.repeat(np.arange(rows), times) if times > 1 else None

    def _same_rows(self, given: Floats, starts: NDArray[np.int64]) -> int:
        """Return how many rows are shown already."""
        shown, count = self._matrix, len(self._matrix)
        if given.shape[1] != shown.shape[1] or len(given) < count:
            return 0
        old, new = shown, given[:count]
        same = ((old == new) | (np.isnan(old) & np.isnan(new))).all(axis=1) & (self._steps == starts[:count])
        other = np.flatnonzero(~same)
        return int(other[0]) if other.size else count

    def _paint_from(self, line: int, palette: Palette) -> None:
        cells = self._cells
        assert cells is not None
        per_line = rows_per_line(palette)
        before = cells.copy()
        # Rows above the line are drawn already; only their number matters here.
        codes = np.zeros((len(self._matrix), self.axis.bins), np.uint8)
        codes[line * per_line :] = heat_codes(self._matrix[line * per_line :], self.axis, self.scale)
        draw_heat(cells, codes, self.axis, palette, line)
        draw_steps(cells, self._steps[::per_line], self._last, self.step, palette)
        self.refresh_spans(cells.changed(before))

    def stale(self) -> object:
        """Return the scale, which another chart may change, the window and the number of layers."""
        return self.scale, self.scale.version, self.window, self._layers

    def draw(self, height: int, width: int, palette: Palette) -> Cells:
        """Draw all lines, and the steps at the left."""
        cells = Cells(height, width)
        per_line = rows_per_line(palette)
        rows, times = thinned(self._matrix, height * per_line)
        if len(rows):
            draw_heat(cells, heat_codes(rows, self.axis, self.scale), self.axis, palette)
        draw_steps(cells, self._steps[:: times * per_line], self._last, self.step, palette)
        return cells

    def watch_cursor(self) -> None:
        """Draw nothing: the profile above points at the layer."""

    def watch_step(self) -> None:
        """Draw the pointer in the gutter."""
        self.repaint()

    def one_tone(self) -> tuple[float, float] | None:
        """Return the lowest and the highest value if all are drawn alike, so that the picture does not tell them.

        While rows come it returns None, because the values would be written anew with each of them.
        """
        finite = self._matrix[np.isfinite(self._matrix)]
        if not finite.size or self._given is None or not self._given[-1]:
            return None
        ends = np.array([finite.min(), finite.max()], np.float64)
        low, high = (self.palette.shade(int(step)) for step in ramp_steps(self.scale.share(ends)))
        return (float(ends[0]), float(ends[1])) if low == high else None

    def alike_in_words(self) -> str:
        """Return the range of the values in words if all are drawn alike; "" if not."""
        ends = dict.fromkeys(self.scale.figure(value) for value in self.one_tone() or ())
        return "values " + " to ".join(ends) if ends else ""

    @property
    def line_steps(self) -> NDArray[np.int64]:
        """Return the step at which each line that is filled begins, (lines,)."""
        per_line = self.rows_per_line
        _, times = thinned(self._matrix, self.size.height * per_line)
        return self._steps[:: times * per_line]

    def step_at(self, line: int) -> int | None:
        """Return the first step of a line of the widget; None where there is nothing yet."""
        starts = self.line_steps
        return int(starts[line]) if 0 <= line < len(starts) else None

    def step_beside(self, step: int, lines: int) -> int | None:
        """Return the step so many lines below the line of a step; None beyond the last, which is now."""
        starts = np.unique(self.line_steps)
        if not len(starts):
            return None
        line = int(np.searchsorted(starts, step, side="right")) - 1 + lines
        return None if line >= len(starts) else int(starts[max(0, line)])

    def on_resize(self) -> None:
        """Stretch the rows to the new height, and post CapacityChanged, also after the first layout."""
        if self._given is not None:
            given, starts, last, whole_run = self._given
            self.update(given, starts, last, whole_run=whole_run)
        self._post_capacity()

    def notify_style_update(self) -> None:
        """Post CapacityChanged: a theme of 16 colours has one row in a line."""
        super().notify_style_update()
        if self.is_mounted:
            self._post_capacity()

    def _post_capacity(self) -> None:
        if self.capacity != self._posted_capacity:
            self._posted_capacity = self.capacity
            self.post_message(CapacityChanged(self))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Post StepHovered when another stretch of time is under the mouse."""
        offset = event.get_content_offset(self)
        self._hover_step(None if offset is None else self.step_at(offset.y))

    def on_leave(self) -> None:
        """Post StepHovered when the mouse has left."""
        self._hover_step(None)

    def _hover_step(self, step: int | None) -> None:
        if step != self._hovered_step:
            self._hovered_step = step
            self.post_message(StepHovered(self, step))

    def on_click(self, event: events.Click) -> None:
        """Post StepSelected; the base class points at the layer."""
        offset = event.get_content_offset(self)
        if offset is not None and (step := self.step_at(offset.y)) is not None:
            self.post_message(StepSelected(self, step))


def caption_of(profile: LayerChart, waterfall: Waterfall, window: tuple[int, int] | None) -> str:
    """Return what stands beneath both charts: the layers and the steps in view, and the values if all look alike."""
    axis = profile.axis
    parts = [f"{axis.layers:,} {profile.of}s"]
    if profile.window is not None:
        shown = f"{axis.first + profile.start:,} to {axis.last + profile.start:,}"
        parts = [f"{profile.of}s {shown} of {parts[0]}"]
    parts += [part for part in (waterfall.alike_in_words(), "time runs downward") if part]
    if window is not None:
        parts[-1:] = [f"steps {window[0]:,} to {window[1]:,}", "0 whole run"]
    return " · ".join(parts)
