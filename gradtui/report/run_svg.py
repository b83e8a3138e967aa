"""Draw the charts of a run as SVG: the gradient over depth and over time, and curves over the steps.

They are narrow, so that their text is readable on a phone; a page puts two of them side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradtui.absent import absent_in, log10_of
from gradtui.charts.layer_axis import FINITE, INFINITE, NAN, ZERO, Folded, LayerAxis, fold
from gradtui.charts.palette import RGB, STEPS, ramp, ramp_steps
from gradtui.charts.scale import Scale, nice_step
from gradtui.charts.series import CurveData, curve_of
from gradtui.charts.svg import COLOURS, TEXT, WEAK, Axis, Point, Svg, draw_keys, draw_value_lines
from gradtui.runs.plane import Plane
from gradtui.words import plain_exponents

Floats = NDArray[Any]

WIDTH = 400.0
LEFT, RIGHT, TOP = 52.0, 12.0, 14.0
PROFILE_HEIGHT, HEAT_HEIGHT, CURVES_HEIGHT = 190.0, 240.0, 190.0
MOST_COLUMNS, MOST_ROWS = 84, 60
"""The most columns and rows of the picture over time; more layers and more steps are folded."""
HEALTHY, NAN_COLOUR, INF_COLOUR = "#daebdf", "#cf222e", "#f082ff"
MOST_STEP_LABELS = 8
"""About how many round steps are written beside the picture over time."""
KIND_COLOURS = {NAN: NAN_COLOUR, INFINITE: INF_COLOUR}
LOG_FROM = 100.0
"""The least ratio of the largest to the smallest value that gets a log axis: on a linear one, an explosion would hide
all else."""


def hex_of(colour: RGB) -> str:
    """Return a colour as SVG writes it."""
    return "#" + "".join(f"{part:02x}" for part in colour)


RAMP_COLOURS = tuple(map(hex_of, ramp(False)))
PLANE_COLOURS = ("#a6cbe3", "#f2c299", "#a6dcc9", "#ecd0e0", "#f6dda6", "#c5e4f7", "#d4d4d4", "#b3b3b3")
"""The weaker tones of COLOURS, for the regions beneath the points."""


@dataclass(frozen=True)
class DrawnProfile:
    """A DrawnProfile is the gradient norm of each layer, input to output, (layers,), at one step under a name."""

    name: str
    norms: Floats


def profile_svg(
    bars: DrawnProfile,
    line: DrawnProfile | None = None,
    healthy: tuple[Floats, Floats] | None = None,
    *,
    across: str = "layer, input → output",
    start: int = 1,
) -> str:
    """Return bars of one value per layer on a log axis, with another step as a line and the healthy range behind.

    across: what the bars are; start: the number of the first.
    """
    svg = Svg(WIDTH)
    logs = log10_of(bars.norms)
    axis = LayerAxis(len(logs), int(WIDTH - LEFT - RIGHT) // 3)
    scale = Scale("log")
    scale.include(np.concatenate([logs, log10_of(line.norms)]) if line is not None else logs)
    bottom = TOP + PROFILE_HEIGHT
    up = Axis(scale, bottom, -PROFILE_HEIGHT, True)
    edges = _edges(axis)
    if healthy is not None:
        _band(svg, healthy, axis, edges, up)
    draw_value_lines(svg, up, LEFT, WIDTH - RIGHT, 6)
    folded = fold(logs, axis)
    heights = PROFILE_HEIGHT * scale.share(folded.middle)
    for left, right, height, kind in zip(edges[:-1], edges[1:], heights, folded.kind, strict=True):
        gap = min(3.0, (right - left) * 0.2)
        if kind == FINITE:
            size = (right - left - gap, max(float(height), 1.0))
            svg.rectangle((left + gap / 2, bottom - size[1]), size, COLOURS[0])
        elif kind in KIND_COLOURS:
            svg.rectangle((left + gap / 2, TOP), (right - left - gap, PROFILE_HEIGHT), KIND_COLOURS[kind])
        elif kind == ZERO:
            svg.text(((left + right) / 2, bottom - 3), "0", anchor="middle", colour=WEAK, size=10)
    svg.line((LEFT, bottom), (WIDTH - RIGHT, bottom), WEAK)
    keys = [(bars.name, COLOURS[0])]
    if line is not None:
        _steps(svg, scale.share(fold(log10_of(line.norms), axis).middle), edges, bottom)
        keys.append((line.name, COLOURS[1]))
    if healthy is not None:
        keys.append(("healthy range", HEALTHY))
    top = _bar_numbers(svg, axis, edges, bottom, across, start)
    return svg.whole(draw_keys(svg, [*keys, *_kinds_there(folded)], LEFT, WIDTH - RIGHT, top))


def _band(svg: Svg, limits: tuple[Floats, Floats], axis: LayerAxis, edges: list[float], up: Axis) -> None:
    low, high = (up.scale.share(fold(log10_of(limit), axis).middle) for limit in limits)
    bottom = up.start
    for left, right, below, above in zip(edges[:-1], edges[1:], low, high, strict=True):
        if np.isfinite(below) and np.isfinite(above) and above > below:
            y = [bottom - PROFILE_HEIGHT * float(share) for share in (below, above)]
            svg.area([(left, y[0]), (right, y[0]), (right, y[1]), (left, y[1])], HEALTHY, 1)


def _steps(svg: Svg, shares: Floats, edges: list[float], bottom: float) -> None:
    """Draw a horizontal line over each column, joined where neighbours have a value."""
    points: list[Point] = []
    for left, right, share in zip(edges[:-1], edges[1:], shares, strict=True):
        if np.isnan(share):
            _path(svg, points, COLOURS[1])
            points = []
        else:
            y = bottom - PROFILE_HEIGHT * float(share)
            points += [(left, y), (right, y)]
    _path(svg, points, COLOURS[1])


def _path(svg: Svg, points: Sequence[Point], colour: str) -> None:
    if len(points) > 1:
        svg.path(points, colour, 1.8)


def waterfall_svg(steps: Sequence[int], norms: Floats) -> str:
    """Return the gradient of each layer (across) over the steps (downward) as colours; norms: (steps, layers)."""
    svg = Svg(WIDTH)
    axis = LayerAxis(norms.shape[1], MOST_COLUMNS)
    logs = log10_of(norms)
    scale = Scale("log")
    scale.include(logs)
    folded = fold(logs, axis)
    codes = ramp_steps(scale.share(folded.middle)).astype(np.int64)
    codes[folded.kind != FINITE] = -1
    edges, height = _edges(axis), HEAT_HEIGHT / len(norms)
    for step, colour in enumerate(RAMP_COLOURS):
        _fill(svg, codes == step, edges, height, colour)
    for kind, colour in KIND_COLOURS.items():
        _fill(svg, folded.kind == kind, edges, height, colour)
    _step_labels(svg, steps, height)
    bottom = TOP + HEAT_HEIGHT
    svg.line((LEFT, bottom), (WIDTH - RIGHT, bottom), WEAK)
    top = _bar_numbers(svg, axis, edges, bottom)
    top = _ramp_legend(svg, scale, top)
    keys = _kinds_there(folded)
    return svg.whole(draw_keys(svg, keys, LEFT, WIDTH - RIGHT, top + 14) if keys else top)


def _fill(svg: Svg, where: NDArray[np.bool_], edges: list[float], height: float, colour: str) -> None:
    """Fill the cells of one colour; neighbours in a row become one rectangle."""
    places = []
    for row in np.flatnonzero(where.any(axis=1)).tolist():
        changes = np.diff(where[row].astype(np.int8), prepend=0, append=0)
        for first, last in zip(np.flatnonzero(changes == 1), np.flatnonzero(changes == -1), strict=True):
            places.append((edges[first], TOP + row * height, edges[last] - edges[first]))
    if places:
        svg.cells(places, height, colour)


def _step_labels(svg: Svg, steps: Sequence[int], height: float) -> None:
    apart = max(1, int(nice_step((steps[-1] - steps[0]) / MOST_STEP_LABELS or 1)))
    free = 0.0
    for step in (steps[0], *range((steps[0] // apart + 1) * apart, steps[-1] + 1, apart)):
        y = TOP + (int(np.searchsorted(steps, step, "right")) - 0.5) * height
        if y >= free:
            svg.text((LEFT - 8, y + 4), f"{step:,}", anchor="end", colour=WEAK)
            free = y + 14
    svg.text((11, TOP + HEAT_HEIGHT / 2), "step", anchor="middle", upright=True)


def _ramp_legend(svg: Svg, scale: Scale, top: float) -> float:
    width = (WIDTH - LEFT - RIGHT) / STEPS
    for step, colour in enumerate(RAMP_COLOURS):
        svg.cells([(LEFT + width * step, top - 8, width)], 10, colour)
    axis = Axis(scale, LEFT, WIDTH - LEFT - RIGHT, True)
    for place, label in axis.ticks(6):
        svg.text(
            (min(max(place, LEFT + 10), WIDTH - RIGHT - 12), top + 16), label, anchor="middle", colour=WEAK
        )
    return top + 28


def _edges(axis: LayerAxis) -> list[float]:
    """Return the pixels at which the columns begin and end; few layers do not fill the width."""
    across = min(WIDTH - LEFT - RIGHT, 60.0 * axis.bins)
    return [LEFT + across * at / max(1, axis.bins) for at in range(axis.bins + 1)]


def _bar_numbers(
    svg: Svg,
    axis: LayerAxis,
    edges: list[float],
    bottom: float,
    across: str = "layer, input → output",
    start: int = 1,
) -> float:
    """Write numbers of layers beneath their columns, the first and the last too; return the top of what follows."""
    free = 0.0
    last = (edges[-2] + edges[-1]) / 2 if axis.bins else 0.0
    for column in range(axis.bins):
        place = (edges[column] + edges[column + 1]) / 2
        if place >= free and (column == axis.bins - 1 or column == 0 or place + 30 < last):
            number = axis.layers - 1 if column == axis.bins - 1 else int(axis.folds[column])
            svg.text((place, bottom + 17), f"{number + start:,}", anchor="middle", colour=WEAK)
            free = place + 34
    svg.text((LEFT + (WIDTH - LEFT - RIGHT) / 2, bottom + 34), across, anchor="middle")
    return bottom + 56


def _kinds_there(folded: Folded) -> list[tuple[str, str]]:
    names = {NAN: "NaN", INFINITE: "infinite"}
    return [(names[kind], colour) for kind, colour in KIND_COLOURS.items() if (folded.kind == kind).any()]


def curves_svg(
    curves: Sequence[CurveData],
    *,
    label: str = "step",
    log: bool | None = None,
    ends: tuple[float, float] | None = None,
    marks: Sequence[tuple[float, str]] = (),
    colours: Sequence[str] = COLOURS,
) -> str:
    """Return curves over a common axis; marks: places on it, with a text each; colours: one for each curve.

    log: whether the vertical axis is logarithmic; None makes it so where a linear axis would hide most of the curve.
    """
    svg = Svg(WIDTH)
    log = wants_log(curves) if log is None else log
    drawn = [curve_of(curve) for curve in curves]
    everything = np.concatenate([part for c in drawn for part in (c.y, c.low, c.high) if part is not None])
    bottom = TOP + CURVES_HEIGHT
    if log:
        everything = everything[everything > 0]
    up = Axis.over(everything, log, bottom, -CURVES_HEIGHT, ends)
    across = [float(x) for curve in drawn for x in (curve.x[0], curve.x[-1]) if len(curve.x)]
    span = (min(across), max(across)) if min(across) < max(across) else (min(across), min(across) + 1)
    along = Axis(Scale("linear", *span), LEFT, WIDTH - LEFT - RIGHT, False)
    draw_value_lines(svg, up, LEFT, WIDTH - RIGHT, 6)
    for place, text in along.ticks(6):
        svg.text((place, bottom + 17), text, anchor="middle", colour=WEAK)
    svg.line((LEFT, bottom), (WIDTH - RIGHT, bottom), WEAK)
    for step, text in marks:
        place = float(along.at(np.array(step)))
        svg.line((place, TOP), (place, bottom), NAN_COLOUR, 1.2, "4 3")
        beside = place > WIDTH / 2
        svg.text(
            (place + (-4 if beside else 4), TOP + 10), text, anchor="end" if beside else "start", size=11
        )
    for number, curve in enumerate(drawn):
        colour = colours[number % len(colours)]
        x, y = along.at(curve.x), up.at(curve.y)
        if curve.low is not None and curve.high is not None:
            low, high = up.at(curve.low), up.at(curve.high)
            known = np.isfinite(low) & np.isfinite(high)
            if known.sum() > 1:
                svg.area([*_points(x, low, known), *_points(x, high, known)[::-1]], colour, 0.18)
        for part in _unbroken(np.isfinite(y)):
            _path(svg, _points(x[part], y[part]), colour)
        if len(curve.x) <= 40 and curve.low is None:
            for place_of in _points(x, y, np.isfinite(y)):
                svg.dot(place_of, colour, 2.6)
    svg.text((LEFT + (WIDTH - LEFT - RIGHT) / 2, bottom + 34), label, anchor="middle")
    names = [(curve.name, colours[number % len(colours)]) for number, curve in enumerate(drawn)]
    return svg.whole(draw_keys(svg, names, LEFT, WIDTH - RIGHT, bottom + 56))


def _points(x: Floats, y: Floats, known: NDArray[np.bool_] | None = None) -> list[Point]:
    if known is not None:
        x, y = x[known], y[known]
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _unbroken(known: NDArray[np.bool_]) -> list[slice]:
    """Return the ranges of values without a gap."""
    changes = np.diff(known.astype(np.int8), prepend=0, append=0)
    return [
        slice(int(a), int(b))
        for a, b in zip(np.flatnonzero(changes == 1), np.flatnonzero(changes == -1), strict=True)
    ]


def plane_svg(plane: Plane) -> str:
    """Return the class that a net gives each place of the plane, with the training points over it."""
    svg, about = Svg(WIDTH), plane.about
    each = (WIDTH - LEFT - RIGHT) / about.side
    edges = [LEFT + each * at for at in range(about.side + 1)]
    found = plane.classes
    regions, dots = (PLANE_COLOURS, COLOURS) if about.classes else (RAMP_COLOURS, RAMP_COLOURS)
    if not about.classes:
        known = np.isfinite(plane.outputs[0])
        low, high = (float(end(plane.outputs[0][known])) if known.any() else 0.0 for end in (np.min, np.max))
        steps = ramp_steps((plane.outputs[0] - low) / ((high - low) or 1.0)).astype(np.int64)
        found = np.where(known, steps, -1)
    for number, colour in enumerate(regions):
        _fill(svg, found == number, edges, each, colour)
    _fill(svg, found < 0, edges, each, NAN_COLOUR)
    (left, below), (right, above) = about.low, about.high
    length = WIDTH - LEFT - RIGHT
    for x, y, answer in zip(about.x, about.y, about.answers, strict=True):
        place = LEFT + length * (x - left) / (right - left), TOP + length * (above - y) / (above - below)
        if about.classes and np.isfinite([*place, answer]).all():
            svg.dot(place, TEXT, 2.8)
            svg.dot(place, dots[int(answer) % len(dots)], 2.2)
    for text, spot in ((above, TOP + 10), (below, TOP + length)):
        svg.text((LEFT - 8, spot), plain_exponents(f"{text:.2g}"), anchor="end", colour=WEAK)
    bottom = TOP + length
    for text, spot, anchor in ((left, LEFT, "start"), (right, WIDTH - RIGHT, "end")):
        svg.text((spot, bottom + 17), plain_exponents(f"{text:.2g}"), anchor=anchor, colour=WEAK)
    keys = [(f"class {number}", COLOURS[number]) for number in range(about.classes)]
    return svg.whole(draw_keys(svg, keys, LEFT, WIDTH - RIGHT, bottom + 38))


def wants_log(curves: Sequence[CurveData]) -> bool:
    """Return whether the values span so much that a linear axis would hide most of them."""
    values = np.concatenate([np.asarray(curve.y, np.float64).ravel() for curve in curves])
    known = values[np.isfinite(values) & ~absent_in(values)]
    return bool(known.size and known.min() > 0 and known.max() >= LOG_FROM * known.min())
