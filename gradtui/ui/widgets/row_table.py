"""Show many rows in a table, and paint only the lines that have changed.

Textual's own table measures every cell of every row before it shows the first one, so that with a thousand runs each
letter of a filter is noticeably slow.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Generic

from rich.segment import Segment
from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual
from textual.widget import Widget

from gradtui.ui.theme import cursor_style
from gradtui.ui.widgets.status_bar import bar
from gradtui.ui.widgets.table_columns import SIGNS, Column, PlacedColumn, Row, cut, fitted, parts_of, placed

MEASURED_ROWS = 300
"""The rows whose cells are measured; those of thousands would take longer than a key may."""


class RowTable(Widget, Generic[Row], can_focus=True):
    """A RowTable shows rows with a cursor and marks; a click on a head sorts.

    Args:
        columns: the columns from left to right.
        marks: whether rows can be marked, for which there is a sign before the first cell.
    """

    COMPONENT_CLASSES = {"rows--cursor", "rows--head", "rows--mark"}
    DEFAULT_CSS = """
    RowTable {
        height: 1fr; padding: 0 1;
        & > .rows--cursor { background: $block-cursor-background; text-style: bold; }
        & > .rows--head { color: $secondary; }
        & > .rows--mark { color: $accent; text-style: bold; }
    }
    """

    @dataclass
    class Chosen(Message):
        """A row was clicked; again: whether the cursor was on it already."""

        index: int
        again: bool

    @dataclass
    class Sorted(Message):
        """The head of a column was clicked."""

        key: str

    @dataclass
    class Scrolled(Message):
        """The mouse wheel was turned by some rows."""

        rows: int

    def __init__(self, columns: Sequence[Column[Row]], *, marks: bool = True, id: str | None = None) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self._signs = SIGNS if marks else SIGNS // 2
        self._shown = TableState[Row]()
        self._first = 0
        self._lines_of: list[int] = []
        """The lines of each row; empty where each has one, since only then there are rows out of view."""
        self._measured: tuple[Row, ...] = ()
        self._needs: dict[str, int] = {}
        """The width of the longest cell of each column that grows, and the rows that were measured."""
        self._lines: dict[int, tuple[Content, bool]] = {}
        """The text of each line of the widget, and whether the cursor is on it."""

    def show(
        self,
        rows: Sequence[Row],
        cursor: int,
        marked: Collection[int] = (),
        *,
        by: str = "",
        descending: bool = False,
        nothing: str = "",
    ) -> None:
        """Show these rows, with the cursor on one of them.

        Args:
            rows: all rows.
            cursor: the index of the row under the cursor.
            marked: the indices of the marked rows.
            by: the key of the column that they are sorted by.
            descending: whether they are sorted so.
            nothing: the text that is shown where there is no row.
        """
        before = len(self._shown.rows)
        self._shown = TableState(tuple(rows), cursor, frozenset(marked), by, descending, nothing)
        if self._shown.rows != self._measured:
            self._measured = self._shown.rows
            self._needs = {
                column.key: max(
                    (self._cell(column, row).cell_length for row in rows[:MEASURED_ROWS]), default=0
                )
                for column in self.columns
                if column.most > column.least
            }
        if self.styles.height is not None and self.styles.height.is_auto and before != len(rows):
            self.refresh(layout=True)
        self.repaint()

    @property
    def page(self) -> int:
        """Return the number of rows in view."""
        return len(self._lines_of) or max(1, self.content_size.height - 1)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return one line for each row, and one for the heads; without rows, also one for the text that says so."""
        return 1 + (len(self._shown.rows) or 2)

    def repaint(self) -> None:
        """Paint the lines that have changed."""
        width, height = self.content_size
        shown, columns = self._shown, self._placed(width)
        self._lines_of = self._lines_of_rows(columns, height)
        # The cursor moves within the window; the window follows where the cursor would leave it.
        most = max(0, len(shown.rows) - self.page)
        self._first = max(0, min(self._first, most, shown.cursor))
        if shown.cursor >= self._first + self.page:
            self._first = min(most, shown.cursor - self.page + 1)
        dirty = []
        for y in range(height):
            line = self._line(y, columns, width)
            before = self._lines.get(y)
            if before is None or before[1] != line[1] or not before[0].is_same(line[0]):
                self._lines[y] = line
                dirty.append(Region(self.gutter.left, y, width, 1))
        if dirty:
            self.refresh(*dirty)

    def on_resize(self) -> None:
        """Paint all lines: other columns fit."""
        self._lines.clear()
        self.repaint()

    def _placed(self, width: int) -> list[PlacedColumn[Row]]:
        return placed(self._wanted(), width, self._signs, self._needs)

    def _line(self, y: int, columns: Sequence[PlacedColumn[Row]], width: int) -> tuple[Content, bool]:
        if y == 0:
            return self._head(columns, width), False
        (index, part), shown = self._row_at(y), self._shown
        if index >= len(shown.rows):
            text = " " * self._signs + shown.nothing if y == 2 and not shown.rows else ""
            return Content.styled(text, "$secondary"), False
        here, row = index == shown.cursor, shown.rows[index]
        if part:
            return self._further(index, part, columns).truncate(width, pad=True), here
        sign = self._sign_of_more(index)
        # Of two columns, the second keeps the sign from the name where it can.
        line = Content.styled("▸" if here else "" if sign else " ", "$accent bold")
        line += Content.styled(sign, "$secondary")
        line += Content.styled(" " * (2 - line.cell_length), "$accent bold")
        if self._signs == SIGNS:
            line += Content.styled("● " if index in shown.marked else "  ", "$accent bold")
        kept, beside = {place.column.key for place in columns}, {one.key: one for one in self.columns}
        for place in columns:
            share = place.column.share(row) if place.column.share is not None else None
            cell = self._cell(place.column, row) if share is None else bar(share, place.width)
            if place.column.spans is not None and place.column.spans(row):
                line += Content(" " * (place.start - line.cell_length)) + cell
                return line.truncate(width, ellipsis=True, pad=True), here
            if place.column.beside and place.column.beside not in kept:
                more = self._cell(beside[place.column.beside], row)
                if more.cell_length:
                    # What is cut is the name, which the line of details shows whole.
                    more = more.truncate(place.width // 2, ellipsis=True)
                    room = place.width - more.cell_length - 2
                    cell = cut(cell, room, place.column.middle) + Content("  ") + more
            if self._lines_of and place.column.wraps:
                cell = parts_of(cell, place, self._lines_of[index])[0]
            line += Content(" " * (place.start - line.cell_length)) + fitted(cell, place)
        return line.truncate(width, pad=True), here

    def _sign_of_more(self, index: int) -> str:
        """Return the sign of a row in view behind which there are rows out of view; "" for others."""
        if index == self._first + self.page - 1 and index < len(self._shown.rows) - 1:
            # As ASCII, the arrow would be a v, and read as a letter of the row.
            return ":" if getattr(self.app, "ascii", False) else "↓"
        return "↑" if index == self._first > 0 else ""

    def _row_at(self, y: int) -> tuple[int, int]:
        """Return the index of the row on a line beneath the heads, and which of its lines that is."""
        if not self._lines_of:
            return self._first + y - 1, 0
        left = y - 1
        for index, lines in enumerate(self._lines_of):
            if left < lines:
                return index, left
            left -= lines
        return len(self._lines_of), 0

    def _further(self, index: int, part: int, columns: Sequence[PlacedColumn[Row]]) -> Content:
        """Return a further line of a row, with what has no room in the first."""
        line, row = Content(""), self._shown.rows[index]
        for place in columns:
            if not place.column.wraps:
                continue
            parts = parts_of(self._cell(place.column, row), place, self._lines_of[index])
            if part < len(parts):
                line += Content(" " * (place.start - line.cell_length)) + parts[part]
        return line

    def _lines_of_rows(self, columns: Sequence[PlacedColumn[Row]], height: int) -> list[int]:
        """Return the lines of each row: as many as its longest cell that is broken needs, if all rows have room.

        The list is empty where each row has one line.
        """
        rows, broken = self._shown.rows, [place for place in columns if place.column.wraps]
        if not broken or len(rows) >= height - 1:
            return []
        needs = [
            max(len(self._cell(place.column, row).wrap(place.width)) for place in broken) for row in rows
        ]
        limit = max(needs, default=1)
        while limit > 1 and sum(min(lines, limit) for lines in needs) > height - 1:
            limit -= 1
        return [min(lines, limit) for lines in needs] if limit > 1 else []

    def _wanted(self) -> tuple[Column[Row], ...]:
        """Return the columns that have something to show."""
        rows = self._shown.rows
        return tuple(
            one for one in self.columns if not one.sparse or any(self._cell(one, row).plain for row in rows)
        )

    @staticmethod
    def _cell(column: Column[Row], row: Row) -> Content:
        cell = column.text(row)
        return Content(cell) if isinstance(cell, str) else cell

    def _head(self, columns: Sequence[PlacedColumn[Row]], width: int) -> Content:
        line, shown = Content(""), self._shown
        for place in columns:
            title = place.column.title
            chosen = place.column.key == shown.by
            if chosen:
                arrow = "▾" if shown.descending else "▴"
                title = f"{arrow}{title}" if place.column.right else f"{title}{arrow}"
            head = fitted(Content(title), place)
            line += Content(" " * (place.start - line.cell_length))
            line += head.stylize("bold $accent" if chosen else "$secondary")
        return line.truncate(width, pad=True)

    def render_line(self, y: int) -> Strip:
        """Return one line, from the text that was written for it."""
        content, here = self._lines.get(y, (Content(""), False))
        width = self.content_size.width
        if here and (style := cursor_style(self.app)) is not None:
            return Strip([Segment(content.plain, style)]).adjust_cell_length(width, style)
        if here:
            styles = self.get_component_styles("rows--cursor")
            content = content.stylize_before(Style(background=styles.background, bold=True))
        (strip,) = Visual.to_strips(self, content, width, 1, self.visual_style) or [Strip.blank(width)]
        return strip.adjust_cell_length(width, self.visual_style.rich_style)

    def on_click(self, event: events.Click) -> None:
        """Choose the row under the mouse, or sort by the column whose head is there."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        index, _ = self._row_at(offset.y)
        if offset.y and index < len(self._shown.rows):
            self.post_message(self.Chosen(index, index == self._shown.cursor))
        elif not offset.y:
            for place in self._placed(self.content_size.width):
                if place.start <= offset.x < place.start + place.width and place.column.value is not None:
                    self.post_message(self.Sorted(place.column.key))

    def on_mouse_scroll_down(self) -> None:
        """Scroll down."""
        self.post_message(self.Scrolled(3))

    def on_mouse_scroll_up(self) -> None:
        """Scroll up."""
        self.post_message(self.Scrolled(-3))


@dataclass(frozen=True)
class TableState(Generic[Row]):
    """A TableState is what a table shows; see RowTable.show for the fields."""

    rows: tuple[Row, ...] = ()
    cursor: int = 0
    marked: frozenset[int] = field(default_factory=frozenset)
    by: str = ""
    descending: bool = False
    nothing: str = ""
