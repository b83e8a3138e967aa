"""Ask for a file and write runs there as one page to share, as `gradtui report` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textual.screen import Screen

from gradtui.report.share import ShareError, checked_path, share_runs
from gradtui.runs.errors import RunError
from gradtui.ui.screens.dialogs import AskScreen

HINT = "⏎ write, in place of a file of that name   esc back   .html or .md"


def ask_for_report(screen: Screen[Any], runs: Sequence[Path]) -> None:
    """Ask for a file and write the page of runs, given by their folders, in a thread; then say what was done.

    Args:
        screen: the screen over which the dialog lies, and which says what was done.
        runs: the folders of the runs; several are compared on the page.
    """

    def take(text: str | None) -> None:
        if text is not None:
            screen.run_worker(lambda: _write(screen, runs, text), thread=True, group="report")

    name = f"{runs[0].name}.html" if len(runs) == 1 else "runs.html"
    screen.app.push_screen(AskScreen("Write a report", name, HINT, checked_path), take)


def _write(screen: Screen[Any], runs: Sequence[Path], text: str) -> None:
    call = screen.app.call_from_thread
    try:
        path = checked_path(text)
        share_runs(runs, path)
    except (ShareError, RunError) as error:
        call(screen.notify, str(error), severity="error", markup=False)
    else:
        call(screen.notify, f"wrote {path.absolute()}", markup=False)
