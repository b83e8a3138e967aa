"""What the keys of the list of runs do to runs: compare, name, tag, delete, bring back, stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

import msgspec
from textual import work
from textual.screen import Screen

from gradtui.runs import trash
from gradtui.runs.control import send
from gradtui.runs.errors import RunError
from gradtui.runs.label import name_of, read_label, retagged, tags_of, write_label
from gradtui.runs.library import RunInfo
from gradtui.ui.screens.dialogs import AskScreen
from gradtui.ui.screens.runs.run_columns import columns
from gradtui.ui.screens.runs.run_list import Listing

MOST_COMPARED = 8


class Doing(Screen[Path | None]):
    """A screen with a list of runs.

    Args:
        root: the folder of the runs.
    """

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root
        self.listing = Listing(columns())
        self.wake = threading.Event()
        """Set where the folder should be looked at at once."""

    def action_copy(self) -> None:
        """The run's folder on the clipboard."""
        if self.listing.here is not None:
            self.app.copy_to_clipboard(str(self.listing.here.run))
            self.notify("copied the run's path", timeout=2)

    def action_compare(self) -> None:
        """The marked ones over each other; this one too where only one is marked."""
        runs, here = self.listing.chosen, self.listing.here
        if here is not None and len(runs) < 2 and here not in runs:
            runs.append(here)
        if not 2 <= len(runs) <= MOST_COMPARED:
            said = f"mark 2 to {MOST_COMPARED} runs with space; {len(self.listing.marked)} are marked"
            self.notify(said, severity="warning")
            return
        from gradtui.ui.screens.compare.compare_screen import CompareScreen

        def take(folder: Path | None) -> None:
            if folder is not None:
                self.dismiss(folder)

        self.app.push_screen(CompareScreen([run.run for run in runs]), take)

    def action_rename(self) -> None:
        """Ask what to call the run under the cursor."""
        run = self.listing.here
        if run is None:
            return

        def take(text: str | None) -> None:
            if text is not None:
                self.do(partial(rename, run, name_of(text)))

        hint = "⏎ take   esc back   empty: its own name again"
        self.app.push_screen(AskScreen("Name of the run", run.name, hint, name_of), take)

    def action_tag(self) -> None:
        """Ask for the tags of the chosen runs: those that all of them have can be typed away."""
        runs = self.listing.chosen
        if not runs:
            return
        common = set(runs[0].label.tags).intersection(*(run.label.tags for run in runs))
        value = " ".join(tag for tag in runs[0].label.tags if tag in common)

        def take(text: str | None) -> None:
            if text is not None:
                self.do(partial(tag, runs, common, tags_of(text)))

        title = f"Tags of {several(len(runs))}"
        hint = "words between blanks   ⏎ take   esc back" + (
            "" if len(runs) == 1 else "   others of each stay"
        )
        self.app.push_screen(AskScreen(title, value + " " if value else "", hint, tags_of), take)

    def action_delete(self) -> None:
        """Delete the chosen runs; a key brings them back."""
        runs = self.listing.chosen
        live = [run for run in runs if run.status.live]
        if live:
            self.notify(
                f"{live[0].name} is still training: x stops it first", severity="warning", markup=False
            )
        elif runs:
            self.do(partial(delete, runs))

    def action_undelete(self) -> None:
        """Bring back what was deleted last."""
        self.do(partial(undelete, self.root))

    def action_stop(self) -> None:
        """End the training of the chosen runs."""
        self.do(partial(stop, self.listing.chosen))

    @work(thread=True, group="deeds")
    def do(self, deed: Callable[[], str]) -> None:
        """Do something to files, say what it was, and look again."""
        try:
            said = deed()
        except RunError as error:
            self.app.call_from_thread(self.notify, str(error), severity="error", markup=False)
        else:
            self.app.call_from_thread(self.notify, said, timeout=3, markup=False)
        self.wake.set()


def rename(run: RunInfo, name: str) -> str:
    """Call a run something else; nothing gives it its own name back."""
    write_label(run.run, msgspec.structs.replace(read_label(run.run), name=name))
    return f"called {name}" if name else "called by its own name again"


def tag(runs: Sequence[RunInfo], before: Collection[str], after: Collection[str]) -> str:
    """Give runs other tags: what was typed away goes from all of them, what was typed in comes to all."""
    add, remove = set(after) - set(before), set(before) - set(after)
    for run in runs:
        label = read_label(run.run)
        other = retagged(label, add, remove)
        if other != label:
            write_label(run.run, other)
    said = [f"+{name}" for name in sorted(add)] + [f"−{name}" for name in sorted(remove)]
    return f"{several(len(runs))}: {' '.join(said) or 'no other tags'}"


def delete(runs: Sequence[RunInfo]) -> str:
    """Into the trash, from which they come back together."""
    trash.delete([run.run for run in runs])
    return f"{several(len(runs))} deleted · u brings back what was deleted, for a week"


def undelete(root: Path) -> str:
    """Bring back what was deleted last."""
    back = trash.undelete(root)
    return f"{several(len(back))} brought back" if back else "nothing was deleted within a week"


def stop(runs: Sequence[RunInfo]) -> str:
    """Ask trainers to end."""
    live = [run for run in runs if run.status.live]
    for run in live:
        send(run.run, "stop")
    return f"stopping {several(len(live))}" if live else "nothing to stop: no trainer is at it"


def several(count: int) -> str:
    """A count of runs in words."""
    return "1 run" if count == 1 else f"{count:,} runs"
