"""An app that remembers between runs what was settled in it."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from textual.app import App

from gradtui.ui.settings import changed, read_settings, settings_path, write_settings


class KeepingApp(App[None]):
    """Reads the settings when it is made, and writes at once, beside its work, what is changed while it runs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.settings_file = settings_path()
        self.settings, self.settings_problem = read_settings(self.settings_file)
        self._unkept: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._writing = threading.Lock()
        self._told = False

    def keep(self, **changes: Any) -> None:
        """Let settings be so from now on. Raises ValueError on a field that there is not or a value not allowed."""
        self.settings = changed(self.settings, changes)
        self._unkept.put(changes)
        # A home on a network file system may take its time.
        self.run_worker(self._keep, thread=True, group="keep", exit_on_error=False)

    def on_unmount(self) -> None:
        """Whoever leaves at once: their last choice is kept too."""
        self._keep()

    def _keep(self) -> None:
        """Write what has gathered; of two threads, one finds nothing left."""
        with self._writing:
            changes: dict[str, Any] = {}
            with suppress(Empty):
                while True:
                    changes |= self._unkept.get_nowait()
            if not changes:
                return
            try:
                write_settings(self.settings_file, changes)
            except ValueError:
                self._tell("is no TOML")
            except OSError as error:
                self._tell(error.strerror or type(error).__name__)

    def _tell(self, problem: str) -> None:
        # Once: the choice holds in this run, and the person may not be able to help it.
        if not self._told:
            self._told = True
            self.notify(
                f"{self.settings_file}: {problem}", title="not kept", severity="warning", markup=False
            )
