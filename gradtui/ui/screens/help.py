"""Show the list of all keys that do something now: those of the focused pane, of its screen and of the app."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult, RenderResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Markdown

from gradtui.ui.keys import KeyAction, help_of, key_actions


class KeyTable(Widget):
    """A KeyTable lists one group of keys: each key, what it does, and its tooltip."""

    COMPONENT_CLASSES = {"keys--title", "keys--key", "keys--tooltip"}
    DEFAULT_CSS = """
    KeyTable {
        height: auto; margin: 0 0 1 0;
        & > .keys--title { color: $accent; text-style: bold; }
        & > .keys--key { color: $accent; }
        & > .keys--tooltip { color: $secondary; }
    }
    """

    def __init__(self, title: str, actions: list[KeyAction], key_width: int, description_width: int) -> None:
        super().__init__()
        self.group_title = title
        self.actions = actions
        self.key_width = key_width
        self.description_width = description_width

    def render(self) -> RenderResult:
        """Return the title, and a line for each action."""
        ground = self.rich_style
        title, key, tooltip = (
            ground + self.get_component_rich_style(f"keys--{part}", partial=True)
            for part in ("title", "key", "tooltip")
        )
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        table.add_column(width=self.key_width, justify="right")
        table.add_column(width=self.description_width)
        table.add_column(ratio=1)
        for action in self.actions:
            dim = "" if action.enabled else "dim"
            keys, description = Text(" ".join(action.keys), key), Text(action.description, dim)
            table.add_row(keys, description, Text(action.tooltip, tooltip))
        return Group(Text(self.group_title, title), table) if self.group_title else table


class KeysScreen(ModalScreen[None]):
    """The KeysScreen lists what can be done on the screen beneath it.

    Args:
        screen: that screen; its keys are read now, while its pane has the focus.
        words: rewrites the help text of the pane, for terminals without signs for keys.
    """

    DEFAULT_CSS = """
    KeysScreen {
        align: center middle;
        & > VerticalScroll {
            width: 96%; max-width: 100; height: 90%; border: round $accent; border-title-color: $accent;
            border-subtitle-color: $text-muted; background: $surface; padding: 0 1; scrollbar-size-vertical: 1;
        }
        & Markdown { background: $surface; padding: 0; margin: 0; }
        & MarkdownH2 { color: $accent; text-style: bold; margin: 0; }
        & MarkdownParagraph { margin: 0 0 1 0; }
        & Markdown MarkdownBlock:dark > .code_inline, & Markdown MarkdownBlock:light > .code_inline {
            color: $accent; background: $surface; text-style: bold;
        }
    }
    """
    BINDINGS = [
        Binding("escape,question_mark,q", "dismiss(None)", "back", id="keys.back"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, screen: Screen[Any], words: Callable[[str], str] = str) -> None:
        super().__init__()
        self.help_text = words(help_of(screen))
        self.groups = [(title_of(node, self.help_text), actions) for node, actions in key_actions(screen)]

    def compose(self) -> ComposeResult:
        """Yield the help text of the pane, then the keys."""
        actions = [action for _, group in self.groups for action in group]
        key_width = min(18, max(len(" ".join(action.keys)) for action in actions))
        description_width = min(22, max(len(action.description) for action in actions))
        with VerticalScroll() as frame:
            frame.border_title = "Keys"
            frame.border_subtitle = "↑↓ more · esc back"
            if self.help_text:
                yield Markdown(self.help_text)
            for title, group in self.groups:
                yield KeyTable(title, group, key_width, description_width)

    def on_mount(self) -> None:
        """Focus the list, so that the arrows scroll it."""
        self.query_one(VerticalScroll).focus()

    def action_scroll(self, lines: int) -> None:
        """Scroll so many lines down (up)."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def title_of(node: DOMNode, help_text: str) -> str:
    """Return what a group of keys belongs to; "" where the help text above it has said so."""
    if node.BINDING_GROUP_TITLE:
        return node.BINDING_GROUP_TITLE
    if isinstance(node, Screen):
        return "This screen"
    if not isinstance(node, Widget):
        return "Everywhere"
    return "" if help_text else "Here"
