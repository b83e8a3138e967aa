"""Draw charts of curves in two parts: the slow lines and axes, and the fast marks and legend over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradtui.charts.cells import Cells
from gradtui.charts.curve_legend import MARKERS, curve_ink, draw_curve_legend, draw_ends, weak_curve_ink
from gradtui.charts.frame import CurveFrame, Places, draw_x_axis, draw_y_axis
from gradtui.charts.layer_axis import GUTTER
from gradtui.charts.lines import draw_band, draw_line
from gradtui.charts.marks import NO_MARKS, CurveMarks, draw_marks
from gradtui.charts.palette import CURSOR, CURVES, TEXT, Palette
from gradtui.charts.scale import Scale, nice_step
from gradtui.charts.series import Curve, CurveData, curve_of, smoothing_steps
from gradtui.charts.x_axis import STEP, STEPS, XAxis

SMALLEST_CHART = (GUTTER + 8, 3)
"""The least columns and rows in which curves are drawn."""

MARKS_ROW_FROM = 8
"""The least number of rows at which the marks get a row of their own; on fewer, they lie on the top row."""

NARROWEST_WINDOW = 1e-12
"""The least width of a range of x that can be drawn, relative to x itself."""

Range = tuple[float, float]


@dataclass(frozen=True)
class CurveView:
    """A CurveView says which part of curves is drawn, and how."""

    log: bool = False
    """The y axis shows log10."""
    complement: bool = False
    """A log axis shows 1 - y, because an accuracy near 1 changes only in its error."""
    smoothing: str = "off"
    """The degree of smoothing is one of series.LEVELS."""
    window: Range | None = None
    """The range of steps that is drawn; None draws all of them."""
    x_end: float | None = None
    """The least end of an axis of steps: the planned ones. Another axis gets a round end, since the run continues."""
    y_range: Range | None = None
    """The values that a linear y axis includes in any case."""


@dataclass(frozen=True, eq=False)
class CurveLayer:
    """A CurveLayer holds drawn curves, without the marks, cursor and legend over them."""

    cells: Cells
    frame: CurveFrame
    curves: tuple[Curve, ...]
    breaks: Places
    """The columns in which a value is not finite."""
    over: float
    """The steps that noisy curves are smoothed over; 0 means no smoothing."""


def draw_layer(
    height: int,
    width: int,
    series: Sequence[CurveData],
    palette: Palette,
    view: CurveView,
    *,
    marked: bool = False,
) -> CurveLayer | None:
    """Draw the curves; return None where no curve has a finite value or there is no room.

    marked: whether marks will be drawn over them.
    """
    if width < SMALLEST_CHART[0] or height < SMALLEST_CHART[1]:
        return None
    known = [one for one in series if np.size(one.x)]
    complement = view.log and view.complement
    axis = known[0].axis if known else STEPS
    first, last = _reach(known, STEPS, view)
    over = smoothing_steps(view.smoothing, last - first)
    curves = tuple(curve_of(one, log=view.log, complement=complement, over=over) for one in series)
    top = 1 if marked and height - 1 > MARKS_ROW_FROM else 0
    whole = _reach(known, axis, view)
    frame = _frame(curves, axis, view, whole, (height - 1 - top, width - GUTTER), top)
    if frame is None:
        return None
    cells = Cells(height, width)
    _draw_behind(cells, frame, curves, palette)
    for index, curve in enumerate(curves):
        _draw(cells, frame, curve, curve.y, _marker(index, curve, palette), curve_ink(index, curve))
    draw_ends(cells, frame, curves)
    draw_y_axis(cells, frame, palette)
    breaks = np.unique(np.concatenate([frame.seen(curve.x[curve.broken]) for curve in curves]))
    return CurveLayer(cells, frame, curves, breaks, over)


def draw_over(
    layer: CurveLayer,
    palette: Palette,
    *,
    marks: CurveMarks = NO_MARKS,
    cursor: float | None = None,
    legend: bool = True,
) -> tuple[Cells, bool]:
    """Return the chart: the layer with its x axis, the marks, the cursor and the values there.

    Return also whether its legend names all curves.
    """
    cells, frame = layer.cells.copy(), layer.frame
    place = None if cursor is None else frame.place(cursor)
    if place is not None:
        column = cells.codes[: frame.top + frame.rows, GUTTER + place]
        blank = column == ord(" ")
        column[blank] = ord(palette.glyphs.rule)
        cells.ink[: frame.top + frame.rows, GUTTER + place][blank] = TEXT
        cells.fill[: frame.top + frame.rows, GUTTER + place] = CURSOR
    draw_x_axis(cells, frame, palette, cursor, layer.breaks)
    named = legend and draw_curve_legend(
        cells,
        layer.cells,
        frame,
        layer.curves,
        palette,
        cursor=cursor,
        over=layer.over,
        top=1 if marks else frame.top,
    )
    draw_marks(cells, frame, marks, palette)
    return cells, named


def draw_curves(
    cells: Cells,
    series: Sequence[CurveData],
    palette: Palette,
    *,
    log: bool = False,
    x_end: float | None = None,
    y_range: Range | None = None,
) -> bool:
    """Draw whole curves in one go; return False where none has a finite value or there is no room.

    Text output uses this. A widget uses `draw_layer` and `draw_over`, and keeps the layer while the cursor moves.
    """
    height, width = cells.shape
    layer = draw_layer(height, width, series, palette, CurveView(log=log, x_end=x_end, y_range=y_range))
    if layer is None:
        return False
    drawn, _ = draw_over(layer, palette)
    cells.codes[:], cells.ink[:], cells.fill[:] = drawn.codes, drawn.ink, drawn.fill
    return True


def _reach(series: Sequence[CurveData], axis: XAxis, view: CurveView) -> Range:
    """Return the ends of the x axis that holds all curves. axis: STEPS, or the axis of the first of them."""
    ends = []
    for one in series:
        own = axis if axis is STEPS else one.axis
        ends.append(own.nearest(np.asarray(one.x, np.float64).ravel()[[0, -1]]).tolist())
    low = min((first for first, _ in ends), default=0.0)
    high = max((last for _, last in ends), default=1.0)
    if view.x_end and axis.what == STEP:
        high = max(high, float(axis.nearest(view.x_end)))
    elif view.x_end and not axis.log and high > low:
        round_step = nice_step((high - low) / 8)
        high = math.ceil(high / round_step - 1e-9) * round_step
    # Steps count from 1, but an axis from 0 has rounder labels.
    low = 0.0 if 0 < low <= 0.1 * high and not axis.log else low
    return low, high if high > low else low + 1


def _frame(
    curves: Sequence[Curve], axis: XAxis, view: CurveView, whole: Range, size: tuple[int, int], top: int
) -> CurveFrame | None:
    low, high = whole if view.window is None else axis.nearest(view.window).tolist()
    # No axis fits between numbers that are this close.
    high = high if high - low > NARROWEST_WINDOW * max(1.0, abs(low)) else low + 1
    scale = Scale("log", least=1) if view.log else Scale("linear", *(view.y_range or (None, None)))
    # A range without values gets the axis of the whole.
    for stretch in ((low, high), whole):
        numbers = _numbers(curves, stretch, log=view.log)
        floor = bool(np.isneginf(numbers).any())
        if floor or np.isfinite(numbers).any():
            break
    else:
        return None
    scale.include(numbers)
    if floor:
        scale.low -= 1
    rows, columns = size
    return CurveFrame(low, high, scale, columns, rows, top, floor, axis)


def _numbers(curves: Sequence[Curve], stretch: Range, *, log: bool) -> np.ndarray:
    """Return the values that the y axis must include.

    On a linear axis, a curve that is only compared may extend it to three times what the others need.
    """
    own, compared = (
        np.concatenate(
            [
                np.zeros(0),
                *(curve.extent(*stretch) for curve in curves if curve.only_compared is only_compared),
            ]
        )
        for only_compared in (False, True)
    )
    finite = own[np.isfinite(own)]
    if finite.size and not log:
        span = finite.max() - finite.min()
        compared = np.clip(compared, finite.min() - span, finite.max() + span)
    return np.concatenate([own, compared])


def _draw_behind(cells: Cells, frame: CurveFrame, curves: Sequence[Curve], palette: Palette) -> None:
    """Draw what lies behind all curves: the ranges, and the curves before smoothing."""
    for index, curve in enumerate(curves):
        if curve.low is not None and curve.high is not None:
            low, high = (_on(frame, bound) for bound in (curve.low, curve.high))
            draw_band(cells, frame, curve.x, low, high, palette, weak_curve_ink(index, curve))
    for index, curve in enumerate(curves):
        # The unsmoothed curves of many runs would hide each other.
        if curve.behind is not None and not curve.sign:
            dots = palette.depth != "none" and not palette.ascii
            marker = "braille" if dots else ":" if palette.ascii else "·"
            _draw(cells, frame, curve, curve.behind, marker, weak_curve_ink(index, curve))


def _draw(cells: Cells, frame: CurveFrame, curve: Curve, y: np.ndarray, marker: str, ink: int) -> None:
    part = curve.within(frame.low, frame.high)
    drawn = np.clip(_on(frame, y)[part], frame.scale.low, frame.scale.high)
    draw_line(cells, frame, curve.x[part], drawn, marker, ink)


def _on(frame: CurveFrame, y: np.ndarray) -> np.ndarray:
    """Give a value of exactly 0 its place on a log axis: the floor."""
    return np.where(np.isneginf(y), frame.scale.low, y) if frame.floor else y


def _marker(index: int, curve: Curve, palette: Palette) -> str:
    """Return braille, or a character of its own where colour cannot tell curves apart."""
    dots = palette.depth != "none" and not palette.ascii
    if curve.sign and not dots:
        return curve.sign
    return "braille" if dots or (index == 0 and not palette.ascii) else MARKERS[index % CURVES]
