"""What the command palette offers: everything that has a key here, and what needs none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand
from textual.markup import escape
from textual.screen import Screen

from gradtui.ui.key_list import Deed, deeds_of

if TYPE_CHECKING:
    from gradtui.ui.app import GradtuiApp


def commands_of(app: GradtuiApp, screen: Screen[Any]) -> Iterable[SystemCommand]:
    """So that nothing need be remembered. Textual's own are left out where there is a key for the same."""
    for _, deeds in deeds_of(screen):
        for deed in deeds:
            if deed.enabled and deed.action != "command_palette":
                yield _command(app, deed)
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


def _command(app: GradtuiApp, deed: Deed) -> SystemCommand:
    said = "  ".join(filter(None, (" ".join(deed.keys), deed.tooltip)))
    # The palette awaits what this returns; an action is one of its own pane, so it is run there.
    return SystemCommand(
        deed.description[:1].upper() + deed.description[1:],
        escape(said),
        lambda: app.run_action(deed.action, deed.node),
    )
