"""Draw the events of a run as marks over its curves: at most one per column, with a character for each kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gradtui.charts.cells import Cells
from gradtui.charts.frame import CurveFrame
from gradtui.charts.layer_axis import GUTTER, Floats
from gradtui.charts.palette import ALERT, AXIS, TEXT, Palette


class MarkKind(NamedTuple):
    """A MarkKind says how one kind of mark looks, and what the legend calls it."""

    sign: str
    ascii: str
    words: str
    ink: int


MARK_KINDS = {
    "broke": MarkKind("✖", "X", "NaN or jump", ALERT),
    "finding": MarkKind("!", "!", "finding", ALERT),
    "rewound": MarkKind("«", "<", "rolled back", TEXT),
    "lr": MarkKind("η", "l", "lr", TEXT),
    "set": MarkKind("Δ", "s", "setting", TEXT),
    "paused": MarkKind("‖", "P", "paused", TEXT),
    "resumed": MarkKind("▸", ">", "resumed", TEXT),
    "recovered": MarkKind("✓", "R", "recovered", TEXT),
    "checkpoint": MarkKind("◆", "@", "saved", AXIS),
}
"""All kinds, the most important first. Of several in one column, only the most important is drawn. In ASCII, no sign is
that of a curve beside it."""

CLIPPED_EIGHTHS = 4
"""Height of the bar where every step was clipped, in eighths of a row: a taller one would look like a wall."""


@dataclass(frozen=True)
class CurveMark:
    """A CurveMark is an event after a step. kind: one of MARK_KINDS; text: what is shown when the cursor is on it."""

    step: float
    kind: str
    text: str


@dataclass(frozen=True, eq=False)
class Clipped:
    """A Clipped holds the share of steps whose gradient was clipped, (n,), from each x, (n,), until the next."""

    x: ArrayLike
    share: ArrayLike


@dataclass(frozen=True, eq=False)
class CurveMarks:
    """A CurveMarks holds all marks of one chart."""

    signs: tuple[CurveMark, ...] = ()
    clipped: Clipped | None = None

    def __bool__(self) -> bool:
        return bool(self.signs) or self.clipped is not None

    def same_as(self, other: CurveMarks) -> bool:
        """Return whether other marks are equal to these."""
        one, two = self.clipped, other.clipped
        if one is None or two is None:
            return self.signs == other.signs and one is two
        return (
            self.signs == other.signs
            and np.array_equal(np.asarray(one.x), np.asarray(two.x))
            and np.array_equal(np.asarray(one.share), np.asarray(two.share), equal_nan=True)
        )

    @cached_property
    def steps(self) -> Floats:
        """Return the steps of the signs, (n,)."""
        return np.array([mark.step for mark in self.signs], np.float64)

    @cached_property
    def kinds(self) -> dict[str, Floats]:
        """Return the steps of each kind that occurs, the most important first."""
        kinds = np.array([mark.kind for mark in self.signs])
        return {name: self.steps[kinds == name] for name in MARK_KINDS if name in kinds}


NO_MARKS = CurveMarks()


def draw_marks(cells: Cells, frame: CurveFrame, marks: CurveMarks, palette: Palette) -> None:
    """Fill row 0 right of the gutter: low bars for the share of clipped steps, the signs over them."""
    levels = np.ceil(_shares(frame, marks) * CLIPPED_EIGHTHS).astype(np.intp)
    there = np.flatnonzero(levels)
    bars = np.array([ord(bar) for bar in palette.glyphs.bars], np.uint32)
    cells.codes[0, GUTTER + there] = bars[levels[there]]
    cells.ink[0, GUTTER + there] = AXIS
    # The most important is written last, so that it stays.
    for name, steps in reversed(marks.kinds.items()):
        columns = GUTTER + frame.seen(frame.axis.nearest(steps))
        cells.codes[0, columns] = ord(mark_sign(MARK_KINDS[name], palette))
        cells.ink[0, columns] = MARK_KINDS[name].ink


def mark_sign(kind: MarkKind, palette: Palette) -> str:
    """Return the character of a kind."""
    return kind.ascii if palette.ascii else kind.sign


def marks_legend(frame: CurveFrame, marks: CurveMarks, palette: Palette) -> list[tuple[str, str]]:
    """Return sign and words of each kind that is in view, the most important first."""
    said = [
        (mark_sign(MARK_KINDS[name], palette), MARK_KINDS[name].words)
        for name, steps in marks.kinds.items()
        if frame.seen(frame.axis.nearest(steps)).size
    ]
    if _shares(frame, marks).any():
        # In ASCII, bars of several heights have one sign; most steps have the lowest.
        said.append((palette.glyphs.bars[1 if palette.ascii else CLIPPED_EIGHTHS - 1], "clipped"))
    return said


def marks_at(frame: CurveFrame, marks: CurveMarks, step: float) -> list[str]:
    """Return the texts of the events in the column of a step, in their order; equal texts once, with their number."""
    place = frame.place(step)
    if place is None:
        return []
    columns = frame.places(frame.axis.nearest(marks.steps))
    found = [marks.signs[index] for index in np.flatnonzero(columns == place).tolist()]
    here = [mark.text for mark in sorted(found, key=lambda mark: mark.step)]
    said = [text if times == 1 else f"{times} × {text}" for text, times in Counter(here).items()]
    share = float(_shares(frame, marks)[place])
    if share > 0:
        part = f" {share:.0%} of steps" if share >= 0.01 else " under 1% of steps"
        said.append("clipped" if share == 1 else f"clipped{part}")
    return said


def _shares(frame: CurveFrame, marks: CurveMarks) -> Floats:
    """Return the share of clipped steps in each column, (columns,)."""
    shares = np.zeros(frame.columns)
    if marks.clipped is None:
        return shares
    x, given = (np.asarray(part, np.float64).ravel() for part in (marks.clipped.x, marks.clipped.share))
    first, last = frame.stretches(frame.axis.nearest(x))
    there = np.flatnonzero(first < last)
    total = np.concatenate([[0.0], np.cumsum(np.nan_to_num(given))])
    shares[there] = (total[last[there]] - total[first[there]]) / (last[there] - first[there])
    # Rounding errors of the sums may miss 0 and 1 by a little, and any clipped step has to be visible.
    return np.clip(np.round(shares, 9), 0, 1)
