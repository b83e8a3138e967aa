"""Loss and accuracy over the steps: what changes about once a second, drawn by plotext at most twice in one."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np
from textual import on
from textual.message import Message
from textual.reactive import var
from textual.timer import Timer

from gradtui.ui.charts.cell_chart import CellChart
from gradtui.ui.charts.cells import Cells
from gradtui.ui.charts.curves import Series, draw_curves
from gradtui.ui.charts.palette import AXIS, Palette

__all__ = ["CurvePlot", "Series"]


class CurvePlot(CellChart):
    """Curves over a common x axis, with their last values in the legend.

    A reader may conclude how a figure of the whole net went. A red sign on the axis is where a value was NaN or
    infinite; the curve has a gap there. `logarithmic` shows log10 of the values.
    """

    logarithmic: var[bool] = var(False, init=False)
    """A logarithmic y axis."""

    class _Loaded(Message):
        """Plotext is there, or is known to be missing."""

    def __init__(
        self,
        *,
        logarithmic: bool = False,
        y_range: tuple[float, float] | None = None,
        pause: float = 0.5,
        placeholder: str = "no values yet",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """y_range: values that the linear axis holds at least. pause: seconds between two drawings at least."""
        super().__init__(name=name, id=id, classes=classes)
        self.set_reactive(CurvePlot.logarithmic, logarithmic)
        self.y_range = y_range
        self.pause = pause
        self.placeholder = placeholder
        self._series: tuple[Series, ...] = ()
        self._x_end: float | None = None
        self._drawn_at = -float("inf")
        self._cost = 0.0
        self._waiting: Timer | None = None
        self._importing = False
        self._missing = ""

    def update(self, series: Sequence[Series], *, x_end: float | None = None) -> None:
        """Show these curves, soon: drawings are at least `pause` apart. x_end: the x axis reaches at least there."""
        if x_end == self._x_end and _equal(self._series, series):
            return
        self._series, self._x_end = tuple(series), x_end
        if self._waiting is not None:
            return
        # Never more than a twentieth of a core, however large the pane and slow the machine.
        rest = self._drawn_at + max(self.pause, 20 * self._cost) - time.monotonic()
        if rest <= 0 or not self.is_running:
            self._draw_now()
        else:
            self._waiting = self.set_timer(rest, self._draw_now)

    def _draw_now(self) -> None:
        self._waiting = None
        if self._series and "plotext" not in sys.modules and not self._missing:
            self._import()
            return
        self._drawn_at, started = time.monotonic(), time.thread_time()
        self.repaint()
        self._cost = time.thread_time() - started if self.pause else 0.0

    def _import(self) -> None:
        """In a thread: it takes a tenth of a second, in which a key should not have to wait."""
        if not self._importing:
            self._importing = True
            self.run_worker(self._load, thread=True, exit_on_error=False)

    def _load(self) -> None:
        try:
            import plotext  # noqa: F401
        except ImportError:
            # Its wheels carry a compiled part; where none fits, an installation may come without it.
            self._missing = "curves need plotext's compiled part: pip install --force-reinstall plotext"
        self.post_message(self._Loaded())

    @on(_Loaded)
    def _loaded(self) -> None:
        self._importing = False
        self._draw_now()

    def watch_logarithmic(self) -> None:
        """The other kind of axis, now."""
        self._draw_now()

    def draw(self, height: int, width: int, palette: Palette) -> Cells:
        """The curves, or a quiet line where there is nothing to draw."""
        cells = Cells(height, width)
        ready = self._series and "plotext" in sys.modules and not self._missing and not self._importing
        if ready and draw_curves(
            cells,
            self._series,
            palette,
            log=self.logarithmic,
            x_end=self._x_end,
            y_range=self.y_range,
        ):
            return cells
        text = self._missing or self.placeholder
        cells.write(height // 2, max(0, (width - len(text)) // 2), text, AXIS)
        if self._series and "plotext" not in sys.modules and not self._missing and self.is_running:
            self._import()
        return cells


def _equal(one: Sequence[Series], other: Sequence[Series]) -> bool:
    return len(one) == len(other) and all(
        a.name == b.name
        and np.array_equal(np.asarray(a.x), np.asarray(b.x))
        and np.array_equal(np.asarray(a.y, np.float64), np.asarray(b.y, np.float64), equal_nan=True)
        for a, b in zip(one, other, strict=True)
    )
