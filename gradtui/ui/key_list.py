"""All keys that do something now, by where they do it: for who lists them and for the command palette."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from textual.binding import ActiveBinding
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget


@dataclass(frozen=True)
class Deed:
    """What one can do, and every key for it."""

    node: DOMNode
    """What it is done to: a pane, the screen, the app."""
    action: str
    keys: tuple[str, ...]
    """As they stand on the keyboard."""
    description: str
    tooltip: str
    enabled: bool


def deeds_of(screen: Screen[Any]) -> list[tuple[DOMNode, list[Deed]]]:
    """What the keys do on a screen: first of the focused pane, then of what it lies in, the screen, the app."""
    focused = screen.focused or screen
    by_node: dict[DOMNode, dict[str, list[ActiveBinding]]] = {n: {} for n in focused.ancestors_with_self}
    for active in screen.active_bindings.values():
        if not active.binding.system:
            by_node.setdefault(active.node, {}).setdefault(active.binding.action, []).append(active)
    return [
        (node, [_deed(screen, bindings) for bindings in actions.values()])
        for node, actions in by_node.items()
        if actions
    ]


def _deed(screen: Screen[Any], bindings: list[ActiveBinding]) -> Deed:
    first = bindings[0]
    # A key's display in the footer may stand for two ("←→"); here each key has its own line.
    keys = dict.fromkeys(
        screen.app.get_key_display(replace(active.binding, key_display=None)) for active in bindings
    )
    # Of two bindings of one action, often only one says what it does.
    description = next((active.binding.description for active in bindings if active.binding.description), "")
    tooltip = next((active.tooltip for active in bindings if active.tooltip), "")
    name = first.binding.action.partition("(")[0].rpartition(".")[2].replace("_", " ")
    said = description or name
    # Textual's own are written Like This.
    said = said.lower() if said.istitle() else said[:1].lower() + said[1:]
    return Deed(first.node, first.binding.action, tuple(keys), said, tooltip, first.enabled)


def help_of(screen: Screen[Any]) -> str:
    """What the focused pane, or else what it lies in, says of itself, in Markdown; "" where none says anything."""
    focused = screen.focused or screen
    nodes = (node for node in focused.ancestors_with_self if isinstance(node, Widget))
    return next((node.HELP for node in nodes if node.HELP), "")
