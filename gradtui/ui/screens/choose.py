"""A list to choose from, by arrows or by typing: presets, cures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option


@dataclass(frozen=True)
class Choice:
    """One entry: what is answered, what is read, and the text that explains it."""

    key: str
    title: str
    line: str
    marked: bool = False
    """Stands out, as what is advised."""


class ChooseScreen(ModalScreen[str | None]):
    """Answers with the key of a choice, or None.

    Args:
        title: what the frame says.
        choices: in the order in which they are shown.
        title_width: columns of the titles; 0 puts each line beneath its title.
    """

    DEFAULT_CSS = """
    ChooseScreen {
        align: center middle;
        & > Vertical {
            width: 96%; max-width: 110; height: 84%; border: round $accent;
            border-title-color: $accent; border-subtitle-color: $text-muted; background: $surface;
        }
        & Input, & Input:focus { border: none; height: 1; padding: 0 1; background: $panel; }
        & OptionList { height: 1fr; border: none; background: $surface; padding: 0; scrollbar-size-vertical: 1; }
        & OptionList.-flat { text-wrap: nowrap; text-overflow: ellipsis; }
        & .option-list--option { padding: 0 1; }
        & OptionList > .option-list--option-highlighted { background: $block-cursor-background; }
    }
    """
    BINDINGS = [
        Binding("escape", "dismiss(None)", "back"),
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("pageup", "move(-10)", show=False),
    ]

    def __init__(self, title: str, choices: Sequence[Choice], title_width: int = 24) -> None:
        super().__init__()
        self.frame_title = title
        self.choices = choices
        self.title_width = title_width

    def compose(self) -> ComposeResult:
        """What to look for, and what there is."""
        with Vertical() as frame:
            frame.border_title = self.frame_title
            frame.border_subtitle = "type to search · ↑↓ choose · ⏎ take · esc back"
            yield Input(placeholder="search")
            found = OptionList(classes="-flat" if self.title_width else "")
            # The keys are the input's; the arrows reach the list through the screen.
            found.can_focus = False
            yield found

    def on_mount(self) -> None:
        """All of them."""
        self.search("")

    def search(self, words: str) -> None:
        """Those that hold every word."""
        wanted = words.lower().split()
        found = self.query_one(OptionList)
        found.clear_options()
        for choice in self.choices:
            if all(word in f"{choice.title} {choice.line}".lower() for word in wanted):
                between = "\n  " if not self.title_width else " " * (self.title_width - len(choice.title))
                colour = "bold $accent" if choice.marked else "bold"
                title = f"{choice.title}  advised" if choice.marked else choice.title
                text = Content.assemble((title, colour), between, (choice.line, "$secondary"))
                found.add_option(Option(text, id=choice.key))
        found.highlighted = 0 if found.option_count else None

    @on(Input.Changed)
    def _searching(self, event: Input.Changed) -> None:
        self.search(event.value)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        found = self.query_one(OptionList)
        if found.highlighted is not None:
            self.dismiss(found.get_option_at_index(found.highlighted).id)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id)

    def action_move(self, by: int) -> None:
        """Another choice."""
        found = self.query_one(OptionList)
        if found.option_count:
            found.highlighted = max(0, min((found.highlighted or 0) + by, found.option_count - 1))
