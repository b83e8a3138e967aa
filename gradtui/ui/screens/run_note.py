"""Ask for the note on a run, on every screen that shows one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from gradtui.runs.errors import RunError
from gradtui.runs.label import note_of, write_note

if TYPE_CHECKING:
    from gradtui.ui.followed_run import FollowedRun
    from gradtui.ui.screens.lab.run_controls import RunControls
    from gradtui.ui.screens.lab.run_view import RunView

NEW_LINE = "⏎"
"""Stands for the end of a line, where a note of several lines is edited in one."""


def on_one_line(note: str) -> str:
    """Return a note in one line, with a sign for each end of a line."""
    return f" {NEW_LINE} ".join(note.splitlines())


def typed_note(text: str) -> str:
    """Return the note that was typed on one line. Raises RunError if it is too long."""
    return note_of("\n".join(line.strip() for line in text.split(NEW_LINE)))


def ask_for_note(screen: Screen[Any], note: str, take: Callable[[str], object]) -> None:
    """Ask for a note over a screen. take: called with the note, unless the person has gone back or changed nothing."""
    from gradtui.ui.screens.dialogs import AskScreen

    before = on_one_line(note)

    def typed(text: str | None) -> None:
        if text is not None and text != before:
            take(typed_note(text))

    hint = "⏎ done   esc back   leave empty for no note"
    screen.app.push_screen(AskScreen("Note on the run", before, hint, typed_note, adds=True), typed)


def note_on(folder: Path, note: str) -> str:
    """Write the note on a run, and return one line on what was done. Raises RunError."""
    write_note(folder, note)
    return "note written" if note else "note removed"


class RunTextActions:
    """RunTextActions are the actions of the keys for the note and the log, for a screen with one run."""

    controls: RunControls
    view: RunView

    @property
    def followed(self) -> FollowedRun | None:
        """Return the run on the screen; None before the first."""
        return self.view.run

    def action_log(self) -> None:
        """Show the last lines that the trainer printed."""
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
