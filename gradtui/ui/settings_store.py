"""Hold an app's settings: read them when the app is created, and write them when they are changed in it."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from textual.app import App

from gradtui.ui.settings import Settings, changed, read_settings, settings_path, write_settings


class SettingsStore:
    """A SettingsStore belongs to one app; it writes in the app's threads and reports failures to its person."""

    def __init__(self, app: App[Any]) -> None:
        self.path = settings_path()
        self.settings, self.problem = read_settings(self.path)
        self._app = app
        self._unwritten: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._writing = threading.Lock()
        self._reported = False

    def change(self, **changes: Any) -> None:
        """Use other values from now on, and write them in the background.

        Raises:
            ValueError: there is no such field, or the value is not allowed.
        """
        self.settings = changed(self.settings, changes)
        self._unwritten.put(changes)
        # A home folder on a network file system may be slow.
        self._app.run_worker(self.write, thread=True, group="settings", exit_on_error=False)

    def write(self) -> None:
        """Write the pending changes; if two threads do this, the second has nothing to write."""
        with self._writing:
            changes: dict[str, Any] = {}
            with suppress(Empty):
                while True:
                    changes |= self._unwritten.get_nowait()
            if not changes:
                return
            try:
                write_settings(self.path, changes)
            except ValueError:
                self._report("is not valid TOML")
            except OSError as error:
                self._report(error.strerror or type(error).__name__)

    def _report(self, problem: str) -> None:
        # A failure is reported once: the change holds in this session, and the person may not be able to fix it.
        if not self._reported:
            self._reported = True
            self._app.notify(f"{self.path}: {problem}", title="not saved", severity="warning", markup=False)


def settings_of(app: App[Any]) -> Settings:
    """Return the settings of an app, or the defaults where the app has no store."""
    store = store_of(app)
    return store.settings if store is not None else Settings()


def store_of(app: App[Any]) -> SettingsStore | None:
    """Return the store that an app owns; None if the app keeps no settings."""
    store = getattr(app, "settings_store", None)
    return store if isinstance(store, SettingsStore) else None
