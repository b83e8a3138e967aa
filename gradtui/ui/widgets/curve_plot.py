"""A CurvePlot shows curves over a common x axis, drawn by plotext at most twice a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from textual import events, on
from textual.content import Content
from textual.message import Message
from textual.reactive import var
from textual.timer import Timer

from gradtui.charts.cells import Cells
from gradtui.charts.curve_legend import curve_ink, legend_sign
from gradtui.charts.curves import CurveLayer, CurveView, draw_layer, draw_over
from gradtui.charts.frame import CurveFrame
from gradtui.charts.layer_axis import GUTTER
from gradtui.charts.marks import NO_MARKS, CurveMarks, marks_at, marks_legend
from gradtui.charts.palette import AXIS, Palette
from gradtui.charts.series import CurveData
from gradtui.ui.view import NO_VALUES, StepChanged
from gradtui.ui.widgets.cell_chart import CellChart

_Given = tuple[tuple[CurveData, ...], float | None, CurveMarks]
"""Curves, the least end of the x axis, and the marks."""


class CurvePlot(CellChart):
    """A CurvePlot shows curves over a common x axis, with their last values in a legend and marks of events above.

    A red sign on the axis is where a value was NaN or infinite; the curve has a gap there. `logarithmic` shows log10
    of the values, its lowest row exactly 0 where there is such a value. Behind a smoothed curve lies the unsmoothed
    one in a weaker tone; a mesh is the range of the steps that one point stands for. Clicks and `cursor` are for x
    axes of steps.
    """

    logarithmic: var[bool] = var(False, init=False)
    """Draw a logarithmic y axis."""
    smoothing: var[str] = var("off", init=False)
    """Draw running means instead of noisy curves: off, light or strong."""
    cursor: var[float | None] = var(None, init=False)
    """The step whose values the legend shows; None shows the newest."""
    window: var[tuple[float, float] | None] = var(None, init=False)
    """The stretch of x that is shown; None shows all."""

    class Redrawn(Message):
        """The curves were drawn again, so that columns may stand for other steps."""

    class _Loaded(Message):
        """Plotext is imported, or is known to be missing."""

    def __init__(
        self,
        *,
        logarithmic: bool = False,
        smoothing: str = "off",
        complement: bool = False,
        y_range: tuple[float, float] | None = None,
        pause: float = 0.5,
        placeholder: str = NO_VALUES,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """y_range: values that the linear axis holds at least; complement: the logarithmic one shows 1 - y.

        pause: seconds between two drawings at least; placeholder: the text where there is nothing to draw.
        """
        super().__init__(name=name, id=id, classes=classes)
        self.set_reactive(CurvePlot.logarithmic, logarithmic)
        self.set_reactive(CurvePlot.smoothing, smoothing)
        self.complement = complement
        self.y_range = y_range
        self.pause = pause
        self.placeholder = placeholder
        self.steps_on_x = True
        """Whether x are steps, so that a click chooses one."""
        self.has_legend = True
        """Whether the values are shown beside the curves."""
        self._given: _Given = ((), None, NO_MARKS)
        self._shown: _Given = self._given
        self._version = 0
        """Counts the data that were shown."""
        self._layer: CurveLayer | None = None
        self._layer_of: tuple[object, ...] = ()
        self._drawn_at = -float("inf")
        self._cost = 0.0
        self._waiting: Timer | None = None
        self._importing = False
        self._missing = ""
        self._names_all = True
        """Whether the legend that was drawn last names all curves."""

    def update(
        self, series: Sequence[CurveData], *, x_end: float | None = None, marks: CurveMarks = NO_MARKS
    ) -> None:
        """Show curves soon: drawings are at least `pause` apart. x_end: the least end of the x axis."""
        before = self._given
        if x_end == before[1] and marks.same_as(before[2]) and _equal(series, before[0]):
            return
        self._given = (tuple(series), x_end, marks)
        if self._waiting is not None and series:
            return
        rest = self.rest
        # An empty chart is shown at once: curves of another run must not stand beside new ones.
        if rest <= 0 or not series or not self.is_running:
            self._draw_now()
        else:
            self._waiting = self.set_timer(rest, self._draw_now)

    @property
    def rest(self) -> float:
        """Return the seconds until it may be drawn again: it takes at most a twentieth of a core."""
        return self._drawn_at + max(self.pause, 20 * self._cost) - time.monotonic()

    def draw_at_once(self) -> None:
        """Draw what was given last without waiting: a person has asked for it."""
        self._draw_now()

    def _draw_now(self) -> None:
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None
        if self._given[0] and "plotext" not in sys.modules and not self._missing:
            self._import()
            return
        if self._shown is self._given:
            # The same curves in another way do not delay newer ones.
            self.repaint()
            return
        self._shown = self._given
        self._version += 1
        self._drawn_at, started = time.monotonic(), time.thread_time()
        self.repaint()
        self._cost = time.thread_time() - started if self.pause else 0.0

    def _import(self) -> None:
        """Import plotext in a thread: it takes a tenth of a second, in which keys should not wait."""
        if not self._importing:
            self._importing = True
            self.run_worker(self._load, thread=True, exit_on_error=False)

    def _load(self) -> None:
        try:
            import plotext  # noqa: F401
        except ImportError:
            # Its wheels have a compiled part, which an installation may lack.
            self._missing = "curves need the compiled part of plotext: pip install --force-reinstall plotext"
        self.post_message(self._Loaded())

    @on(_Loaded)
    def _loaded(self) -> None:
        self._importing = False
        self._draw_now()

    # -- drawing

    def draw(self, height: int, width: int, palette: Palette) -> Cells:
        """Draw the curves with what lies over them, or the placeholder where there is nothing to draw."""
        layer = self._drawn_layer(height, width, palette)
        if layer is not None:
            cells, self._names_all = draw_over(
                layer, palette, marks=self._shown[2], cursor=self.cursor, legend=self.has_legend
            )
            return cells
        cells = Cells(height, width)
        ready = self._shown[0] and "plotext" in sys.modules and not self._importing
        # While curves wait to be drawn, it does not say that there are none.
        nothing = "" if self._given[0] else self.placeholder
        text = self._missing or ("NaN or infinite at every step" if ready else nothing)
        cells.write(height // 2, max(0, (width - len(text)) // 2), text, AXIS)
        if self._given[0] and "plotext" not in sys.modules and not self._missing and self.is_running:
            self._import()
        return cells

    def _drawn_layer(self, height: int, width: int, palette: Palette) -> CurveLayer | None:
        """Return the curves alone, drawn again only where they changed, so that moving the cursor is cheap."""
        series, x_end, marks = self._shown
        view = CurveView(
            self.logarithmic, self.complement, self.smoothing, self.window, x_end=x_end, y_range=self.y_range
        )
        key = (height, width, palette, view, self._version)
        if key == self._layer_of:
            return self._layer
        ready = series and "plotext" in sys.modules and not self._missing and not self._importing
        self._layer = draw_layer(height, width, series, palette, view, marked=bool(marks)) if ready else None
        self._layer_of = key if ready else ()
        self.post_message(self.Redrawn())
        return self._layer

    def watch_logarithmic(self) -> None:
        """Draw the other kind of axis now."""
        self._draw_now()

    def watch_smoothing(self) -> None:
        """Draw more or less of the noise now."""
        self._draw_now()

    def watch_window(self) -> None:
        """Draw another stretch now."""
        self._draw_now()

    def watch_cursor(self) -> None:
        """Draw the line of the cursor and the values there."""
        self.repaint()

    # -- time

    @property
    def frame(self) -> CurveFrame | None:
        """Return the area of the curves; None while there are none."""
        return self._layer.frame if self._layer is not None else None

    def step_beside(self, step: int, columns: int) -> int:
        """Return the step so many columns to the right of a step, which need not be in view."""
        return self.frame.step_beside(step, columns) if self.frame is not None else step

    @property
    def names(self) -> list[Content]:
        """Return the sign of each curve, in its colour, with its name, for a legend outside of the chart."""
        palette = self.palette
        parts = (
            (legend_sign(index, palette), palette.name_of(curve_ink(index, curve)), curve.name)
            for index, curve in enumerate(self._given[0])
        )
        return [Content.assemble((sign, colour), f" {name}") for sign, colour, name in parts]

    @property
    def names_without_room(self) -> list[Content]:
        """Return the same where the legend in the chart had no place for all curves."""
        names, signed = self.names, any(curve.sign for curve in self._given[0])
        return names if len(names) > 1 and not self._names_all and not signed else []

    @property
    def signs(self) -> list[tuple[str, str]]:
        """Return the sign and words of each kind of mark in view, the most important first."""
        return marks_legend(self.frame, self._shown[2], self.palette) if self.frame is not None else []

    @property
    def cursor_texts(self) -> list[str]:
        """Return the texts of the events in the cursor's column."""
        if self.frame is None or self.cursor is None:
            return []
        return marks_at(self.frame, self._shown[2], self.cursor)

    def on_click(self, event: events.Click) -> None:
        """Point at the step of that column, and post it."""
        offset, layer = event.get_content_offset(self), self._layer
        if offset is None or layer is None or not self.steps_on_x or offset.x < GUTTER:
            return
        step = round(layer.frame.step_at(offset.x - GUTTER))
        ends = [curve.steps[[0, -1]].tolist() for curve in layer.curves if len(curve.steps)]
        first, newest = min(low for low, _ in ends), max(high for _, high in ends)
        self.cursor = None if step > newest else max(first, step)
        self.post_message(StepChanged(None if step > newest else round(max(first, step))))


def _equal(one: Sequence[CurveData], other: Sequence[CurveData]) -> bool:
    return len(one) == len(other) and all(a.same_as(b) for a, b in zip(one, other, strict=True))
