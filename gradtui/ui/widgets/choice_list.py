"""Show lists to choose from: one that takes every key, and one with a field to search in above it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from gradtui.ui.theme import cursor_style


class ChoiceList(OptionList):
    """A ChoiceList can be read with 16 colours, goes to a choice by its first letter, and ignores keys for a page while
    it has no line on the screen.

    Textual's own list fails on these keys, and never draws a style in reverse.
    """

    def on_key(self, event: events.Key) -> None:
        """Go to the next choice that begins with the letter that was typed."""
        if event.is_printable and event.key not in self.screen.active_bindings:
            choices = [str(option.prompt) for option in self.options]
            found = next_with_letter(choices, self.highlighted or 0, event.character or "")
            if found is not None:
                event.stop()
                self.highlighted = found

    def render_line(self, y: int) -> Strip:
        """Return a line; that of the chosen option in one style where colours in it could not be read."""
        strip = super().render_line(y)
        meta = {"option": self.highlighted}
        style = cursor_style(self.app) if self.has_focus or not self.can_focus else None
        if style is None or self.highlighted is None:
            return strip
        if all(
            segment.style is None or segment.style.meta.get("option") != self.highlighted for segment in strip
        ):
            return strip
        return Strip([Segment(strip.text, style + Style(meta=meta))], strip.cell_length)

    def action_page_up(self) -> None:
        """Go up by as many options as are seen."""
        if self.size.height:
            super().action_page_up()  # type: ignore[no-untyped-call]

    def action_page_down(self) -> None:
        """Go down by as many options as are seen."""
        if self.size.height:
            super().action_page_down()  # type: ignore[no-untyped-call]


def next_with_letter(texts: Sequence[str], here: int, letter: str) -> int | None:
    """Return the index of the next text after `here`, round the end, that begins with a letter; None if none does."""
    order = [*range(here + 1, len(texts)), *range(min(here + 1, len(texts)))]
    return next((at for at in order if texts[at].lower().startswith(letter.lower())), None)


class Found(NamedTuple):
    """A Found is the answer to a search: the options to list, and the index of the one that is highlighted at first."""

    options: Sequence[Option]
    highlighted: int | None


class SearchableList(Vertical):
    """A SearchableList is a field to type in above a list; the arrows move in the list while the field has the focus.

    Args:
        find: returns the options for a text in the field.
        beside: widgets in the same container as the list, after it.
        placeholder: what the field shows while it is empty.
        nothing: what the list says where nothing fits the text in the field.
        classes: style classes; `-compact` gives the field one line without a border, `-wrapped` wraps long options.
    """

    DEFAULT_CSS = """
    SearchableList {
        height: 1fr;
        &.-compact Input, &.-compact Input:focus { border: none; height: 1; padding: 0 1; background: $panel; }
        & Container { height: 1fr; }
        & OptionList {
            height: 1fr; border: none; background: $surface; padding: 0; scrollbar-size-vertical: 1;
            text-wrap: nowrap; text-overflow: ellipsis;
        }
        &.-wrapped OptionList { text-wrap: wrap; text-overflow: fold; }
        &.-compact .option-list--option { padding: 0 1; }
        &.-compact OptionList > .option-list--option-highlighted { background: $block-cursor-background; }
    }
    """
    BINDINGS = [
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("pageup", "move(-10)", show=False),
    ]

    @dataclass
    class Chosen(Message):
        """Enter was pressed or an option was clicked."""

        key: str | None
        """The id of the option; None where none is highlighted."""
        text: str
        """What was typed."""

    def __init__(
        self,
        find: Callable[[str], Found],
        *beside: Widget,
        placeholder: str = "search",
        nothing: str = "Nothing matches.",
        classes: str = "-compact",
    ) -> None:
        super().__init__(classes=classes)
        self._nothing = nothing
        self._find = find
        self._beside = beside
        self._field = Input(placeholder=placeholder)
        self._list = ChoiceList()
        # The field has the focus.
        self._list.can_focus = False

    def compose(self) -> ComposeResult:
        """Yield the field, and the list with what is beside it."""
        yield self._field
        yield Container(self._list, *self._beside)

    def on_mount(self) -> None:
        """List what is found without a text."""
        self._search("")

    @property
    def keys(self) -> list[str]:
        """Return the ids of the listed options; headings have none."""
        return [option.id for option in self._list.options if option.id is not None]

    @property
    def chosen(self) -> str | None:
        """Return the id of the highlighted option; None where none is."""
        at = self._list.highlighted
        return None if at is None else self._list.get_option_at_index(at).id

    def type(self, text: str) -> None:
        """Replace the text in the field, with the cursor behind it."""
        self._field.value = text
        self._field.cursor_position = len(text)

    def search_again(self) -> None:
        """List what is found now; an option that the person has moved to stays highlighted."""
        kept = self.chosen if self._list.highlighted else None
        self._search(self._field.value)
        shown = [option.id for option in self._list.options]
        if kept in shown:
            self._list.highlighted = shown.index(kept)

    def action_move(self, by: int) -> None:
        """Move down by this many options, or up if negative, over headings and without going around the ends."""
        found = self._list
        for _ in range(abs(by)):
            at = found.highlighted
            if at is None:
                found.action_first()
                continue
            (found.action_cursor_down if by > 0 else found.action_cursor_up)()
            if found.highlighted is not None and (found.highlighted - at) * by < 0:
                found.highlighted = at
                break

    def _search(self, text: str) -> None:
        options, highlighted = self._find(text)
        self._list.clear_options()
        self._list.add_options(options)
        if text and not options:
            self._list.add_option(Option(self._nothing, disabled=True))
        self._list.highlighted = highlighted

    @on(Input.Changed)
    def _typing(self, event: Input.Changed) -> None:
        self._search(event.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Chosen(self.chosen, event.value))

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Chosen(event.option.id, self._field.value))
