"""Delay notifications while a dialog is open, show equal ones once, and of those with one title the newest."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.screen import ModalScreen

if TYPE_CHECKING:
    from textual.app import App

REPEATED_WITHIN_SECONDS = 1.0
"""The seconds within which the same text, sent twice, is one notification."""
MOST_HELD = 5
"""The most notifications that wait for a dialog to be closed."""


class Toasts:
    """Toasts decides which notifications an app shows now, and which after the open dialog."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._sent: dict[tuple[str, str], float] = {}
        self._held: list[tuple[tuple[str, str], Callable[[], None]]] = []

    def admit(self, message: str, title: str, show: Callable[[], None]) -> None:
        """Show a notification, unless the same one is on the screen; after the dialog, where one is open."""
        same, now = (title, message), time.monotonic()
        # A notification is on the screen a moment after it was sent.
        just_sent = now - self._sent.get(same, -math.inf) < REPEATED_WITHIN_SECONDS
        if just_sent or any((one.title, one.message) == same for one in self._app._notifications):
            return
        self._sent = {same: now}
        if not isinstance(self._app.screen, ModalScreen):
            self._show(title, show)
            return
        self._held = [(held, later) for held, later in self._held if not title or held[0] != title]
        if len(self._held) < MOST_HELD and all(same != held for held, _ in self._held):
            self._held.append((same, show))

    def release(self) -> None:
        """Show what waited for a dialog, if none is open any more."""
        if self._held and not isinstance(self._app.screen, ModalScreen):
            held, self._held = self._held, []
            for (title, _), show in held:
                self._show(title, show)

    def _show(self, title: str, show: Callable[[], None]) -> None:
        """Show a notification instead of the one with its title, such as that of the change before."""
        for one in [one for one in self._app._notifications if title and one.title == title]:
            self._app._unnotify(one, refresh=False)
        show()
