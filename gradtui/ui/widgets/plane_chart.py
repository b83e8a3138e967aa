"""The PlaneChart shows what a net computes over the plane, and the UnitsChart what the units of a layer do."""

from __future__ import annotations

from collections.abc import Sequence

from gradtui.charts.cells import Cells
from gradtui.charts.palette import TEXT, Palette
from gradtui.charts.regions import draw_legend, draw_plane, draw_units
from gradtui.headlines import HeadlineText
from gradtui.runs.plane import Plane
from gradtui.runs.summary import Floats
from gradtui.ui.widgets.cell_chart import CellChart

GAP = 3
"""The columns between two pictures, and between a picture and its legend."""
LEGEND = 26
"""The columns of the legend."""
ALL = 0.995
"""From this share of the plane on, one class has all of it."""


class PlaneChart(CellChart):
    """A PlaneChart draws the regions of the classes, with the training points over them; two runs side by side."""

    DEFAULT_CSS = "PlaneChart { height: 1fr; min-height: 2; }"

    _planes: tuple[tuple[str, Plane], ...] = ()

    def update(self, *planes: tuple[str, Plane]) -> None:
        """Show planes, each with its title; a single one has none."""
        self._planes = planes
        self.repaint()

    def draw(self, height: int, width: int, palette: Palette) -> Cells:
        """Draw the pictures from the left, and the legend beside them where there is room."""
        cells, count = Cells(height, width), len(self._planes)
        if not count:
            return cells
        top = 1 if count > 1 else 0
        rows = max(0, min(height - top, (width - GAP * (count - 1)) // (2 * count)))
        each = 2 * rows + GAP
        for number, (title, plane) in enumerate(self._planes):
            if top:
                cells.write(0, number * each, title[: 2 * rows], TEXT)
            draw_plane(cells, plane, palette, rows, number * each, top)
        if width - count * each >= LEGEND:
            draw_legend(cells, self._planes[0][1], palette, count * each, top)
        return cells


class UnitsChart(CellChart):
    """A UnitsChart draws what each of a layer's units answers over the plane, as small pictures on one scale."""

    DEFAULT_CSS = "UnitsChart { height: 1fr; min-height: 2; }"

    _units: Floats | None = None

    def update(self, units: Floats | None) -> None:
        """Show the pictures of units (n, side, side); None empties the chart."""
        self._units = units
        self.repaint()

    def draw(self, height: int, width: int, palette: Palette) -> Cells:
        """Draw as many pictures as fit, each over its number."""
        cells = Cells(height, width)
        if self._units is not None:
            draw_units(cells, self._units, palette, [f"unit {at + 1}" for at in range(len(self._units))])
        return cells


def plane_headline(plane: Plane) -> HeadlineText:
    """Return one sentence on what the net computes."""
    classes = plane.classes
    broken = float((classes < 0).mean())
    if broken:
        return HeadlineText(f"the output is NaN or infinite on {broken:.0%} of the plane", "broken")
    if not plane.about.classes:
        low, high = float(plane.outputs.min()), float(plane.outputs.max())
        return HeadlineText(f"the net's output lies between {low:.3g} and {high:.3g}", "none")
    shares = plane.shares
    right = f"{plane.accuracy:.0%} of the points shown lie in the region of their class"
    if shares.max() >= ALL:
        return HeadlineText(
            f"every place gets class {int(shares.argmax())}: the net ignores its input", "none"
        )
    missing = [str(number) for number, share in enumerate(shares) if not share]
    one = len(missing) == 1
    none = f"; {'class' if one else 'classes'} {', '.join(missing)} {'has' if one else 'have'} no region"
    return HeadlineText(right + (none if missing else ""), "none")


def plane_caption(plane: Plane, steps: Sequence[int]) -> str:
    """Return what stands beneath the picture: the step, and how to move."""
    return f"step {plane.step:,} · ↑↓ {len(steps):,} recorded steps · enter a layer's units · D back"
