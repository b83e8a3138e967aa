"""Define the columns of a table: which have room, how wide each is, and how their cells are cut and sorted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from textual.content import Content

Row = TypeVar("Row")

SIGNS = 4
"""The cells before the first column: the cursor and the mark, each with a blank."""


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A Column is one column of a table: its title, and how it shows and sorts rows."""

    key: str
    title: str
    text: Callable[[Row], Content | str]
    least: int
    """The least width."""
    most: int = 0
    """The greatest width; 0 is the least width."""
    rank: int = 0
    """The rank by which columns are left out where there is no room for all: those of higher rank are left out."""
    right: bool = False
    """Whether its cells end at the right, as figures do."""
    value: Callable[[Row], Any] | None = None
    """Returns what rows are sorted by; None where the column does not sort. A value of None goes last either way."""
    beside: str = ""
    """The key of a column whose cell follows in this one, where it has no room of its own."""
    spans: Callable[[Row], bool] | None = None
    """Returns whether the cell of a row takes the whole rest of the line, instead of the columns to its right."""
    middle: bool = False
    """This is true if a cell that is too long is cut in the middle: names often differ at their ends only."""
    wraps: bool = False
    """Whether a cell that is too long continues in further lines, as long as all rows have room."""
    sparse: bool = False
    """Whether the column is left out, and its room given to others, as long as no row has anything in it."""
    share: Callable[[Row], float | None] | None = None
    """Returns how much is done, 0 to 1, to be drawn as a bar over the whole cell; None where it shows its text."""


@dataclass(frozen=True)
class PlacedColumn(Generic[Row]):
    """A PlacedColumn is a column that there is room for, with its place."""

    column: Column[Row]
    start: int
    width: int


def placed(
    columns: Sequence[Column[Row]], width: int, signs: int = SIGNS, needs: Mapping[str, int] | None = None
) -> list[PlacedColumn[Row]]:
    """Return which columns fit into so many cells behind the signs, in their order, and how wide each is.

    needs: the width of the longest cell by column; no column gets more than that before each has as much.
    """
    gap = 1 if width < 100 else 2
    room = width - signs
    kept: set[str] = set()
    for column in sorted(columns, key=lambda column: column.rank):
        if column.least + (gap if kept else 0) > room:
            # No narrower column of higher rank replaces it, since columns would jump as the width changes.
            break
        room -= column.least + (gap if kept else 0)
        kept.add(column.key)
    shown = [column for column in columns if column.key in kept]
    widths = {column.key: column.least for column in shown}
    needed = {column.key: min((needs or {}).get(column.key, 0), column.most) for column in shown}
    for limits in (needed, {column.key: column.most for column in shown}):
        while room > 0:
            wider = [key for key, limit in limits.items() if widths[key] < limit]
            if not wider:
                break
            for key in wider[:room]:
                widths[key] += 1
                room -= 1
    found, start = [], signs
    for column in shown:
        found.append(PlacedColumn(column, start, widths[column.key]))
        start += widths[column.key] + gap
    return found


def parts_of(cell: Content, place: PlacedColumn[Any], lines: int) -> list[Content]:
    """Return a cell broken into lines of its column; the last one holds, cut, what has no room."""
    found = cell.wrap(place.width)
    if len(found) <= lines:
        return found
    rest = Content(" ").join(found[lines - 1 :])
    return [*found[: lines - 1], rest.truncate(place.width, ellipsis=True)]


def fitted(cell: Content, place: PlacedColumn[Any]) -> Content:
    """Return a cell as wide as its column."""
    if place.column.right and cell.cell_length < place.width:
        cell = cell.pad_left(place.width - cell.cell_length)
    return cut(cell, place.width, place.column.middle).truncate(place.width, pad=True)


def cut(cell: Content, width: int, middle: bool) -> Content:
    """Return a cell in at most so many columns, cut at its end or in its middle."""
    if middle and cell.cell_length == len(cell.plain) > width > 2:
        end = (width - 1) // 2
        return cell[: width - 1 - end] + "…" + cell[len(cell.plain) - end :]
    return cell.truncate(width, ellipsis=True)


def in_order(rows: Sequence[Row], column: Column[Row], *, descending: bool) -> list[Row]:
    """Return rows sorted by a column, equal ones in their order; rows without a value last, and NaN before them."""
    assert column.value is not None
    values = [column.value(row) for row in rows]
    known = [i for i, value in enumerate(values) if value is not None and value == value]
    nan = [i for i, value in enumerate(values) if value is not None and value != value]
    unknown = [i for i, value in enumerate(values) if value is None]
    known.sort(key=lambda i: values[i], reverse=descending)
    return [rows[i] for i in (*known, *nan, *unknown)]
