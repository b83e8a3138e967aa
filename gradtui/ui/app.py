"""Define the application: it owns the themes, opens the lab, and fills the command palette."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.screen import Screen
from textual.theme import Theme

from gradtui.ui.app_lessons import Lessons
from gradtui.ui.chart_imports import import_charts
from gradtui.ui.chosen_keys import keymap_of, without_key
from gradtui.ui.disk_work import leave
from gradtui.ui.keys import LAB_KEYS
from gradtui.ui.screens.opening import OpeningScreen
from gradtui.ui.settings_store import SettingsStore
from gradtui.ui.terminal.daemon_threads import DaemonThreads
from gradtui.ui.terminal.terminal_app import TerminalApp
from gradtui.ui.theme import ANSI_DARK, ANSI_LIGHT, DARK, LIGHT, fitting_theme, readable

if TYPE_CHECKING:
    from textual.command import Provider

    from gradtui.experiment import Experiment
    from gradtui.ui.screens.lab.lab_screen import LabScreen

MAX_THREADS = 32
"""The most threads; each is only made when it is needed."""


def _things() -> type[Provider]:
    """Return what finds presets, studies and themes; it is imported with the palette."""
    from gradtui.ui.command_palette import NameProvider

    return NameProvider


class GradtuiApp(TerminalApp):
    """A GradtuiApp is the lab of one person at one terminal.

    Args:
        experiment: what the builder opens on; None is the default preset.
        attach: the folder of a run to open, live or finished.
        terminal: the environment variables that say what the terminal can show; None, as for pictures, is everything.
        lesson: the lesson to begin with: its name, its number or its file; "" is the list of lessons.
    """

    TITLE = "gradtui"
    COMMANDS = App.COMMANDS | {_things}
    ALLOW_IN_MAXIMIZED_VIEW = "KeyLine"
    BINDINGS = [
        # This key works in dialogs too; in a text field it types its character.
        Binding(
            "question_mark",
            "toggle_keys",
            "keys",
            key_display="?",
            tooltip="List all keys of this screen.",
            id="app.keys",
            priority=True,
        ),
        Binding(
            "q", "quit", "quit", tooltip="Leave the app. A training continues to its end.", id="app.quit"
        ),
    ]

    def __init__(
        self,
        experiment: Experiment | None = None,
        attach: Path | None = None,
        terminal: Mapping[str, str] | None = None,
        lesson: str | None = None,
    ) -> None:
        super().__init__()
        self.settings_store = SettingsStore(self)
        for theme in (DARK, LIGHT, ANSI_DARK, ANSI_LIGHT):
            self.register_theme(theme)
        # Themes of true colours would become greys with NO_COLOR, which are colours too.
        colours = None if self.no_color else self.console.color_system
        fitting = DARK.name if terminal is None else fitting_theme(colours, terminal)
        self.theme = self._settled_theme() or fitting
        self._theme_seen = self.theme
        self.fit_characters(self.settings_store.settings.charset, terminal or {})
        self._settle_keys()
        self.experiment = experiment
        self.attach = attach
        self.lab: LabScreen | None = None
        self._opening: OpeningScreen | None = None
        """The first screen, which is shown until the lab covers it."""
        self.lessons = Lessons(self, lambda: self.lab, lesson)

    def on_load(self) -> None:
        """Provide a thread for each reader that a screen may need.

        asyncio's default has only four threads more than there are cores, and a run that is followed needs one as long
        as it is on the screen.
        """
        self.ending.started()
        asyncio.get_running_loop().set_default_executor(DaemonThreads(MAX_THREADS))

    def get_theme(self, theme_name: str) -> Theme | None:
        """Return a theme by its name, with colours in which letters can be read."""
        theme = super().get_theme(theme_name)
        return readable(theme) if theme is not None else None

    def _settled_theme(self) -> str:
        store = self.settings_store
        theme = store.settings.theme
        if theme and theme not in self.available_themes:
            store.problem = f'{store.path}: theme: no theme is called "{theme}"'
            return ""
        return theme

    def _settle_keys(self) -> None:
        store = self.settings_store
        keys, bindings = store.settings.keys, [*LAB_KEYS, *self.BINDINGS]
        self.set_keymap(keymap_of(keys, bindings))
        lost = without_key(keys, bindings)
        if lost and not store.problem:
            store.problem = f"{store.path}: keys: no key is left for {', '.join(lost)}"

    def get_default_screen(self) -> Screen[Any]:
        """Return the screen of the first frame; the lab follows it."""
        return OpeningScreen(self.experiment.name if self.experiment else "")

    async def on_event(self, event: events.Event) -> None:
        """Remember the keys that are pressed after the lab covers the opening screen and before its panes exist."""
        if self._opening is not None and isinstance(event, events.Key):
            self._opening.keys.append(event.key)
            return
        await super().on_event(event)

    async def action_open_lab(self) -> None:
        """Put the lab over the opening screen, and pass on the keys that were pressed meanwhile."""
        from gradtui.experiment import resolve
        from gradtui.experiment.presets import names
        from gradtui.ui.screens.lab.lab_screen import LabScreen

        opening = self.screen
        self._opening = opening if isinstance(opening, OpeningScreen) else None
        self.lab = LabScreen(self.experiment or resolve(names()[0]), self.attach)
        await self.push_screen(self.lab)
        self._opening = None
        if self.settings_store.problem:
            self.notify(self.settings_store.problem, severity="warning", timeout=10, markup=False)
        if isinstance(opening, OpeningScreen):
            for key in opening.keys:
                self.simulate_key(key)
        await self.lessons.begin_with_lab()

    # -- the settings

    def on_unmount(self) -> None:
        """Write the last change of the settings, in case the person leaves right after it."""
        leave(self.settings_store.write)

    def watch_theme(self, theme: str) -> None:
        """Save a theme that the person chose, but not the default for the terminal."""
        if self.is_running and theme != self._theme_seen:
            self._theme_seen = theme
            self.settings_store.change(theme=theme)

    def action_toggle_ascii(self) -> None:
        """Draw with ASCII only, or with all characters again."""
        self.ascii = not self.ascii
        self.settings_store.change(charset="ascii" if self.ascii else "unicode")

    # -- the lessons

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether an action of the app has an effect; those of a lesson have one only during a lesson."""
        return self.lessons.allows(str(parameters[0])) if action == "lesson" else True

    def action_learn(self) -> None:
        """Show the list of lessons."""
        self.lessons.choose()

    def action_lesson(self, what: str) -> None:
        """Answer the question of a lesson, show its hint, or go to another step."""
        self.lessons.do(what)

    # -- the list of keys and the command palette

    def action_toggle_keys(self) -> None:
        """Show or hide the list of all keys."""
        from gradtui.ui.screens.help import KeysScreen

        if isinstance(self.screen, KeysScreen):
            self.screen.dismiss()
        elif isinstance(self.screen, OpeningScreen):
            self.screen.keys.append("question_mark")
        else:
            self.push_screen(KeysScreen(self.screen, self.name_keys))

    def action_command_palette(self) -> None:
        """Show the command palette, after the lab if that is not there yet."""
        if isinstance(self.screen, OpeningScreen):
            self.screen.keys.append("ctrl+p")
        else:
            super().action_command_palette()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Offer every key of the screen as a command too, so that none need be remembered.

        Textual's own commands are left out where there is a key for the same.
        """
        from gradtui.ui.command_palette import action_commands

        yield from action_commands(self, screen)
        yield SystemCommand("Theme", "Choose other colours. The choice is saved.", self.action_change_theme)
        if self.ascii:
            yield SystemCommand("Characters: Unicode", "Draw with all characters.", self.action_toggle_ascii)
        else:
            help_text = "Draw with ASCII only, for terminals that show nothing else."
            yield SystemCommand("Characters: ASCII only", help_text, self.action_toggle_ascii)
        # Save it a moment later, so that the palette is not on the picture.
        help_text = "Save the screen as an SVG picture in this folder."
        yield SystemCommand("Screenshot", help_text, lambda: self.set_timer(0.1, self.action_picture))

    def action_picture(self) -> None:
        """Save the screen as SVG."""
        try:
            path = self.save_screenshot()
        except OSError as error:
            self.notify(f"{error.filename}: {error.strerror}", severity="error", markup=False)
        else:
            self.notify(f"Saved {Path(path)}", markup=False)


def quicken() -> None:
    """Make this process answer keys quickly, even while it does other work.

    The garbage collector would traverse the 130,000 objects of the imports every few seconds, for 40 to 130 ms each
    time, so the lab excludes them from collection when it has opened. Also, threads switch after half a millisecond
    instead of five.
    """
    gc.disable()
    sys.setswitchinterval(0.0005)


def _import_lab() -> None:
    from gradtui.ui.screens.lab import lab_screen  # noqa: F401

    import_charts()


class AppExit(NamedTuple):
    """An AppExit says how the person or a signal ended the app."""

    code: int
    """The exit code: 1 after a crash, 128 and the signal's number after a signal."""
    training: Path | None
    """The folder of a run that still trains."""


def run_app(
    experiment: Experiment | None = None, attach: Path | None = None, lesson: str | None = None
) -> AppExit:
    """Run the app until the person leaves it."""
    if attach is not None:
        # To show the run soon, the modules that draw it are imported during the first frame, not after it.
        threading.Thread(target=_import_lab, daemon=True).start()
    return run(GradtuiApp(experiment, attach, os.environ, lesson))


def run(app: GradtuiApp) -> AppExit:
    """Run an app that was made until the person leaves it."""
    if isinstance(sys.__stderr__, io.TextIOWrapper):
        # Textual writes Unicode to stderr, whichever encoding Python has chosen by the locale.
        sys.__stderr__.reconfigure(encoding="utf-8", errors="backslashreplace")
    quicken()
    with app.ending.watching():
        app.run()
        training = app.lab.comparison.still_training() if app.lab else None
    app.ending.say()
    return AppExit(app.return_code or 0, training)
