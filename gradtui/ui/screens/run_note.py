"""Ask for the note on a run, on every screen that shows one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.screen import Screen

from gradtui.runs.label import note_of, write_note

NEW_LINE = "⏎"
"""The sign for the end of a line in a note of several lines that is edited in one."""


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

    hint = "enter done · esc back · leave empty for no note"
    screen.app.push_screen(AskScreen("Note on the run", before, hint, typed_note, adds=True), typed)


def note_on(folder: Path, note: str) -> str:
    """Write the note on a run, and return one line on what was done. Raises RunError."""
    write_note(folder, note)
    return "note written" if note else "note removed"
