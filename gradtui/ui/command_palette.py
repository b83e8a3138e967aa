"""The command palette offers every action by a name that says what it concerns, and every preset, study and theme."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.command import Hit, Hits, Provider
from textual.dom import DOMNode
from textual.markup import escape
from textual.screen import Screen
from textual.widget import Widget

from gradtui.ui.key_actions import MOVING_ACTIONS, KeyAction, key_actions

PANES = {
    "ModelPane": "Net",
    "FieldList": "Field",
    "NetPane": "Picture of the net",
    "GradientPane": "Gradients",
    "FindingsPane": "Findings",
    "LayerCurves": "Layer",
}
"""What the actions of a pane concern, by its class; a verb alone, such as "add", would not say it."""


def action_commands(app: App[Any], screen: Screen[Any]) -> Iterator[SystemCommand]:
    """Yield a command for each key of a screen: those of the focused pane and of the screen, then of its other panes.

    Keys that only move a cursor are no commands.
    """
    there: set[str] = set()
    for node, actions in key_actions(screen):
        for action in actions:
            if action.enabled and not action.moves and action.action != "command_palette":
                yield _command(app, node, action)
                there.add(_title(node, action.description))
    panes: Callable[[], Iterable[tuple[str, Widget]]] = getattr(screen, "panes", lambda: ())
    for _, pane in panes():
        for action in _own_actions(app, pane):
            if (title := _title(pane, action.description)) not in there:
                there.add(title)
                yield _command(app, pane, action)


def _title(node: DOMNode, description: str) -> str:
    about = "" if isinstance(node, Screen) or not isinstance(node, Widget) else _about(node)
    return f"{about}: {description}" if about else description[:1].upper() + description[1:]


def _about(pane: Widget) -> str:
    what = getattr(pane, "what", "")
    return str(what).replace("_", " ").capitalize() if what else PANES.get(type(pane).__name__, "")


def _command(app: App[Any], node: DOMNode, action: KeyAction) -> SystemCommand:
    help_text = "  ".join(filter(None, (" ".join(action.keys), action.tooltip)))
    # The palette awaits what the callback returns; an action is one of its own pane, so it runs there.
    run = partial(app.run_action, action.action, node)
    return SystemCommand(_title(node, action.description), escape(help_text), run)


def _own_actions(app: App[Any], pane: Widget) -> Iterator[KeyAction]:
    """Yield the actions of a pane that has not the focus."""
    for bindings in pane._bindings.key_to_bindings.values():
        for binding in bindings:
            if binding.id and binding.description and binding.action.partition("(")[0] not in MOVING_ACTIONS:
                key = app.get_key_display(Binding(binding.key, binding.action, binding.description))
                yield KeyAction(pane, binding.action, (key,), binding.description, binding.tooltip, True)


class NameProvider(Provider):
    """The NameProvider finds presets, studies and themes by their names; they are too many to list unasked."""

    async def search(self, query: str) -> Hits:
        """Yield what fits."""
        matcher = self.matcher(query)
        for title, help_text, run in self._things():
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), run, help=escape(help_text))

    def _things(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        from gradtui.experiment import presets
        from gradtui.study import presets as studies

        app = self.app
        lab: Any = getattr(app, "lab", None)
        for name in app.available_themes:
            yield (
                f"Theme: {name}",
                "Choose other colours. The choice is saved.",
                partial(setattr, app, "theme", name),
            )
        if self.screen != lab:
            return
        for name in presets.names():
            experiment = presets.load_preset(name)
            yield f"Preset: {name}", experiment.description, partial(lab.workbench.take, experiment)
        for name in studies.names():
            spec = studies.load_preset(name)
            yield f"Study: {name}", spec.description, partial(lab.lists.studies, spec)
