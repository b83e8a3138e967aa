"""Draw the charts of the screen as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from rich.color import ColorSystem

from gradtui.charts.bars import LayerProfile, draw_bars, draw_ruler, draw_value_axis
from gradtui.charts.cells import Cells
from gradtui.charts.curves import draw_curves
from gradtui.charts.factor_bars import FactorBars, draw_factors
from gradtui.charts.heat import draw_heat, draw_steps, heat_codes, thinned
from gradtui.charts.layer_axis import GUTTER, LayerAxis
from gradtui.charts.palette import Palette, text_palette
from gradtui.charts.regions import draw_legend, draw_plane
from gradtui.charts.scale import Scale
from gradtui.charts.series import CurveData

if TYPE_CHECKING:
    from gradtui.runs.plane import Plane


def text_chart(
    series: Sequence[CurveData],
    *,
    width: int = 80,
    height: int = 12,
    log: bool = False,
    y_range: tuple[float, float] | None = None,
    colour: bool = False,
    ascii: bool = False,
) -> str:
    """Return curves over a common x axis as `height` lines of text, without a line break at the end.

    Where nothing is finite, one line says so. Without colour each curve has a marker of its own.
    """
    palette = text_palette(colour, ascii)
    cells = Cells(max(0, height), max(0, width))
    if not draw_curves(cells, series, palette, log=log, y_range=y_range):
        return "no finite values"
    return _text(cells, palette)


def text_profile(
    values: ArrayLike,
    *,
    width: int = 80,
    height: int = 12,
    theory: ArrayLike | None = None,
    scale: Scale | None = None,
    of: str = "layer",
    colour: bool = False,
    ascii: bool = False,
) -> str:
    """Return upright bars of one value per layer, (layers,) in log10; more layers than columns are folded.

    theory: the predicted values, (layers,), NaN where there are none. scale: by default a log scale of the values.
    of: "layer", or "lag" if the values are those of time steps.
    """
    numbers = np.asarray(values, np.float64)
    palette = text_palette(colour, ascii)
    cells = Cells(max(0, height), max(0, width))
    axis = LayerAxis(len(numbers), max(0, width - GUTTER))
    scale = _scale(scale, numbers)
    rows = max(0, height - 1)
    draw_value_axis(cells, scale, palette, rows)
    overlay = None if theory is None else np.asarray(theory, np.float64)
    draw_bars(cells, LayerProfile(numbers, theory=overlay), axis, scale, palette, rows, None)
    draw_ruler(cells, axis, palette, rows, None, of, 0 if of == "lag" else 1)
    return _text(cells, palette)


def text_factors(
    bars: FactorBars,
    *,
    width: int = 80,
    height: int = 12,
    of: str = "layer",
    colour: bool = False,
    ascii: bool = False,
) -> str:
    """Return factors as bars up or down from 1, with their product over them. of: "layer" or "lag"."""
    palette = text_palette(colour, ascii)
    cells = Cells(max(0, height), max(0, width))
    axis = LayerAxis(len(bars.total), max(0, width - GUTTER))
    rows = max(0, height - 1)
    draw_factors(cells, bars, axis, palette, rows, None)
    draw_ruler(cells, axis, palette, rows, None, of, 0 if of == "lag" else 1)
    return _text(cells, palette)


def text_heat(steps: Sequence[int], values: ArrayLike, *, width: int = 80, height: int = 16) -> str:
    """Return the values of layers (across) over steps (downward) as characters, darker where larger.

    steps: (n,), ascending; values: (n, layers) in log10. More steps than lines are folded.
    """
    palette = text_palette(False, False)
    folded, times = thinned(np.asarray(values, np.float64), max(1, height - 1))
    cells = Cells(len(folded) + 1, max(0, width))
    axis = LayerAxis(folded.shape[1], max(0, width - GUTTER))
    draw_heat(cells, heat_codes(folded, axis, _scale(None, folded)), axis, palette)
    starts = np.asarray(steps, np.int64)[::times]
    draw_steps(cells, starts, int(steps[-1]), None, palette)
    # The last line belongs to the ruler alone.
    cells.codes[-1] = ord(" ")
    draw_ruler(cells, axis, palette, len(folded), None)
    return _text(cells, palette)


def text_plane(plane: Plane, *, height: int = 18, colour: bool = False, ascii: bool = False) -> str:
    """Return what a net computes over the plane: a character for each class, and a digit for each training point."""
    palette = text_palette(colour, ascii)
    cells = Cells(max(0, height), 2 * max(0, height) + 40)
    draw_plane(cells, plane, palette, height, 0)
    draw_legend(cells, plane, palette, 2 * height + 3)
    return _text(cells, palette)


def _scale(scale: Scale | None, numbers: np.ndarray) -> Scale:
    if scale is None:
        scale = Scale("log")
        scale.include(numbers)
    return scale


def _text(cells: Cells, palette: Palette) -> str:
    rows = range(cells.shape[0])
    if palette.depth == "none":
        return "\n".join(cells.text(row).rstrip() for row in rows)
    system = ColorSystem.STANDARD
    return "\n".join(
        "".join(
            segment.style.render(segment.text, color_system=system) if segment.style else segment.text
            for segment in cells.segments(row, palette)
        )
        for row in rows
    )
