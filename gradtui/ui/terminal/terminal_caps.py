"""Adapt the lines that the app paints to the terminal: its characters, its colours, and no control characters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from rich.cells import cell_len
from rich.color import Color as RichColor
from rich.color import ColorType
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter, Monochrome

from gradtui.ascii_text import in_ascii
from gradtui.plain_text import plain

_KEY_NAMES = {"↑↓": "up/down", "←→": "left/right", "⏎": "enter", "⌫": "bksp"}
"""Signs of keys that ASCII cannot show. As ^v, a pair of arrows would be the key ctrl+v."""
_ARROW_NAMES = {"↑": "up", "↓": "down", "←": "left", "→": "right"}

_NO_COLOUR = Style(color=RichColor.default(), bgcolor=RichColor.default())
_REVERSE = _NO_COLOUR + Style(reverse=True)
_QUIET = Style(color=RichColor.default(), dim=True)


class PlainFilter(LineFilter):
    """A PlainFilter removes control characters from the finished lines of every widget."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments of a line without such characters."""
        if all(segment.text.isprintable() for segment in segments):
            return segments
        return [segment if segment.control else _plain(segment) for segment in segments]


def _plain(segment: Segment) -> Segment:
    text = plain(segment.text, "")
    # The few that have a width are replaced by spaces, so that nothing moves.
    return Segment(text + " " * (segment.cell_length - cell_len(text)), segment.style)


class AsciiFilter(LineFilter):
    """An AsciiFilter translates the lines of every widget, after everything else was drawn into them."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the same cells in the same styles."""
        if all(segment.text.isascii() for segment in segments):
            return segments
        return [Segment(in_ascii(text), style, control) for text, style, control in segments]


class NoColourFilter(LineFilter):
    """A NoColourFilter uses the terminal's own letters and ground, reversed where the ground would be another.

    Textual's filter for NO_COLOR makes greys of colours, and black of a terminal's own 16, letters and ground alike.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the same text without colours."""
        return [Segment(text, style and _without_colour(style), control) for text, style, control in segments]


@lru_cache(1024)
def _without_colour(style: Style) -> Style:
    ground = style.bgcolor
    return style + (_NO_COLOUR if ground is None or ground.is_default else _REVERSE)


class QuietFilter(LineFilter):
    """A QuietFilter shows what stands back, such as frames, as a terminal's own letters, dimmed.

    A theme of 16 colours gives a true colour to what stands back. None of the 16 would do: bright black is the very
    colour of the ground in schemes such as Solarized.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the same text with each true colour of letters replaced."""
        return [Segment(text, style and _quiet(style), control) for text, style, control in segments]


@lru_cache(1024)
def _quiet(style: Style) -> Style:
    ink = style.color
    return style + _QUIET if ink is not None and ink.type is ColorType.TRUECOLOR else style


class EightBitFilter(LineFilter):
    """An EightBitFilter takes the nearest of a terminal's 256 colours; rich would make dark greys blue and green."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the same text in colours of the terminal."""
        return [Segment(text, style and _eight_bit(style), control) for text, style, control in segments]


@lru_cache(4096)
def _eight_bit(style: Style) -> Style:
    return style + Style(color=_nearest(style.color), bgcolor=_nearest(style.bgcolor))


def _nearest(colour: RichColor | None) -> RichColor | None:
    """Return the nearest of the 240 colours that are the same on every terminal; None for what is not true colour."""
    if colour is None or colour.type is not ColorType.TRUECOLOR or colour.triplet is None:
        return None
    return RichColor.from_ansi(_number(*colour.triplet))


@lru_cache(4096)
def _number(red: int, green: int, blue: int) -> int:
    """Return the number of the colour of the cube or of the greys with the least difference, weighted by hue."""

    def far(number: int) -> float:
        other = _rgb_of(number)
        weight = (red + other.red) / 512
        differences = (red - other.red) ** 2, (green - other.green) ** 2, (blue - other.blue) ** 2
        return (2 + weight) * differences[0] + 4 * differences[1] + (3 - weight) * differences[2]

    return min(range(16, 256), key=far)


@lru_cache(256)
def _rgb_of(number: int) -> ColorTriplet:
    return RichColor.from_ansi(number).get_truecolor()


class TerminalCaps:
    """A TerminalCaps holds the filters that lines go through on their way to the terminal; no widget knows of it."""

    def __init__(self) -> None:
        self._plain = PlainFilter()
        self._ascii = AsciiFilter()
        self._no_colour = NoColourFilter()
        self._quiet = QuietFilter()
        self._eight_bit = EightBitFilter()
        self.eight_bit = False
        """Whether the terminal has 256 colours and no more."""

    def filters(self, app: App[Any], ascii: bool, filters: Sequence[LineFilter]) -> list[LineFilter]:
        """Return Textual's filters, adapted to the app's colours, behind one that keeps out orders to the terminal.

        The one for ASCII comes last, where it is wanted.
        """
        found = [self._plain, *filters]
        if app.native_ansi_color:
            found.insert(1, self._quiet)
        if app.no_color and app.native_ansi_color:
            found = [self._no_colour if isinstance(one, Monochrome) else one for one in found]
        if self.eight_bit and not app.native_ansi_color:
            found.append(self._eight_bit)
        return [*found, self._ascii] if ascii else found

    def key_display(self, display: str, *, chosen: bool) -> str:
        """Return how a key is shown in ASCII: by a name, where its sign has no stand-in that is understood.

        chosen: whether the sign was chosen for the footer, where signs stand side by side and < and > will do.
        """
        if display.isascii():
            return display
        return name_keys(display if chosen else _replaced(display, _ARROW_NAMES))


def name_keys(text: str) -> str:
    """Return a text in which keys have names instead of signs that ASCII lacks."""
    return _replaced(text, _KEY_NAMES)


def name_signs(text: str) -> str:
    """Return a help text with the signs that the charts draw in ASCII, where it has a sign between backticks.

    Charts choose their own characters: where Unicode has a sign for NaN and for each event, they draw a letter.
    """
    if "`" not in text:
        return text
    from gradtui.charts.marks import MARK_KINDS
    from gradtui.charts.palette import ASCII, UNICODE

    signs = {kind.sign: kind.ascii for kind in MARK_KINDS.values()}
    signs |= {
        UNICODE.nan: ASCII.nan,
        UNICODE.inf: ASCII.inf,
        **dict(zip(UNICODE.bars, ASCII.bars, strict=True)),
    }
    table = str.maketrans(signs)
    return re.sub("`[^`]*`", lambda found: found[0].translate(table), text)


def _replaced(text: str, names: Mapping[str, str]) -> str:
    for sign, name in names.items():
        text = text.replace(sign, name)
    return text
