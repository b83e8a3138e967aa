"""A TerminalApp is a Textual app that suits its terminal, by components that it owns and hands Textual's calls to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import App
from textual.binding import Binding
from textual.filter import LineFilter
from textual.reactive import var
from textual.screen import Screen

from gradtui.ui.terminal.ascii import ascii_wanted
from gradtui.ui.terminal.backpressure import Backpressure, GoOn
from gradtui.ui.terminal.diff_renderer import DiffRenderer
from gradtui.ui.terminal.terminal_caps import TerminalCaps, name_keys

if TYPE_CHECKING:
    from rich.console import RenderableType


class TerminalApp(App[None]):
    """A TerminalApp sends only changed cells, waits for a slow terminal, and draws what the terminal can show."""

    ascii: var[bool] = var(False, init=False)
    """Draw with ASCII characters only."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.diff_renderer = DiffRenderer()
        self.backpressure = Backpressure(self)
        self.terminal_caps = TerminalCaps()

    def on_mount(self) -> None:
        """Learn when another program has the terminal for a while."""
        self.app_suspend_signal.subscribe(self, lambda _: self.backpressure.suspend(), immediate=True)
        self.app_resume_signal.subscribe(self, lambda _: self._resume(), immediate=True)

    def _resume(self) -> None:
        self.diff_renderer.forget()
        self.backpressure.resume()

    # -- what is sent

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        super()._display(screen, self.diff_renderer.reduced(self, renderable))

    def post_display_hook(self) -> None:
        """Tell the readers after each painting."""
        super().post_display_hook()
        self.backpressure.painted()

    def on_cursor_position(self, event: events.CursorPosition) -> None:
        """Take the terminal's answer."""
        self.backpressure.answered()

    def exit(self, result: None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """Leave, once the answer under way is here, or after a moment."""
        self.backpressure.finish(lambda: super(TerminalApp, self).exit(result, return_code, message))

    # -- what the terminal can show

    def fit_characters(self, charset: str, terminal: Mapping[str, str]) -> None:
        """Choose the characters by the setting `charset`, or as the terminal's environment says."""
        self.set_reactive(TerminalApp.ascii, ascii_wanted(charset, terminal))

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return Textual's filters and the app's own."""
        return self.terminal_caps.filters(self, self.ascii, super().get_line_filters())

    def get_key_display(self, binding: Binding) -> str:
        """Return how a key is shown."""
        display = super().get_key_display(binding)
        if not self.ascii:
            return display
        return self.terminal_caps.key_display(display, chosen=bool(binding.key_display))

    def name_keys(self, text: str) -> str:
        """Return a text in which keys have names, where the terminal lacks their signs."""
        return name_keys(text) if self.ascii else text

    def watch_ascii(self) -> None:
        """Paint every line of every screen again."""
        for screen in self.screen_stack:
            for widget in screen.walk_children():
                widget.refresh()
            screen.refresh()
        self.refresh_bindings()


def after_paint(app: App[Any], go_on: GoOn) -> None:
    """Call `go_on` when what is about to be painted is on the terminal; at once in an app that cannot know."""
    if isinstance(app, TerminalApp):
        app.backpressure.after_paint(go_on)
    else:
        go_on()
