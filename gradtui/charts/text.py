"""The charts of text reports: the same drawings as on the screen, as plain text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from rich.color import ColorSystem

from gradtui.charts.bars import LayerProfile, draw_bars, draw_ruler, draw_value_axis
from gradtui.charts.cells import Cells
from gradtui.charts.curves import draw_curves
from gradtui.charts.layer_axis import FINITE, GUTTER, LayerAxis, fold
from gradtui.charts.palette import AXIS, NONE, RAMP, Palette, ramp_steps, text_palette
from gradtui.charts.scale import Scale
from gradtui.charts.series import CurveData

_LYING = " ▏▎▍▌▋▊▉█"


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
    """Curves over a common x axis as `height` lines of text, without a line break at the end.

    One quiet line where nothing is finite. Without colour each curve has a marker of its own.
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
    colour: bool = False,
    ascii: bool = False,
) -> str:
    """Upright bars of one value a layer, (layers,) in log10; layers are folded where there are more than columns.

    theory: (layers,), a predicted profile, NaN where there is none. scale: default, a log scale of these values.
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
    draw_ruler(cells, axis, palette, rows, None)
    return _text(cells, palette)


def text_bars(
    values: ArrayLike,
    names: Sequence[str],
    *,
    width: int = 80,
    height: int = 24,
    scale: Scale | None = None,
    colour: bool = False,
    ascii: bool = False,
) -> str:
    """Lying bars, one line a layer with its name and number; at most `height` lines, each then of several layers.

    values: (layers,) in log10, names as many. The bar is the median of a line's layers.
    """
    numbers = np.asarray(values, np.float64)
    palette = text_palette(colour, ascii)
    axis = LayerAxis(len(numbers), max(1, height))
    folded = fold(numbers, axis)
    scale = _scale(scale, numbers)
    labels = [
        names[first] if last - first < 2 else f"{names[first]} … {names[last - 1]}"
        for first, last in zip(axis.folds[:-1].tolist(), axis.folds[1:].tolist(), strict=True)
    ]
    gutter = min(max((len(label) for label in labels), default=0), max(0, width // 3))
    room = max(0, width - gutter - 10)
    shares = scale.share(folded.middle)
    cells = Cells(len(labels), max(0, width))
    for row, label in enumerate(labels):
        kind = int(folded.kind[row])
        text = label if len(label) <= gutter else label[: max(0, gutter - 1)] + ("…" if not ascii else "~")
        cells.write(row, 0, text.rjust(gutter), NONE)
        cells.write(row, gutter + 1, palette.glyphs.rule, AXIS)
        value = folded.middle[row]
        if not np.isnan(value):
            # As in the upright bars: the lowest value in view is a short bar, not none.
            full, part = divmod(round((0.02 + 0.98 * float(shares[row])) * room * 8), 8)
            block = palette.glyphs.shades[-1] if ascii else _LYING[8]
            tail = "" if ascii or not part else _LYING[part]
            cells.write(
                row, gutter + 2, block * full + tail, RAMP + int(ramp_steps(shares[row : row + 1])[0])
            )
            cells.write(row, width - 8, f"{_power(float(value)):>8}", NONE)
        if kind != FINITE:
            sign, ink, fill = palette.mark(kind)
            cells.write(row, gutter + 2 if np.isnan(value) else width - 9, sign, ink, fill)
    return _text(cells, palette)


def _power(decades: float) -> str:
    """10 to this power in scientific notation, also beyond the range of a float."""
    whole = int(np.floor(decades))
    front = f"{10 ** (decades - whole):.1f}"
    return f"1.0e{whole + 1}" if front == "10.0" else f"{front}e{whole}"


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
