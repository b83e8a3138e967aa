"""The range of the steps that a point of a long run stands for, as a weak ground behind its curve."""

from __future__ import annotations

import numpy as np

from gradtui.ui.charts.axis import GUTTER
from gradtui.ui.charts.cells import Cells
from gradtui.ui.charts.folding import Floats
from gradtui.ui.charts.frame import Frame
from gradtui.ui.charts.palette import Palette

_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint32)
"""The dots of a braille cell, (4 rows, 2 columns)."""

_MESH = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], np.uint32)
"""Every other dot: a curve on top of the band has all of them, and is told from it without any colour."""


def draw_band(
    cells: Cells, frame: Frame, x: Floats, low: Floats, high: Floats, palette: Palette, ink: int
) -> None:
    """Fill between low and high, (n,) each in units of the scale, from each x until the next."""
    dots = palette.depth != "none" and not palette.ascii
    across, down = (2, 4) if dots else (1, 1)
    known = np.isfinite(low) & np.isfinite(high)
    first, last = frame.stretches(x, across)
    there = np.flatnonzero(first < last)
    if not len(there) or not known.any():
        return
    # Pairs of (first, last) for reduceat, which then reduces the gaps between them too; one more point ends the last.
    pairs = np.column_stack([first[there], last[there]]).ravel()
    bottom = np.minimum.reduceat(np.append(np.where(known, low, np.inf), np.inf), pairs)[::2]
    top = np.maximum.reduceat(np.append(np.where(known, high, -np.inf), -np.inf), pairs)[::2]
    some = bottom <= top
    there, bottom, top = there[some], bottom[some], top[some]
    height = frame.rows * down
    filled = np.zeros((height, frame.columns * across), bool)
    lines = np.arange(height)[:, None]
    upper, lower = (
        np.rint((1 - frame.scale.share(bound)) * (height - 1)).astype(np.intp) for bound in (top, bottom)
    )
    filled[:, there] = (lines >= upper) & (lines <= lower)
    area = (slice(frame.top, frame.top + frame.rows), slice(GUTTER, GUTTER + frame.columns))
    if dots:
        blocks = filled.reshape(frame.rows, 4, frame.columns, 2).transpose(0, 2, 1, 3)
        bits = (blocks * (_DOTS * _MESH)).sum(axis=(2, 3), dtype=np.uint32)
        shown, codes = bits > 0, bits + 0x2800
    else:
        shown, codes = filled, np.full(filled.shape, ord("." if palette.ascii else "░"), np.uint32)
    cells.codes[area][shown] = codes[shown]
    cells.ink[area][shown] = ink
