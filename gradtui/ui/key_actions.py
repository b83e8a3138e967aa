"""List what the keys of a screen do now, and the help text of its focused pane."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from textual.binding import ActiveBinding
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget

MOVING_ACTIONS = frozenset({
    "cursor_up", "cursor_down", "first", "last", "newest", "page_up", "page_down", "page", "move", "choose", "scroll",
    "scroll_up", "scroll_down", "scroll_home", "scroll_end", "layer", "neighbour", "time", "end", "pane",
})  # fmt: skip
"""The actions that only move a cursor or the focus."""

UNLISTED_ACTIONS = frozenset(
    {
        "page_left", "page_right", "scroll_left", "scroll_right", "screen.copy_text", "copy_text",
        "app.focus_next", "app.focus_previous",
    }
)  # fmt: skip
"""Textual's own actions that no screen here needs; screens with several panes have keys of their own for them."""


@dataclass(frozen=True)
class KeyAction:
    """A KeyAction is something that can be done now, with every key for it."""

    node: DOMNode
    """The pane, the screen or the app that does it."""
    action: str
    keys: tuple[str, ...]
    """Their names on the keyboard."""
    description: str
    tooltip: str
    enabled: bool
    shown: bool = False
    """Whether the key line has it, where there is room."""

    @property
    def name(self) -> str:
        """Return the name of the action without its arguments."""
        return self.action.partition("(")[0]

    @property
    def moves(self) -> bool:
        """Return whether it only moves a cursor or the focus."""
        return self.name in MOVING_ACTIONS


def key_actions(screen: Screen[Any]) -> list[tuple[DOMNode, list[KeyAction]]]:
    """Return what the keys of a screen do, by node: the focused pane first, then what it lies in, up to the app."""
    focused = screen.focused or screen
    by_node: dict[DOMNode, dict[str, list[ActiveBinding]]] = {n: {} for n in focused.ancestors_with_self}
    for active in screen.active_bindings.values():
        if not active.binding.system and active.binding.action.partition("(")[0] not in UNLISTED_ACTIONS:
            by_node.setdefault(active.node, {}).setdefault(active.binding.action, []).append(active)
    return [
        (node, [_key_action(screen, bindings) for bindings in actions.values()])
        for node, actions in by_node.items()
        if actions
    ]


def _key_action(screen: Screen[Any], bindings: list[ActiveBinding]) -> KeyAction:
    first = bindings[0]
    # A key's display in the footer may stand for two ("←→"); here each key has its own line.
    keys = dict.fromkeys(
        screen.app.get_key_display(replace(active.binding, key_display=None)) for active in bindings
    )
    # Of two bindings of one action, often only one has a description.
    description = next((active.binding.description for active in bindings if active.binding.description), "")
    tooltip = next((active.tooltip for active in bindings if active.tooltip), "")
    name = first.binding.action.partition("(")[0].rpartition(".")[2].replace("_", " ")
    description = description or name
    # Textual's own descriptions are in title case.
    description = description.lower() if description.istitle() else description[:1].lower() + description[1:]
    shown = any(active.binding.show for active in bindings)
    return KeyAction(
        first.node, first.binding.action, tuple(keys), description, tooltip, first.enabled, shown
    )


def help_of(screen: Screen[Any]) -> str:
    """Return the help text of the focused pane, or else of what it lies in, in Markdown; "" where there is none."""
    focused = screen.focused or screen
    nodes = (node for node in focused.ancestors_with_self if isinstance(node, Widget))
    return next((node.HELP for node in nodes if node.HELP), "")
