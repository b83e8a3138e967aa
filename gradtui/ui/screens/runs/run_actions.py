"""Carry out what the keys of the list of runs ask for: compare, name, tag, delete, bring back, stop."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from textual.screen import Screen

from gradtui.runs import trash
from gradtui.runs.control import send
from gradtui.runs.errors import RunError
from gradtui.runs.label import name_of, read_label, retagged, tags_of, write_label
from gradtui.runs.run_groups import RunGroup, StudyRow, common_name, siblings
from gradtui.runs.run_info import RunInfo
from gradtui.ui.screens.dialogs import AskScreen
from gradtui.ui.screens.run_note import ask_for_note, note_on
from gradtui.ui.screens.runs.run_list import RunList, members_of
from gradtui.words import several

MAX_COMPARED = 8
MAX_FOLLOWED = 32
"""The most runs of all groups that are shown together."""


class RunActions:
    """RunActions asks for what an action needs, and then changes the chosen runs of a list in a thread.

    Args:
        screen: the screen that shows the list; dialogs lie over it, and it says what was done.
        root: the folder of the runs.
        runs: the list, with the cursor and the marks.
        changed: called, in any thread, when files have changed.
    """

    def __init__(self, screen: Screen[Any], root: Path, runs: RunList, changed: Callable[[], object]) -> None:
        self._screen = screen
        self._root = root
        self._runs = runs
        self._changed = changed
        self.deleted = False
        """Whether the last change of the person was a deletion, which a key takes back."""

    def copy_path(self) -> None:
        """Copy the folder of the run under the cursor to the clipboard."""
        if self._runs.here is not None:
            self._screen.app.copy_to_clipboard(str(self._runs.here.run))
            self._screen.notify("The run's path is copied.", timeout=2)

    def compare(self, opened: Callable[[Path | None], None]) -> None:
        """Compare the marked runs and groups; if only one is marked, compare it with the one under the cursor.

        opened: called with the folder of a run that is opened there, or None.
        """
        rows, here = self._runs.chosen_rows, self._runs.here
        if here is not None and len(rows) < 2 and here.run not in {row.run for row in rows}:
            rows.append(here)
        if not 2 <= len(rows) <= MAX_COMPARED:
            marked = self._runs.marked_count
            message = (
                f"Mark 2 to {MAX_COMPARED} runs with space; {marked} {'is' if marked == 1 else 'are'} marked"
            )
            self._screen.notify(message, severity="warning")
            return
        self.show(rows, opened)

    def show(self, rows: Sequence[RunInfo], opened: Callable[[Path | None], None]) -> None:
        """Show runs and groups together, or one group alone; opened: as for `compare`."""
        from gradtui.ui.screens.compare.compare_screen import CompareScreen

        if sum(len(members_of(row)) for row in rows) > MAX_FOLLOWED:
            message = f"{MAX_FOLLOWED} runs can be shown at once; hide some of the group with a filter"
            self._screen.notify(message, severity="warning")
            return
        folders = [[run.run for run in members_of(row)] for row in rows]
        names = {at: row.name for at, row in enumerate(rows) if isinstance(row, RunGroup)}
        self._screen.app.push_screen(CompareScreen(folders, names), opened)

    def group(self) -> None:
        """Ask for the name of a group of the chosen runs; without marks, of those that differ only in their seed."""
        runs = self._runs.chosen
        if len(runs) < 2 and self._runs.here is not None:
            runs = siblings(self._runs.here, self._runs.runs)
        if len(runs) < 2:
            message = (
                "Mark the runs of a group with space: no other run differs from this one only in its seed"
            )
            self._screen.notify(message, severity="warning")
            return

        def take(text: str | None) -> None:
            if text is not None:
                self._do(partial(group_runs, runs, name_of(text)))

        hint = "enter shows them as one · esc back · leave empty to show each alone"
        title = f"Name of the group of {_count(runs)}"
        self._screen.app.push_screen(AskScreen(title, common_name(runs), hint, name_of), take)

    def report(self) -> None:
        """Write the chosen runs as one page to share."""
        from gradtui.ui.screens.report_dialog import ask_for_report

        if self._runs.chosen:
            ask_for_report(self._screen, [run.run for run in self._runs.chosen])

    def rename(self) -> None:
        """Ask for a name for the run under the cursor."""
        run = self._runs.here
        if run is None or self._of_study(run, "a name"):
            return
        if isinstance(run, RunGroup):
            self.group()
            return

        def take(text: str | None) -> None:
            if text is not None:
                self._do(partial(rename_run, run, name_of(text)))

        hint = "enter rename · esc back · leave empty to restore the name"
        self._screen.app.push_screen(AskScreen("Name of the run", run.name, hint, name_of), take)

    def _of_study(self, row: RunInfo, what: str) -> bool:
        if isinstance(row, StudyRow):
            self._screen.notify(
                f"{what} belongs to one run; enter shows the runs of the study", severity="warning"
            )
        return isinstance(row, StudyRow)

    def note(self) -> None:
        """Ask for the note on the run under the cursor."""
        run = self._runs.here
        if isinstance(run, RunGroup):
            self._screen.notify(
                "a note belongs to one run; filter by its name to see it alone", severity="warning"
            )
        elif run is not None and not self._of_study(run, "a note"):
            ask_for_note(self._screen, run.note, lambda note: self._do(partial(note_on, run.run, note)))

    def tag(self) -> None:
        """Ask for the tags of the chosen runs: those that all of them have can be deleted there."""
        runs = self._runs.chosen
        if not runs:
            return
        common = set(runs[0].label.tags).intersection(*(run.label.tags for run in runs))
        value = " ".join(tag for tag in runs[0].label.tags if tag in common)

        def take(text: str | None) -> None:
            if text is not None:
                self._do(partial(tag_runs, runs, common, tags_of(text)))

        hint = "separate with spaces · enter done · esc back"
        if len(runs) > 1:
            hint += "   other tags are kept"
        title = f"Tags of {_count(runs)}"
        self._screen.app.push_screen(
            AskScreen(title, value + " " if value else "", hint, tags_of, adds=True), take
        )

    def delete(self) -> None:
        """Delete the chosen runs; a key brings them back."""
        runs = self._runs.chosen
        live = [run for run in runs if run.status.live]
        if live:
            message = f"{live[0].name} is still training: x stops it first"
            self._screen.notify(message, severity="warning", markup=False)
        elif runs:
            self._do(partial(delete_runs, runs), deletes=True)

    def undelete(self) -> None:
        """Restore what was deleted last."""
        # The message of the deletion, which says that u restores, would be untrue from now on.
        self._screen.app.clear_notifications()
        self._do(partial(undelete_runs, self._root))

    def stop(self) -> None:
        """End the training of the chosen runs."""
        self._do(partial(stop_runs, self._runs.chosen))

    def _do(self, change: Callable[[], str], *, deletes: bool = False) -> None:
        """Change files in a thread, show what was done, and have the folder read again."""

        def do() -> None:
            call, notify = self._screen.app.call_from_thread, self._screen.notify
            try:
                message = change()
            except RunError as error:
                call(notify, str(error), severity="error", markup=False)
            else:
                self.deleted = deletes
                call(notify, message, timeout=3, markup=False)
            self._changed()

        self._screen.run_worker(do, thread=True, group="change")


# The functions below read and write files. Each returns one line on what it did, or raises RunError with one line.


def rename_run(run: RunInfo, name: str) -> str:
    """Give a run another name; an empty name restores its own."""
    write_label(run.run, msgspec.structs.replace(read_label(run.run), name=name))
    return f"renamed to {name}" if name else "original name restored"


def tag_runs(runs: Sequence[RunInfo], before: Collection[str], after: Collection[str]) -> str:
    """Change the tags of runs: tags only in `before` are removed from all of them, tags only in `after` added."""
    add, remove = set(after) - set(before), set(before) - set(after)
    for run in runs:
        label = read_label(run.run)
        other = retagged(label, add, remove)
        if other != label:
            write_label(run.run, other)
    message = [f"+{name}" for name in sorted(add)] + [f"−{name}" for name in sorted(remove)]
    return f"{_count(runs)}: {' '.join(message) or 'no other tags'}"


def group_runs(runs: Sequence[RunInfo], name: str) -> str:
    """Put runs into a group; an empty name takes them out of theirs."""
    for run in runs:
        write_label(run.run, msgspec.structs.replace(read_label(run.run), group=name))
    return f"{_count(runs)} grouped as {name}" if name else f"{_count(runs)} no longer grouped"


def delete_runs(runs: Sequence[RunInfo]) -> str:
    """Move runs into the trash, from which they come back together."""
    trash.delete([run.run for run in runs])
    return f"{_count(runs)} deleted · u restores (kept for a week)"


def undelete_runs(root: Path) -> str:
    """Restore what was deleted last."""
    back = trash.undelete(root)
    return f"{_count(back)} restored" if back else "nothing was deleted in the last week"


def stop_runs(runs: Sequence[RunInfo]) -> str:
    """Ask the trainers of the runs that still train to stop."""
    live = [run for run in runs if run.status.live]
    for run in live:
        send(run.run, "stop")
    return f"stopping {_count(live)}" if live else "nothing to stop: it is not training"


def _count(runs: Sequence[object]) -> str:
    return several(len(runs), "run")
