"""The last line: the keys of where one is, each with a word.

Textual's own footer is a widget for each key and is made anew at each change of focus; a third of the time in which the
lab opened went into its styles. This is one widget and one line of text.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

NARROW = 100
"""Columns below which the line has no air and no key of the palette."""


@dataclass(frozen=True)
class Entry:
    """A key and what it does."""

    key: str
    shown: str
    words: str
    enabled: bool = True

    def content(self) -> Content:
        """The key stands out."""
        key = "bold $footer-key-foreground" if self.enabled else "$secondary"
        return Content.assemble(
            (self.shown, key), " " if self.words else "", (self.words, "$footer-description-foreground")
        )


class KeyLine(Widget):
    """What fits of the keys that are bound here, and at the right the key of the command palette."""

    DEFAULT_CSS = """
    KeyLine {
        dock: bottom; height: 1; padding: 0 1; text-wrap: nowrap;
        background: $footer-background; color: $footer-foreground;
    }
    """

    entries: reactive[tuple[Entry, ...]] = reactive(())

    def on_mount(self) -> None:
        """Look at the keys now and whenever others are bound."""
        self._look(self.screen)
        self.screen.bindings_updated_signal.subscribe(self, self._look)

    def _look(self, screen: Screen[object]) -> None:
        if not self.is_attached:
            return
        found: dict[str, Entry] = {}
        for _, binding, enabled, _ in screen.active_bindings.values():
            if binding.show and binding.action not in found:
                shown = self.app.get_key_display(binding)
                found[binding.action] = Entry(binding.key, shown, binding.description, enabled)
        self.entries = tuple(found.values())

    @property
    def _palette(self) -> Entry | None:
        if self.size.width < NARROW or not self.app.ENABLE_COMMAND_PALETTE:
            return None
        key = self.app.COMMAND_PALETTE_BINDING
        return Entry(key, self.app.get_key_display(Binding(key, "command_palette", "palette")), "palette")

    def _placed(self) -> list[tuple[int, Entry]]:
        """The entries that fit whole, each with its first column."""
        width, gap = self.content_size.width, 1 if self.size.width < NARROW else 2
        palette, placed, column = self._palette, [], 0
        last = None
        if palette is not None:
            last = (width - palette.content().cell_length, palette)
            width = last[0] - gap
        for entry in self.entries:
            length = entry.content().cell_length
            if column + length > width:
                break
            placed.append((column, entry))
            column += length + gap
        return [*placed, last] if last is not None else placed

    def render(self) -> Content:
        """One line."""
        line = Content("")
        for column, entry in self._placed():
            line += Content(" " * (column - line.cell_length)) + entry.content()
        return line

    def on_click(self, event: events.Click) -> None:
        """A click on a key is the key."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        for column, entry in self._placed():
            if column <= offset.x < column + entry.content().cell_length:
                if entry.enabled:
                    self.app.simulate_key(entry.key)
                else:
                    self.app.bell()
