"""The list of runs: sorted, filtered, marked; opened, compared, named, tagged, deleted and brought back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from textual import events, on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from gradtui.runs import trash
from gradtui.runs.filter import FilterError, parse_filter
from gradtui.runs.library import Library, RunInfo
from gradtui.ui.screens.runs.run_actions import Doing
from gradtui.ui.screens.runs.run_lines import Count, RunDetail, RunsBar
from gradtui.ui.screens.runs.runs_keys import HELP, HINT, KEYS
from gradtui.ui.widgets.key_line import KeyLine
from gradtui.ui.widgets.row_table import RowTable

PACE = 1.0
"""Seconds between two looks at the folder: runs of other terminals appear and end."""

NONE_YET = "No run yet. Press esc, then space: it trains."
NONE_FITS = "No run fits. Press esc: all of them."


class RunsScreen(Doing):
    """Choose a run; answers with its folder.

    Args:
        root: the folder of the runs.
    """

    HELP = HELP
    BINDINGS = KEYS
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-high")]
    CSS = """
    RunsScreen {
        layout: vertical;
        & > Input, & > Input:focus { border: none; height: 1; padding: 0 1; background: $surface; }
        & > Input:focus { background: $panel; }
        & > #said { height: 1; padding: 0 1; color: $secondary; text-wrap: nowrap; display: none; }
        & > #said.-typing { display: block; }
        & > #said.-bad { display: block; color: $error; }
        &.-low > RunDetail { height: 2; border-top: none; background: $surface; }
    }
    """

    @dataclass
    class Read(Message):
        """The folder was looked at."""

        runs: list[RunInfo]

        def can_replace(self, message: Message) -> bool:
            """A newer list is whole."""
            return isinstance(message, RunsScreen.Read)

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._read_once = False

    def compose(self) -> ComposeResult:
        """How many, which, the list, and all of one."""
        yield RunsBar()
        yield Input(placeholder=f"/ filter   {HINT}")
        yield Static(Content(HINT), id="said")
        yield RowTable(tuple(self.listing.columns.values()))
        yield RunDetail()
        yield KeyLine()

    def on_mount(self) -> None:
        """Look at the folder until the screen is left."""
        self.query_one(RowTable).focus()
        self.paint()
        self.read()

    def on_unmount(self) -> None:
        """The thread need not sleep to its end."""
        self.workers.cancel_node(self)
        self.wake.set()

    # -- reading

    @work(thread=True, exclusive=True, group="runs")
    def read(self) -> None:
        """List the runs; on a network file system that may take a while."""
        worker, library = get_current_worker(), Library(self.root)
        trash.purge(self.root)
        while not worker.is_cancelled:
            self.wake.clear()
            self.post_message(self.Read(library.read()))
            self.wake.wait(PACE)

    @on(Read)
    def _read(self, event: Read) -> None:
        event.stop()
        self._read_once = True
        self.listing.take(event.runs)
        self.paint()

    # -- showing

    def paint(self) -> None:
        """Hand each pane what is its own."""
        listing = self.listing
        self.query_one(RowTable).show(
            listing.rows,
            listing.at,
            listing.marked_rows,
            by=listing.by,
            descending=listing.descending,
            nothing=NONE_FITS if listing.runs else NONE_YET if self._read_once else "",
        )
        self.query_one(RunDetail).info = listing.here
        self.query_one(RunsBar).count = Count(
            len(listing.runs), len(listing.rows), len(listing.marked), str(self.root), self._read_once
        )
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What cannot be done now is not there."""
        if action == "stop":
            return any(run.status.live for run in self.listing.chosen)
        if action in ("open", "mark", "tag", "rename", "delete", "compare", "copy", "sort", "reverse"):
            return bool(self.listing.rows)
        return True

    # -- choosing

    def choose(self, at: int) -> None:
        """The cursor on another row."""
        self.listing.choose(at)
        self.paint()

    def action_move(self, by: int) -> None:
        """So many rows down (up)."""
        self.choose(self.listing.at + by)

    def action_page(self, by: int) -> None:
        """As many rows as one sees."""
        self.choose(self.listing.at + by * self.query_one(RowTable).page)

    def action_mark(self) -> None:
        """Mark the run, or no more; and go to the next."""
        self.listing.mark()
        self.paint()

    def action_mark_all(self) -> None:
        """All that are shown; where all are marked, none."""
        self.listing.mark_all()
        self.paint()

    @on(RowTable.Chosen)
    def _clicked(self, event: RowTable.Chosen) -> None:
        if event.again:
            self.action_open()
        else:
            self.choose(event.index)

    @on(RowTable.Scrolled)
    def _scrolled(self, event: RowTable.Scrolled) -> None:
        self.action_move(event.rows)

    # -- sorting and filtering

    @on(RowTable.Sorted)
    def _head_clicked(self, event: RowTable.Sorted) -> None:
        listing = self.listing
        listing.sort(event.key, not listing.descending if event.key == listing.by else None)
        self.paint()

    def action_sort(self, by: int) -> None:
        """By the column beside."""
        self.listing.sort_beside(by)
        self.paint()

    def action_reverse(self) -> None:
        """The other way round."""
        self.listing.sort(self.listing.by, not self.listing.descending)
        self.paint()

    def action_filter(self) -> None:
        """Type what is looked for."""
        self.query_one(Input).focus()

    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    def _focus_moved(self) -> None:
        self.query_one("#said").set_class(self.query_one(Input).has_focus, "-typing")

    @on(Input.Changed)
    def _typing(self, event: Input.Changed) -> None:
        said = self.query_one("#said", Static)
        try:
            chosen = parse_filter(event.value, typing=True)
        except FilterError as error:
            # What was understood before still holds: half a word must not empty the list.
            said.update(Content(str(error)))
            said.add_class("-bad")
        else:
            said.update(Content(HINT))
            said.remove_class("-bad")
            self.listing.sift(chosen)
            self.paint()

    @on(Input.Submitted)
    def _typed(self) -> None:
        self.query_one(RowTable).focus()

    # -- doing

    def action_back(self) -> None:
        """All runs again, where a filter hides some; or else back."""
        typed = self.query_one(Input)
        if typed.value or typed.has_focus:
            typed.value = ""
            self.query_one(RowTable).focus()
        else:
            self.dismiss(None)

    def action_open(self) -> None:
        """See the run under the cursor."""
        if self.listing.here is not None:
            self.dismiss(self.listing.here.run)
