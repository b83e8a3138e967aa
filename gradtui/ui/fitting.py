"""An app that fits what its terminal can show: all characters or ASCII only, colours or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.binding import Binding
from textual.color import Color
from textual.filter import LineFilter, Monochrome
from textual.reactive import var

from gradtui.ui.ascii import AsciiFilter, ascii_wanted

_RIDDLES = {"⏎": "enter", "⌫": "bksp"}
_ARROWS = {"↑": "up", "↓": "down", "←": "left", "→": "right"}

_NO_COLOUR = Style(color=RichColor.default(), bgcolor=RichColor.default())
_REVERSE = _NO_COLOUR + Style(reverse=True)


class Uncoloured(LineFilter):
    """Letters and ground of the terminal's own, and reversed where the ground would be another.

    Textual's filter for NO_COLOR makes greys of colours, and black of a terminal's own 16, letters and ground alike.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same text."""
        return [Segment(text, style and _without_colour(style), control) for text, style, control in segments]


@lru_cache(1024)
def _without_colour(style: Style) -> Style:
    ground = style.bgcolor
    return style + (_NO_COLOUR if ground is None or ground.is_default else _REVERSE)


def _named(text: str, names: Mapping[str, str]) -> str:
    for sign, name in names.items():
        text = text.replace(sign, name)
    return text


class FittingApp(App[None]):
    """What is translated is so on its way to the terminal; no widget need know."""

    ascii: var[bool] = var(False, init=False)
    """Draw with ASCII characters only."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._ascii_filter = AsciiFilter()
        self._uncoloured = Uncoloured()

    def fit_characters(self, charset: str, terminal: Mapping[str, str]) -> None:
        """As settled, or as the terminal's environment says."""
        self.set_reactive(FittingApp.ascii, ascii_wanted(charset, terminal))

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's, and the app's own."""
        filters = list(super().get_line_filters())
        if self.no_color and self.native_ansi_color:
            filters = [self._uncoloured if isinstance(f, Monochrome) else f for f in filters]
        if self.ascii:
            filters.append(self._ascii_filter)
        return filters

    def get_key_display(self, binding: Binding) -> str:
        """Keys by name, where their signs would be a riddle."""
        display = super().get_key_display(binding)
        if not self.ascii or display.isascii():
            return display
        if not binding.key_display:
            # Signs that were chosen for the footer stand side by side, and < and > will do there.
            display = _named(display, _ARROWS)
        return _named(display, _RIDDLES)

    def name_keys(self, text: str) -> str:
        """A text in which keys have names, if need be."""
        return _named(text, _RIDDLES) if self.ascii else text

    def watch_ascii(self) -> None:
        """Every line of every screen is another."""
        for screen in self.screen_stack:
            for widget in screen.walk_children():
                widget.refresh()
            screen.refresh()
        self.refresh_bindings()
