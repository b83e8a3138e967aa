"""Which ink a curve has, and the sign at its end that says whose it is: among eight runs no legend is looked up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradtui.ui.charts.axis import GUTTER
from gradtui.ui.charts.cells import Cells
from gradtui.ui.charts.frame import Frame
from gradtui.ui.charts.palette import CURVES, RUN, RUN_WEAK, RUNS, SERIES, WEAK
from gradtui.ui.charts.series import Curve


def ink_of(index: int, curve: Curve) -> int:
    """The slot of the curve of that index. A run keeps its colour, also where another has no such curve."""
    return RUN + (ord(curve.sign) - ord("A")) % RUNS if curve.sign else SERIES + index % CURVES


def weak_ink_of(index: int, curve: Curve) -> int:
    """The slot of what lies behind it."""
    return ink_of(index, curve) + (RUN_WEAK - RUN if curve.sign else WEAK - SERIES)


def draw_ends(cells: Cells, frame: Frame, curves: Sequence[Curve]) -> None:
    """Write each sign where its curve ends, or as near above or beneath as no other sign stands."""
    taken: set[tuple[int, int]] = set()
    for index, curve in enumerate(curves):
        known = np.flatnonzero(np.isfinite(curve.y) & (curve.x >= frame.low) & (curve.x <= frame.high))
        if not curve.sign or not len(known):
            continue
        last = known[-1]
        column = int(frame.places(curve.x[last : last + 1])[0])
        share = float(frame.scale.share(curve.y[last]))
        middle = round((1 - min(1.0, max(0.0, share))) * (frame.rows - 1))
        near = sorted(range(frame.rows), key=lambda row, middle=middle: abs(row - middle))  # type: ignore[misc]
        row = next((row for row in near if (row, column) not in taken), middle)
        taken.add((row, column))
        cells.write(frame.top + row, GUTTER + column, curve.sign, ink_of(index, curve))
