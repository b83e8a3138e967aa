"""Adapt a Textual app to its terminal, by components to which it passes Textual's calls."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from textual import events
from textual._context import active_message_pump
from textual.actions import ActionParseResult
from textual.app import App, ScreenStackError
from textual.await_complete import AwaitComplete
from textual.binding import Binding
from textual.css.query import NoMatches
from textual.dom import DOMNode, NoScreen
from textual.driver import Driver
from textual.errors import NoWidget
from textual.filter import LineFilter
from textual.geometry import Size
from textual.message_pump import MessagePump
from textual.notifications import SeverityLevel
from textual.reactive import var
from textual.screen import Screen
from textual.widget import AwaitMount, MountError, Widget
from textual.worker import WorkerFailed

from gradtui.ascii_text import ascii_wanted
from gradtui.ui.crash_report import RecentEvents, place_of, write_report
from gradtui.ui.terminal import dirty_compositor, lazy_strips
from gradtui.ui.terminal.backpressure import Backpressure, Continue
from gradtui.ui.terminal.diff_renderer import DiffRenderer
from gradtui.ui.terminal.driver import TerminalDriver
from gradtui.ui.terminal.ending import HURRY_SECONDS, QUIT_SECONDS, Ending
from gradtui.ui.terminal.key_queue import KeyHandled, KeyQueue
from gradtui.ui.terminal.terminal_caps import TerminalCaps, name_keys, name_signs
from gradtui.ui.terminal.toasts import Toasts

if TYPE_CHECKING:
    from rich.console import RenderableType


PARTS_ARE_GONE = (NoMatches, MountError, NoScreen, ScreenStackError, asyncio.InvalidStateError)
"""The errors of a handler whose app, screen or widget is closed while it waits."""


class TerminalApp(App[None]):
    """A TerminalApp sends only changed cells, waits for a slow terminal, draws what the terminal can show, and leaves
    it as it was."""

    BINDINGS = [
        Binding(
            "ctrl+z",
            "suspend_process",
            "to the shell",
            show=False,
            priority=True,
            tooltip="Suspend the app and go to the shell; fg returns.",
            id="app.suspend",
        )
    ]

    # Toasts are under the headline of the charts, where they cover neither it nor the keys nor the list of a dialog.
    CSS = """
    ToastRack { dock: top; align: right top; margin: 4 0 0 0; }
    Toast { padding: 0 1; width: auto; max-width: 50%; }
    Input > .input--placeholder { color: $secondary; text-style: none; }
    """

    ascii: var[bool] = var(False, init=False)
    """Draw with ASCII characters only."""

    def __init__(self, **options: Any) -> None:
        dirty_compositor.install()
        lazy_strips.install()
        super().__init__(**options)
        self.diff_renderer = DiffRenderer()
        self.backpressure = Backpressure(self)
        self.terminal_caps = TerminalCaps()
        self.ending = Ending(self)
        self._recent = RecentEvents()
        self.toasts = Toasts(self)
        self._keys = KeyQueue(self, super().on_event)

    def watch_app_focus(self, focus: bool) -> None:
        """Give the focus on a screen that was opened while another window had it.

        Textual does not, so that a list that `gradtui learn` opens would take no key.
        """
        screen = self.screen
        wanted = self.AUTO_FOCUS if screen.AUTO_FOCUS is None else screen.AUTO_FOCUS
        if focus and wanted and screen.focused is None:
            # The order matters: where Textual gave the focus back, nothing is left to do.
            screen.set_focus(next((widget for widget in screen.query(wanted) if widget.focusable), None))

    def alert(self, text: str) -> None:
        """Ring the terminal's bell, and send it one line to show as a notification, as terminals do for OSC 9."""
        self.bell()
        if self._driver is not None:
            line = "".join(sign for sign in text if sign.isprintable())
            self._driver.write(f"\x1b]9;{line}\x07")

    def get_driver_class(self) -> type[Driver]:
        """Return the driver of a terminal, unless the environment names another."""
        driver = super().get_driver_class()
        return TerminalDriver if issubclass(TerminalDriver, driver) else driver

    def on_mount(self) -> None:
        """Subscribe to the signals that another program gets the terminal or has returned it."""
        self.app_suspend_signal.subscribe(self, lambda _: self.backpressure.suspend(), immediate=True)
        self.app_resume_signal.subscribe(self, lambda _: self._resume(), immediate=True)

    def _resume(self) -> None:
        self.diff_renderer.forget()
        self.backpressure.resume()

    # -- what is sent

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        driver = self._driver
        with driver.together() if isinstance(driver, TerminalDriver) else nullcontext():
            super()._display(screen, self.diff_renderer.reduced(self, renderable))

    def post_display_hook(self) -> None:
        """Tell the readers after each painting."""
        super().post_display_hook()
        self.backpressure.painted()

    def on_cursor_position(self, event: events.CursorPosition) -> None:
        """Take the terminal's answer."""
        self.backpressure.answered()

    def exit(self, result: None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """Leave, once the answer that is due is here, or after a moment."""
        self.ending.begin(return_code, QUIT_SECONDS)
        self.backpressure.finish(lambda: super(TerminalApp, self).exit(result, return_code, message))

    # -- the terminal given away, and left

    def hung_up(self) -> None:
        """Leave, because the terminal is gone."""
        self.ending.hung_up()

    def action_suspend_process(self) -> None:
        """Give the terminal to the shell until `fg`; without a shell, say that nothing could continue the app."""
        if self._driver is None or not self._driver.can_suspend:
            return
        if not can_be_continued():
            self.notify("There is no shell to go to.", timeout=3)
            return
        self._suspend_signal()
        # The signal goes to all processes of this shell command, since the shell waits for the first one to stop.
        os.kill(0, signal.SIGTSTP)

    async def on_event(self, event: events.Event) -> None:
        """Remember the last events, for a report of a crash, and handle keys one after the other."""
        if isinstance(event, events.InputEvent) and self._exit:
            # The screens are being closed, and nothing is left that could take it.
            return
        self._recent.note(self, event)
        # A forwarded key has passed through the widgets and is back.
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            await self._keys.take(event)
        elif not isinstance(event, events.MouseDown) or self._still_shows(event):
            await super().on_event(event)

    def _still_shows(self, event: events.MouseDown) -> bool:
        """Return whether what was clicked still exists; Textual fails on a widget that is removed but not yet gone."""
        try:
            return self.get_widget_at(event.x, event.y)[0].is_attached
        except NoWidget:
            return True

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Do what a key says, but nothing where its screen is left already, or came while the key was on its way."""
        if isinstance(default_namespace, Widget) and not (
            default_namespace.is_attached and default_namespace.screen.is_mounted
        ):
            return True
        return await super().run_action(action, default_namespace, namespaces)

    def on_key_handled(self, message: KeyHandled) -> None:
        """Say that a key has passed through all widgets."""
        message.arrived.set()

    def _handle_exception(self, error: Exception) -> None:
        cause = error.error if isinstance(error, WorkerFailed) else error
        if isinstance(cause, PARTS_ARE_GONE) and self._is_leaving(cause):
            return
        if self._exception is None:
            self.ending.last_words = f"gradtui crashed: {place_of(cause)}; a report could not be written"
            self.ending.begin(1, HURRY_SECONDS)
            path = write_report(cause, self._recent)
            if path is not None:
                self.ending.last_words = (
                    f"gradtui crashed; trainings continue. A report without your data: {path}"
                )
        super()._handle_exception(error)

    def _is_leaving(self, error: BaseException) -> bool:
        """Return whether the app, the widget that handles the present message, or one that failed is being left.

        Its parts may be gone or were never created, so that a handler may not find them.
        """
        if self._exit or self._closing:
            return True
        failed = (frame.f_locals.get("self") for frame, _ in walk_tb(error.__traceback__))
        nodes = (active_message_pump.get(self), *failed)
        return any(_is_left(node) for node in nodes if isinstance(node, MessagePump))

    def _fatal_error(self) -> None:
        # Textual would print the traceback with all local variables, which takes minutes and shows the person's data.
        self._close_messages_no_wait()

    def panic(self, *renderables: RenderableType) -> None:
        """End without a picture of the error; the report has it."""
        self._close_messages_no_wait()

    # -- notifications

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Show a notification at the top right; each once, and none over a dialog."""
        show = partial(
            super().notify, message, title=title, severity=severity, timeout=timeout, markup=markup
        )
        self.toasts.admit(message, title, show)

    # -- screens

    def _get_screen(self, screen: Screen[Any] | str) -> tuple[Screen[Any], AwaitMount]:
        if isinstance(screen, Screen) and not screen.is_running:
            set_breakpoints(screen, self.size)
        return super()._get_screen(screen)

    def _check_resize(self) -> None:
        if self._resize_event is not None:
            for screen in self.screen_stack:
                set_breakpoints(screen, self._resize_event.size)
        super()._check_resize()

    def pop_screen(self) -> AwaitComplete:
        """Leave a screen, and show what waited for it to close."""
        popped = super().pop_screen()
        self.call_later(self.toasts.release)
        return popped

    # -- what the terminal can show

    def fit_characters(self, charset: str, terminal: Mapping[str, str]) -> None:
        """Choose the characters by the setting `charset`, or as the terminal's environment says; and the colours."""
        self.terminal_caps.eight_bit = bool(terminal) and self.console.color_system == "256"
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
        """Return a help text in which keys have names, and charts their own signs, where the terminal has ASCII."""
        return name_signs(name_keys(text)) if self.ascii else text

    def watch_ascii(self) -> None:
        """Paint every line of every screen again."""
        for screen in self.screen_stack:
            for widget in screen.walk_children(Widget):
                widget.notify_style_update()
                widget.refresh()
            screen.refresh()
        self.refresh_bindings()


def _is_left(node: MessagePump) -> bool:
    return node._closing or getattr(node, "_pruning", False)


def set_breakpoints(screen: Screen[Any], size: Size) -> None:
    """Give a screen the classes of the terminal's size before it is laid out.

    Textual sets them after it: the screen would first be painted in the layout of another size, and its widgets would
    fit their texts to that.
    """
    classes: dict[str, bool] = {}
    for extent, breakpoints in (
        (size.width, screen.HORIZONTAL_BREAKPOINTS or []),
        (size.height, screen.VERTICAL_BREAKPOINTS or []),
    ):
        classes |= dict.fromkeys((name for _, name in breakpoints), False)
        classes |= dict.fromkeys(screen._get_breakpoint_classes(extent, breakpoints), True)
    screen.update_classes(classes, update=screen.is_running, animate=False)


def after_paint(app: App[Any], go_on: Continue) -> None:
    """Call `go_on` when what is about to be painted is on the terminal; at once in an app that cannot know."""
    if isinstance(app, TerminalApp):
        app.backpressure.after_paint(go_on)
    else:
        go_on()


def named_keys(app: App[Any], text: str) -> str:
    """Return a text with names for keys, where the terminal of an app lacks their signs."""
    return app.name_keys(text) if isinstance(app, TerminalApp) else text


def can_be_continued() -> bool:
    """Return whether a process of the same session has started this process's group, as a shell does.

    A process that no shell could continue must not stop itself: the command of a tmux pane or of a container, for one.
    """
    group, parent = os.getpgrp(), os.getppid()
    # A wrapper such as `uv run` is of the same group; the shell is above it.
    while parent > 1 and _group_of(parent) == group:
        parent = _parent_of(parent)
    if parent <= 1:
        return False
    try:
        return os.getsid(parent) == os.getsid(0)
    except OSError:
        return False


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return -1


def _parent_of(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        # Without /proc a wrapper is not looked through.
        return 0
    # The name of the command, in brackets, may hold anything.
    return int(stat.rpartition(")")[2].split()[1])
