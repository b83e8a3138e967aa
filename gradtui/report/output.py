"""Print to stdout: sections of text of a limited width, tables of plain lines, and strict JSON."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gradtui.plain_text import escape_json, plain

if TYPE_CHECKING:
    from rich.text import Text

WIDEST_PAGE = 100
"""The most columns of a page."""
LEAST_ROOM = 12
"""The fewest columns in which the last cell of a row is broken into lines."""
UNDER = "    "
"""The indent of the further lines of a row."""


@dataclass(frozen=True)
class Paper:
    """A Paper says how wide a page is, and whether colours and characters beyond ASCII may be used."""

    width: int
    colour: bool
    ascii: bool


def stdout_paper() -> Paper:
    """Return the paper of stdout: as wide as the terminal (COLUMNS overrides it), at most 100 columns.

    It has colours only on a terminal, and not where NO_COLOR is set.
    """
    from rich.console import Console

    width = min(WIDEST_PAGE, shutil.get_terminal_size((WIDEST_PAGE, 24)).columns)
    colour = Console().color_system is not None and "NO_COLOR" not in os.environ and sys.stdout.isatty()
    return Paper(width, colour, ascii=not (sys.stdout.encoding or "").lower().startswith("utf"))


def print_sections(paper: Paper, *sections: Iterable[Text]) -> None:
    """Print sections of lines to stdout, with an empty line between sections; empty ones are left out."""
    from rich.console import Console

    console = Console(
        width=paper.width,
        color_system="auto" if paper.colour else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    written = False
    for section in sections:
        for number, line in enumerate(section):
            if written and number == 0:
                console.print()
            # Lines are not wrapped, because people copy paths and commands from them.
            console.print(plain_line(line), soft_wrap=True)
            written = True


def prose(text: str, paper: Paper, style: str = "", indent: str = "") -> Iterator[Text]:
    """Yield a text as lines that fit the paper, each with the indent."""
    from rich.text import Text

    for line in textwrap.wrap(text, paper.width, initial_indent=indent, subsequent_indent=indent):
        yield Text(line, style)


def plain_line(line: Text) -> Text:
    """Return a line without characters that control the terminal; its styles stay in place."""
    text = plain(line.plain)
    if text == line.plain:
        return line
    from rich.text import Text

    return Text(text, line.style, spans=line.spans)


def aligned(rows: Sequence[Sequence[str]], columns: int | None = None) -> list[str]:
    """Return rows of equally many cells as lines, with columns two spaces apart; the last may be of any length.

    They are plain lines without a drawn grid, so grep, cut and narrow windows do not break them.

    Args:
        rows: the rows of cells.
        columns: the width in which the last cell is broken. It goes on below itself, so a row can be several lines.
    """
    rows = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    before = sum(widths[:-1]) + 2 * (len(widths) - 1)
    room = columns - before if columns is not None else 0
    lines = []
    for *cells, last in rows:
        start = "".join(f"{cell:<{width}}  " for cell, width in zip(cells, widths, strict=False))
        broken = room >= LEAST_ROOM and textwrap.wrap(
            last, room, break_long_words=False, break_on_hyphens=False
        )
        first, *further = broken or [last]
        lines += [f"{start}{first}".rstrip(), *(" " * before + part for part in further)]
    return lines


def wrapped(line: str) -> str:
    """Return a line of prose without control characters; in a terminal, broken at its width and indented further."""
    text = plain(line)
    if not sys.stdout.isatty():
        return text.rstrip()
    indent = " " * (len(text) - len(text.lstrip()))
    width = shutil.get_terminal_size().columns
    lines = textwrap.wrap(
        text,
        width,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in aligned columns to stdout; in a terminal, what does not fit continues on the next line."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    lines = _stacked(rows, width) if width and rows and len(rows[0]) > 2 else aligned(rows, width or None)
    for line in lines:
        print(line)


def _stacked(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return rows as lines of a width: the columns that do not fit stand in further lines, under the first ones."""
    widths = [max(map(len, map(plain, column))) for column in zip(*rows, strict=True)]
    room = width - sum(widths[1:]) - 2 * (len(widths) - 1)
    if room < widths[0] and sum(len(plain(row[0])) > room for row in rows) <= len(rows) // 2:
        return _with_long_names(rows, room)
    groups: list[list[int]] = [[]]
    used = 0
    for column, needed in enumerate(widths):
        if groups[-1] and used + needed > width:
            groups.append([])
            used = len(UNDER)
        groups[-1].append(column)
        used += needed + 2
    parts = [aligned([[row[column] for column in group] for row in rows]) for group in groups]
    lines = (
        (UNDER if number else "") + part[row]
        for row in range(len(rows))
        for number, part in enumerate(parts)
        if part[row]
    )
    return list(lines)


def _with_long_names(rows: Sequence[Sequence[str]], room: int) -> list[str]:
    """Return rows as lines whose first cell has so many columns; the few that are longer have a line of their own."""
    lines = []
    for row, rest in zip(rows, aligned([row[1:] for row in rows]), strict=True):
        name = plain(row[0])
        if len(name) > room:
            lines.append(name)
            name = ""
        lines.append(f"{name:<{room}}  {rest}".rstrip())
    return lines


def to_json(value: Any) -> str:
    """Return one line of strict JSON; numbers that are not finite become the strings "nan", "inf" and "-inf"."""
    return escape_json(json.dumps(_strict(value), ensure_ascii=False, allow_nan=False))


def _strict(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return value
