"""All keys that do something now, by where they do it: for who lists them and for the command palette."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand
from textual.binding import ActiveBinding
from textual.dom import DOMNode
from textual.markup import escape
from textual.screen import Screen
from textual.widget import Widget

if TYPE_CHECKING:
    from gradtui.ui.app import GradtuiApp


@dataclass(frozen=True)
class KeyAction:
    """What one can do, and every key for it."""

    node: DOMNode
    """What it is done to: a pane, the screen, the app."""
    action: str
    keys: tuple[str, ...]
    """As they stand on the keyboard."""
    description: str
    tooltip: str
    enabled: bool


def key_actions(screen: Screen[Any]) -> list[tuple[DOMNode, list[KeyAction]]]:
    """What the keys do on a screen: first of the focused pane, then of what it lies in, the screen, the app."""
    focused = screen.focused or screen
    by_node: dict[DOMNode, dict[str, list[ActiveBinding]]] = {n: {} for n in focused.ancestors_with_self}
    for active in screen.active_bindings.values():
        if not active.binding.system:
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
    # Of two bindings of one action, often only one says what it does.
    description = next((active.binding.description for active in bindings if active.binding.description), "")
    tooltip = next((active.tooltip for active in bindings if active.tooltip), "")
    name = first.binding.action.partition("(")[0].rpartition(".")[2].replace("_", " ")
    said = description or name
    # Textual's own are written Like This.
    said = said.lower() if said.istitle() else said[:1].lower() + said[1:]
    return KeyAction(first.node, first.binding.action, tuple(keys), said, tooltip, first.enabled)


def help_of(screen: Screen[Any]) -> str:
    """What the focused pane, or else what it lies in, says of itself, in Markdown; "" where none says anything."""
    focused = screen.focused or screen
    nodes = (node for node in focused.ancestors_with_self if isinstance(node, Widget))
    return next((node.HELP for node in nodes if node.HELP), "")


def commands_of(app: GradtuiApp, screen: Screen[Any]) -> Iterable[SystemCommand]:
    """So that nothing need be remembered. Textual's own are left out where there is a key for the same."""
    for _, actions in key_actions(screen):
        for action in actions:
            if action.enabled and action.action != "command_palette":
                yield _command(app, action)
    yield SystemCommand("Theme", "Other colours; the choice is kept", app.action_change_theme)
    if app.ascii:
        yield SystemCommand("Characters: Unicode", "Draw with all characters", app.action_toggle_ascii)
    else:
        said = "Draw with ASCII only, for terminals that show nothing else"
        yield SystemCommand("Characters: ASCII only", said, app.action_toggle_ascii)
    # A moment later, so that the palette is not on the picture.
    yield SystemCommand(
        "Screenshot",
        "Save a picture of the screen, as SVG, in this folder",
        lambda: app.set_timer(0.1, app.action_picture),
    )


def _command(app: GradtuiApp, action: KeyAction) -> SystemCommand:
    said = "  ".join(filter(None, (" ".join(action.keys), action.tooltip)))
    # The palette awaits what this returns; an action is one of its own pane, so it is run there.
    return SystemCommand(
        action.description[:1].upper() + action.description[1:],
        escape(said),
        lambda: app.run_action(action.action, action.node),
    )
