"""Turn a screen into a text file for reviewers: its characters, the place of each style, and the styles.

Below the characters stands one line a row that gives the runs of styles, as a letter and a length: a cell whose colour
changed changes there. The legend names the style of each letter: a colour that changed everywhere is one line there.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.app import App

LETTERS = "·abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

Styled = list[list[tuple[str, str]]]
"""Every row of a screen as (character, style) a character."""


class TextFile(SingleFileSnapshotExtension):
    """A snapshot is one text file."""

    file_extension = "txt"
    _file_extension = "txt"
    _write_mode = WriteMode.TEXT


def text_of(app: App[Any]) -> str:
    """Return the characters of the screen, and the style of each run of them, to see whether anything changed."""
    return "\n".join(
        strip.text + ";".join(f"{segment.cell_length}:{segment.style}" for segment in strip.simplify())
        for strip in app.screen._compositor.render_strips()
    )


def styled(app: App[Any]) -> Styled:
    """Return the characters of the screen with their styles."""
    return [
        [(character, str(segment.style)) for segment in strip for character in segment.text]
        for strip in app.screen._compositor.render_strips()
    ]


def picture(themes: Mapping[str, Styled]) -> str:
    """Write one screen down as it looks in each theme; themes with the same characters share one block."""
    shared: dict[str, dict[str, Styled]] = {}
    for theme, rows in themes.items():
        text = "\n".join("".join(character for character, _ in row) for row in rows)
        shared.setdefault(text, {})[theme] = rows
    return "\n".join(_block(text, alike) for text, alike in shared.items())


def _block(text: str, themes: Mapping[str, Styled]) -> str:
    first = next(iter(themes.values()))
    letters: dict[tuple[str, ...], str] = {}
    maps = []
    for y, row in enumerate(first):
        looks = [tuple(rows[y][x][1] for rows in themes.values()) for x in range(len(row))]
        codes = (letters.setdefault(look, _letter(len(letters))) for look in looks)
        maps.append(" ".join(f"{code}{len(list(run))}" for code, run in groupby(codes)))
    legend = [
        f"{letter}  " + "\n   ".join(f"{theme}: {style}" for theme, style in zip(themes, look, strict=True))
        for look, letter in letters.items()
    ]
    return "\n".join([text, "", "styles of each row", *maps, "", "legend", *legend, ""])


def _letter(number: int) -> str:
    """Return a letter for a style; after the last one, letters with a prime, then with two."""
    return LETTERS[number % len(LETTERS)] + "'" * (number // len(LETTERS))
