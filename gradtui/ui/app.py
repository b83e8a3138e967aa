"""The application: themes, the lab, and what the command palette offers. It only composes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand
from textual.binding import Binding
from textual.screen import Screen

from gradtui.ui.screens.opening import OpeningScreen
from gradtui.ui.terminal.frugal import FrugalApp
from gradtui.ui.theme import DARK, LIGHT

if TYPE_CHECKING:
    from gradtui.experiment import Experiment
    from gradtui.ui.screens.lab import LabScreen


class GradtuiApp(FrugalApp):
    """The lab of one person at one terminal.

    Args:
        experiment: what the builder opens on; None is the default preset.
        attach: a run's folder to open, live or finished.
    """

    TITLE = "gradtui"
    BINDINGS = [
        Binding(
            "question_mark", "toggle_keys", "keys", key_display="?", tooltip="List all keys.", id="app.keys"
        ),
        Binding("q", "quit", "quit", tooltip="Leave. A training goes on to its end.", id="app.quit"),
    ]

    def __init__(self, experiment: Experiment | None = None, attach: Path | None = None) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name
        self.experiment = experiment
        self.attach = attach
        self.lab: LabScreen | None = None

    def get_default_screen(self) -> Screen[Any]:
        """The first frame; the lab follows it."""
        return OpeningScreen(self.experiment.name if self.experiment else "")

    async def action_open_lab(self) -> None:
        """Put the lab over the opening screen, and hand on the keys that were pressed meanwhile."""
        from gradtui.experiment import resolve
        from gradtui.experiment.presets import names
        from gradtui.ui.screens.lab import LabScreen

        opening = self.screen
        self.lab = LabScreen(self.experiment or resolve(names()[0]), self.attach)
        await self.push_screen(self.lab)
        if isinstance(opening, OpeningScreen):
            for key in opening.keys:
                self.simulate_key(key)

    def action_toggle_keys(self) -> None:
        """Show or hide the list of all keys."""
        if self.screen.query("HelpPanel"):
            self.action_hide_help_panel()
        else:
            self.action_show_help_panel()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Every key of the screen is also a command, so that nothing need be remembered."""
        for _, binding, enabled, tooltip in screen.active_bindings.values():
            if enabled and binding.description and not binding.system:
                action = binding.action
                yield SystemCommand(
                    binding.description.capitalize(),
                    tooltip or binding.tooltip or f"Key {self.get_key_display(binding)}",
                    lambda action=action: self.run_worker(screen.run_action(action)),
                )
        yield from super().get_system_commands(screen)


def run_app(experiment: Experiment | None = None, attach: Path | None = None) -> Path | None:
    """Open the app and return, when the person leaves, the folder of a run that still trains (or None)."""
    app = GradtuiApp(experiment, attach)
    app.run()
    if app.return_code:
        raise SystemExit(app.return_code)
    return app.lab.still_training() if app.lab else None
