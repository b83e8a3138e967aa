"""Show the last line of a screen: the keys that have an effect now, each with a word.

Textual's own footer has a widget for each key and creates them at each change of focus; its styles took a third of the
time in which the lab opened. This is one widget with one line of text.
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
"""The number of columns below which the keys stand closer together, without the key of the palette."""

LIST_KEYS, QUIT = "toggle_keys", "quit"
"""The actions of the key that lists all keys, and of the way out of the first screen, which has no other."""


@dataclass(frozen=True)
class KeyEntry:
    """A KeyEntry is a key and what it does."""

    key: str
    shown: str
    words: str
    enabled: bool = True

    def content(self) -> Content:
        """Return the key, which stands out, and the words."""
        key = "bold $footer-key-foreground" if self.enabled else "$secondary"
        return Content.assemble(
            (self.shown, key), " " if self.words else "", (self.words, "$footer-description-foreground")
        )


class KeyLine(Widget):
    """The KeyLine shows as many keys as fit, and at the right the key of the command palette.

    Whatever has to be left out, two keys stay: the one that lists all keys, and the way out of the screen.
    """

    DEFAULT_CSS = """
    KeyLine {
        dock: bottom; height: 1; padding: 0 1; text-wrap: nowrap;
        background: $footer-background; color: $footer-foreground;
    }
    """

    entries: reactive[tuple[KeyEntry, ...]] = reactive(())

    _staying: set[str] = set()
    """The keys of the entries that are never left out."""

    def on_mount(self) -> None:
        """Read the keys now, whenever they change, and whenever a pane fills the screen."""
        self.watch(self.screen, "maximized", lambda: self._read_keys(self.screen))
        self.screen.bindings_updated_signal.subscribe(self, self._read_keys)

    def _read_keys(self, screen: Screen[object]) -> None:
        if not self.is_attached:
            return
        found: dict[str, KeyEntry] = {}
        for _, binding, enabled, _ in screen.active_bindings.values():
            shown = self.app.get_key_display(binding)
            if binding.action == "fill" and screen.maximized is not None:
                # The way back stands first, since this line and the pane are all that one sees.
                found = {binding.action: KeyEntry(binding.key, shown, "all panes"), **found}
            elif binding.show and binding.action not in found:
                found[binding.action] = KeyEntry(binding.key, shown, binding.description, enabled)
        self._staying = {
            entry.key
            for action, entry in found.items()
            if action in (LIST_KEYS, QUIT) or entry.key == "escape" or entry.words == "all panes"
        }
        if "escape" in self._staying and QUIT in found:
            self._staying.discard(found[QUIT].key)
        self.entries = tuple(found.values())

    @property
    def _palette(self) -> KeyEntry | None:
        if self.size.width < NARROW or not self.app.ENABLE_COMMAND_PALETTE:
            return None
        key = self.app.COMMAND_PALETTE_BINDING
        return KeyEntry(key, self.app.get_key_display(Binding(key, "command_palette", "palette")), "palette")

    def _placed(self) -> list[tuple[int, KeyEntry]]:
        """Return the entries that fit whole, each with its first column."""
        width, gap = self.content_size.width, 1 if self.size.width < NARROW else 2
        palette, placed, column = self._palette, [], 0
        last = None
        if palette is not None:
            last = (width - palette.content().cell_length, palette)
            width = last[0] - gap
        for entry in self._fitting(width, gap):
            placed.append((column, entry))
            column += entry.content().cell_length + gap
        return [*placed, last] if last is not None else placed

    def _fitting(self, width: int, gap: int) -> list[KeyEntry]:
        """Return the first entries that fit, and in their turn those that stay."""
        lengths = {entry: entry.content().cell_length + gap for entry in self.entries}
        room = width + gap - sum(length for entry, length in lengths.items() if entry.key in self._staying)
        shown = []
        for entry, length in lengths.items():
            if entry.key not in self._staying:
                room -= length
            if room >= 0 or entry.key in self._staying:
                shown.append(entry)
        return shown

    def render(self) -> Content:
        """Return the line."""
        line = Content("")
        for column, entry in self._placed():
            line += Content(" " * (column - line.cell_length)) + entry.content()
        return line

    def on_click(self, event: events.Click) -> None:
        """Press the clicked key."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        for column, entry in self._placed():
            if column <= offset.x < column + entry.content().cell_length:
                if entry.enabled:
                    self.app.simulate_key(entry.key)
                else:
                    self.app.bell()
