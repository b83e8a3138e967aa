"""Ask for a file and write runs or a study there as one page to share, as `gradtui report` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from textual.screen import Screen

from gradtui.report.share import ShareError, checked_path, share_runs, study_page, write_page
from gradtui.runs.errors import RunError
from gradtui.study.state import StudyState
from gradtui.ui.screens.dialogs import AskScreen

HINT = "a file that ends in .html or .md; an existing one is replaced\nenter write · esc back"


def ask_for_report(screen: Screen[Any], runs: Sequence[Path]) -> None:
    """Ask for a file and write the page of runs, given by their folders, in a thread; then say what was done.

    Args:
        screen: the screen over which the dialog lies, and which says what was done.
        runs: the folders of the runs; several are compared on the page.
    """
    name = f"{runs[0].name}.html" if len(runs) == 1 else "runs.html"
    _ask(screen, name, partial(share_runs, runs))


def ask_for_study_report(screen: Screen[Any], state: StudyState) -> None:
    """Ask for a file and write the page of a study as it stands now."""
    _ask(screen, f"{state.folder.name}.html", lambda path: write_page(study_page(state), path))


def _ask(screen: Screen[Any], name: str, write: Callable[[Path], None]) -> None:
    def take(text: str | None) -> None:
        if text is not None:
            screen.run_worker(lambda: _write(screen, write, text), thread=True, group="report")

    screen.app.push_screen(AskScreen("Write a report", name, HINT, checked_path), take)


def _write(screen: Screen[Any], write: Callable[[Path], None], text: str) -> None:
    call = screen.app.call_from_thread
    try:
        path = checked_path(text)
        write(path)
    except (ShareError, RunError) as error:
        call(screen.notify, str(error), severity="error", markup=False)
    else:
        call(screen.notify, f"Saved {path.absolute()}", markup=False)
