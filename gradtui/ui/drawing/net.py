"""Draw the whole net: the groups from input to output, one of them opened to show the inside of one of its blocks.

If there is room, the inside is drawn beside the groups, level with its own group; else in its group's box.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content

from gradtui.ui.drawing.block import BlockSteps, block_steps
from gradtui.ui.drawing.canvas import HEAVY, LIGHT, Canvas, Frame, cut, in_lines
from gradtui.ui.drawing.diagram import WIDEST_BOX, diagram
from gradtui.ui.drawing.outline import NetBox, Outline, shape_in_words

SIDE_BY_SIDE_COLUMNS = 96
"""The least width, in columns, at which the inside is drawn beside the groups."""
WIDEST_STACK = 50
"""The greatest width of the groups: a wider box would only move its right border away from the number."""
GAP = 3
WIRE_COLUMN = 3
"""Column of the wire."""


@dataclass(frozen=True)
class NetPicture:
    """A NetPicture is the drawing, and the rows of each group."""

    lines: tuple[Content, ...]
    groups: tuple[range, ...]


def draw(outline: Outline, chosen: int, width: int) -> NetPicture:
    """Draw the net in lines that are at most `width` wide; the group of index `chosen` is opened."""
    chosen = max(0, min(chosen, len(outline.exp.net) - 1))
    opened = block_steps(outline.plan, chosen)
    if width < SIDE_BY_SIDE_COLUMNS:
        canvas = Canvas(width)
        stack = _Stack(canvas, width, outline, chosen, opened)
        return NetPicture(tuple(canvas.lines()), tuple(stack.groups))
    room = min(WIDEST_BOX + 4, max(width // 2, width - WIDEST_STACK - GAP))
    canvas = Canvas(width)
    stack = _Stack(canvas, min(WIDEST_STACK, width - room - GAP), outline, chosen, None)
    lens = _lens(opened, chosen, outline.exp.net[chosen].repeat, room)
    rows = stack.groups[chosen]
    # Put it level with its group, but not below the end of the groups' drawing.
    top = min(rows.start, max(0, canvas.height - lens.height))
    left = stack.width + GAP
    canvas.paste(lens, top, left)
    hangs = "┳" if outline.exp.net[chosen].repeat > 1 else "━"
    canvas.put(rows.start + 1, stack.edge, "┣" + hangs + "━" * (left - stack.edge - 2) + "┫", HEAVY.style)
    return NetPicture(tuple(canvas.lines()), tuple(stack.groups))


def _lens(opened: BlockSteps, chosen: int, repeat: int, width: int) -> Canvas:
    """Draw the inside of a block in its own frame."""
    canvas = Canvas(width)
    frame = Frame(canvas, 0, width, HEAVY)
    which = "one" if opened.repeat > 1 else "the first"
    frame.top(f"inside {chosen + 1}" + (f" · {which} of {repeat:,} blocks" if repeat > 1 else ""))
    _open(frame, opened)
    frame.bottom()
    return canvas


def _open(frame: Frame, opened: BlockSteps) -> None:
    frame.paste(diagram(opened, frame.room))
    if opened.others:
        for line in frame.wrapped(opened.others):
            frame.row([(line, "$secondary")])


class _Stack:
    """A _Stack draws the stations one below the other."""

    def __init__(
        self, canvas: Canvas, width: int, outline: Outline, chosen: int, opened: BlockSteps | None
    ) -> None:
        self.canvas, self.width = canvas, width
        self.groups: list[range] = []
        self.edge = width - 2
        """The column of the boxes' right border; a repeated box has a second border behind it."""
        self._chosen, self._opened, self._exp = chosen, opened, outline.exp
        first, *rest = outline.stations
        self._input(first)
        gives: tuple[int, ...] | None = None
        for station in rest:
            self._way(station, gives)
            self._box(station)
            gives = station.gives

    def _input(self, station: NetBox) -> None:
        self.canvas.put(0, WIRE_COLUMN, "○", "bold")
        self.canvas.put(0, WIRE_COLUMN + 2, station.title, "bold")
        room = self.edge - WIRE_COLUMN - len(station.title) - 4
        (text,) = in_lines(station.details, station.aside, room, most=1)
        self.canvas.put(0, WIRE_COLUMN + 4 + len(station.title), text, "$secondary")

    def _way(self, station: NetBox, gives: tuple[int, ...] | None) -> None:
        """Draw the signal between two stations; `gives` is None for the input, whose shape is written above."""
        row = self.canvas.height
        parts = [] if gives is None else [shape_in_words(gives)]
        if station.way:
            parts += [station.way, shape_in_words(station.reads)]
        text = " → ".join(parts)
        self.canvas.put(row, WIRE_COLUMN, "▼", "$secondary")
        self.canvas.put(row, WIRE_COLUMN + 2, cut(text, self.width - WIRE_COLUMN - 2), "$secondary")

    def _box(self, station: NetBox) -> None:
        here = station.kind == "group" and station.index == self._chosen
        repeat = self._exp.net[station.index].repeat if station.kind == "group" else 1
        canvas, top = self.canvas, self.canvas.height
        frame = Frame(canvas, top, self.edge + 1, HEAVY if here else LIGHT)
        number = f"{station.index + 1}  " if station.kind == "group" else ""
        frame.top(number + station.title + (f" ×{repeat:,}" if repeat > 1 else ""))
        for line in in_lines(station.details, station.aside, frame.room, most=2):
            frame.row([(line, "" if here else "$secondary")])
        if here and self._opened is not None:
            _open(frame, self._opened)
        frame.bottom(
            f"{station.parameters:,} parameters",
            WIRE_COLUMN if repeat == 1 and station.kind != "output" else None,
        )
        if repeat > 1:
            self._behind(frame, top, here)
        if station.kind == "group":
            self.groups.append(range(top, canvas.height))

    def _behind(self, frame: Frame, top: int, here: bool) -> None:
        """Draw the edge of more boxes like this one."""
        canvas, kind = self.canvas, HEAVY if here else LIGHT
        last = canvas.height
        canvas.put(top + 1, self.edge, kind.left_tee + kind.top_right, kind.style)
        canvas.line(self.edge + 1, top + 2, last - 1, kind.upright, kind.style)
        canvas.put(last, 1, kind.bottom_left + kind.level * (self.edge - 1) + kind.bottom_right, kind.style)
        canvas.put(last, WIRE_COLUMN, kind.bottom_tee, kind.style)
