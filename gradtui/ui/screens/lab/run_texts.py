"""Show the texts of the run on the screen: what its trainer printed, and the note on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.screen import Screen

from gradtui.runs.errors import RunError
from gradtui.ui.screens.run_note import ask_for_note, note_on

if TYPE_CHECKING:
    from gradtui.ui.followed_run import FollowedRun
    from gradtui.ui.screens.lab.run_controls import RunControls
    from gradtui.ui.screens.lab.run_view import RunView


class RunTextActions:
    """RunTextActions are the actions of the keys for the note and the log, for a screen with one run."""

    app: App[Any]
    controls: RunControls
    view: RunView

    @property
    def followed(self) -> FollowedRun | None:
        """Return the run on the screen; None before the first."""
        return self.view.run

    def action_log(self) -> None:
        """Show the last lines that the trainer printed, or the command that the app watches."""
        show_output: Callable[[], None] | None = getattr(self.app, "show_output", None)
        if show_output is not None:
            show_output()
            return
        self.controls.show_log(self.followed)

    def action_note(self) -> None:
        """Ask for the note on the run on the screen, and write it."""
        followed, screen = self.followed, self
        if followed is None or not isinstance(screen, Screen):
            return

        def write(note: str) -> str:
            try:
                return note_on(followed.folder, note)
            except RunError as error:
                return str(error)

        def written(note: str, said: str) -> None:
            failed = not said.startswith("note ")
            if not failed:
                followed.note = note
            screen.notify(said, severity="error" if failed else "information", timeout=3, markup=False)
            screen.call_later(self.view.paint)

        def take(note: str) -> None:
            self.controls.disk.do(lambda: write(note), lambda said: written(note, said))

        ask_for_note(screen, followed.note, take)
