"""Show a list of fields with their values: up and down choose, left and right change, enter types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.containers import ScrollableContainer
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from gradtui.ui.theme import cursor_style
from gradtui.ui.widgets.choice_list import next_with_letter


@dataclass(frozen=True)
class FieldRow:
    """A FieldRow is one line: a field of the experiment by its dotted path, and its value as shown."""

    path: str
    label: str
    text: str
    changed: bool = False
    """Whether the value differs from the run on the screen, so that it takes effect at the next start."""
    steps: bool = True
    """Whether the arrows change the value: a text has no next one."""


class FieldList(Widget, can_focus=True):
    """The FieldList shows rows of fields, and posts which field to change; it has no access to the experiment."""

    HELP = "## Settings\n\nEach line is a field of the experiment with its value. The text beneath explains the field."
    BINDINGS = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding(
            "left,h,minus",
            "step(False)",
            "less",
            key_display="←",
            tooltip="Choose the previous value.",
            group=Binding.Group("change", compact=True),
        ),
        Binding(
            "right,l,plus",
            "step(True)",
            "more",
            key_display="→",
            tooltip="Choose the next value.",
            group=Binding.Group("change", compact=True),
        ),
        Binding("enter", "edit", "type a value", key_display="⏎", tooltip="Type a value."),
        Binding("home,g", "move(-10000)", "first", show=False),
        Binding("end,G", "move(10000)", "last", show=False),
    ]
    COMPONENT_CLASSES = {"field--label", "field--value", "field--changed", "field--cursor", "field--arrows"}
    DEFAULT_CSS = """
    FieldList {
        height: auto;
        & > .field--label { color: $secondary; }
        & > .field--value { color: $foreground; }
        & > .field--changed { color: $accent; }
        & > .field--arrows { color: $accent; }
        & > .field--cursor { background: $block-cursor-blurred-background; }
        &:focus > .field--cursor { background: $block-cursor-background; }
    }
    """

    rows: reactive[tuple[FieldRow, ...]] = reactive((), repaint=False)
    cursor = reactive(0)
    fixed = reactive(False)
    """Whether nothing can be changed now, for example because the script has ended."""

    @dataclass
    class Stepped(Message):
        """This message asks for the next value of a field, up or down."""

        path: str
        up: bool

    @dataclass
    class Typing(Message):
        """This message asks to type the value of a field."""

        path: str
        keys: list[str] = field(default_factory=list)
        """The characters that were already typed; more may be added until the dialog uses them."""

    @dataclass
    class Moved(Message):
        """The cursor has moved to a field."""

        path: str

    def __init__(self, *, label_width: int = 16, alone: bool = False, id: str | None = None) -> None:
        """Create an empty list.

        alone: it takes every key, as in a dialog: a digit begins to type a value, and a letter without another meaning
        goes to the next field with it first. Beside other panes, digits lead to those.
        """
        super().__init__(id=id)
        self.label_width = label_width
        self.alone = alone
        # Digits that are typed before the dialog is open; a paste or a slow line brings several at once.
        self._keys: list[str] = []

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return one line for each row."""
        return max(1, len(self.rows))

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on the list."""
        return max(0, min(cursor, len(self.rows) - 1))

    def show(self, rows: Iterable[FieldRow]) -> None:
        """Show other rows, and keep the cursor on its field."""
        here = self.rows[self.cursor].path if self.rows else None
        self.rows = tuple(rows)
        paths = [row.path for row in self.rows]
        self.cursor = paths.index(here) if here in paths else self.validate_cursor(self.cursor)

    def watch_rows(self, before: tuple[FieldRow, ...], rows: tuple[FieldRow, ...]) -> None:
        """Paint the lines that changed. The screen is laid out again only for another number of lines."""
        if len(before) != len(rows):
            self.refresh(layout=True)
            return
        changed = [y for y, (old, new) in enumerate(zip(before, rows, strict=True)) if old != new]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def watch_cursor(self) -> None:
        """Bring the line of the cursor into view, and post its field."""
        if self.rows:
            self.post_message(self.Moved(self.rows[self.cursor].path))
        if isinstance(self.parent, ScrollableContainer):
            self.parent.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False)

    def render_line(self, y: int) -> Strip:
        """Return a line: the label and the value, with arrows around the value at the cursor."""
        width = self.size.width
        if y >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        row = self.rows[y]
        here = y == self.cursor
        base = self.get_component_rich_style("field--cursor") if here else self.rich_style
        label = self.get_component_rich_style("field--label", partial=True)
        value = self.get_component_rich_style(
            "field--changed" if row.changed else "field--value", partial=True
        )
        arrows = self.get_component_rich_style("field--arrows", partial=True)
        if here and self.has_focus and (cursor := cursor_style(self.app)) is not None:
            base, label, value, arrows = cursor, Style(), Style(), Style()
        active = here and self.has_focus and row.steps and not self.fixed
        label_width = min(self.label_width, max(4, width - 10))
        room = max(1, width - label_width - 4)
        text = f"{row.text} ○" if row.changed else row.text
        text = text if len(text) <= room else text[: room - 1] + "…"
        segments = [
            Segment(f" {row.label}"[:label_width].ljust(label_width), base + label),
            Segment("‹ " if active else "  ", base + arrows),
            Segment(text, base + value),
            Segment(" ›" if active else "  ", base + arrows),
        ]
        return Strip(segments).adjust_cell_length(width, base)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key does anything now."""
        return not (self.fixed and action in ("step", "edit"))

    def watch_fixed(self) -> None:
        """Show the keys that change a value, or hide them."""
        self.refresh_bindings()

    def action_move(self, by: int) -> None:
        """Move the cursor down by this many fields, or up if negative."""
        self.cursor += by

    def action_step(self, up: bool) -> None:
        """Request the next value of the field under the cursor."""
        if self.rows:
            self.post_message(self.Stepped(self.rows[self.cursor].path, up))

    def action_edit(self) -> None:
        """Ask to type the value of the field under the cursor."""
        if self.rows:
            self.post_message(self.Typing(self.rows[self.cursor].path))

    def on_key(self, event: events.Key) -> None:
        """Begin to type a value when a digit is pressed; go to a field by its first letter."""
        if not self.alone:
            return
        if event.is_printable and event.key not in self.screen.active_bindings:
            found = next_with_letter([row.label for row in self.rows], self.cursor, event.character or "")
            if found is not None:
                event.stop()
                self.cursor = found
                return
        if event.character and event.character in "0123456789" and self.rows:
            event.stop()
            self._keys.append(event.character)
            if len(self._keys) == 1:
                self.post_message(self.Typing(self.rows[self.cursor].path, self._keys))

    def on_click(self, event: events.Click) -> None:
        """Choose the clicked field; a click on the chosen one steps its value, a double click types it."""
        offset = event.get_content_offset(self)
        if offset is None or not 0 <= offset.y < len(self.rows):
            return
        same = self.cursor == offset.y
        self.cursor = offset.y
        if self.fixed:
            return
        if event.chain == 2:
            self.action_edit()
        elif same and offset.x >= self.label_width:
            self.action_step(offset.x >= self.label_width + 2 + len(self.rows[self.cursor].text) // 2)

    def on_focus(self) -> None:
        """Show the arrows, which appear with the focus."""
        self.refresh()
        if self.rows:
            self.post_message(self.Moved(self.rows[self.cursor].path))

    def on_blur(self) -> None:
        """Hide the arrows."""
        self.refresh()
