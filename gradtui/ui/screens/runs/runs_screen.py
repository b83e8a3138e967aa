"""The RunsScreen lists the runs, which are sorted, filtered, marked, opened, compared, named, tagged and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from gradtui.diagnosis.ended_runs import EndedRuns
from gradtui.runs import trash
from gradtui.runs.filter import FilterError, parse_filter
from gradtui.runs.library import Library
from gradtui.runs.run_groups import RunGroup, StudyRow, siblings
from gradtui.runs.run_info import RunInfo
from gradtui.ui.keys import NOTE_KEY
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.reader_loop import ReaderLoop
from gradtui.ui.screens.runs.run_actions import RunActions
from gradtui.ui.screens.runs.run_lines import HINT, FilterField, RunCount, RunDetail, RunsBar
from gradtui.ui.screens.runs.run_list import RunList
from gradtui.ui.widgets.key_line import KeyLine
from gradtui.ui.widgets.row_table import RowTable

HELP_TEXT = (
    "## Runs\n\n"
    "**gradient** is the gradient of each layer at the last step, from input to output: the highest block is the "
    "largest gradient, the lowest is eight decades below it. × is NaN, ∞ infinite, 0 exactly zero.\n\n"
    "A **filter** is words separated by spaces, all of which must match: `sigmoid` is a part of a name, folder, "
    "note or tag; `findings:vanishing`, `status:finished,stopped`, `tag:paper`, `name:sig*`, `note:*clip*`; "
    "`depth>20`, `accuracy<50%`, `train`, `test`, `loss`, `seconds`, `step`, `age<2h`; any field of the experiment, "
    "`optimizer.lr>=0.1`; and `-` before a word excludes it. `findings:none` finds the runs without a problem.\n\n"
    "`&` makes a **group** of the marked runs, which the list and the charts show as one, with mean and standard "
    "deviation; without marks it offers those that differ only in their seed. Runs that diverged are named and left "
    "out of the means. A filter that matches only one run of a group shows it alone.\n\n"
    "The runs of a **study** are one row. `enter` shows them beneath it, and hides them again; a filter shows them "
    "too.\n\n"
    'A **deleted** run is kept for a week, and `u` restores it. Names, tags and notes (`"`) are stored beside the '
    "run; the files of its trainer do not change."
)

KEYS: list[BindingType] = [
    Binding("u", "restore", "restore", tooltip="Restore what was deleted just now.", id="runs.restore"),
    Binding("u", "undelete", "restore", show=False, tooltip="Restore the last deleted.", id="runs.undelete"),
    Binding("enter", "open", "open", key_display="⏎", tooltip="Open this run.", id="runs.open"),
    Binding("space", "mark", "mark", key_display="space", tooltip="Mark for group actions.", id="runs.mark"),
    Binding("slash", "filter", "filter", key_display="/", tooltip="Show matching runs.", id="runs.filter"),
    Binding("C", "compare", "compare", tooltip="Compare the marked runs.", id="runs.compare"),
    Binding(
        "number_sign",
        "tag",
        "tag",
        key_display="#",
        tooltip="Tag the marked runs, or this one.",
        id="runs.tag",
    ),
    Binding("n", "rename", "name", tooltip="Rename this run.", id="runs.name"),
    NOTE_KEY,
    Binding(
        "ampersand",
        "group",
        "group",
        key_display="&",
        show=False,
        tooltip="Show the marked runs as one; without marks, those that differ only in their seed.",
        id="runs.group",
    ),
    Binding(
        "backspace,delete",
        "delete",
        "delete",
        key_display="⌫",
        tooltip="Delete the marked runs, or this one.",
        id="runs.delete",
    ),
    Binding("x", "stop", "stop", tooltip="Stop the marked runs, or this one.", id="runs.stop"),
    Binding("right", "sort(1)", "sort", key_display="←→", tooltip="Sort by another column.", id="runs.sort"),
    Binding("left", "sort(-1)", "sort by the previous column", show=False, id="runs.sort-back"),
    Binding("O", "reverse", "order", show=False, tooltip="Reverse the order.", id="runs.order"),
    Binding("asterisk", "mark_all", "mark all", show=False, tooltip="Mark all, or none.", id="runs.all"),
    Binding("Y", "copy", "copy path", show=False, tooltip="Copy the run's folder.", id="runs.copy"),
    Binding(
        "W",
        "report",
        "write report",
        show=False,
        tooltip="Write the marked runs, or this one, as one page to share.",
        id="runs.report",
    ),
    Binding("up,k", "move(-1)", "previous run", show=False, id="runs.up"),
    Binding("down,j", "move(1)", "next run", show=False, id="runs.down"),
    Binding("pageup", "page(-1)", "page up", show=False, id="runs.page-up"),
    Binding("pagedown", "page(1)", "page down", show=False, id="runs.page-down"),
    Binding("home,g", "move(-1000000)", "first run", show=False, id="runs.first"),
    Binding("end,G", "move(1000000)", "last run", show=False, id="runs.last"),
    Binding(
        "escape,r,q", "back", "back", key_display="esc", tooltip="Clear filter, then back.", id="runs.back"
    ),
]

READING_SECONDS = 1.0
"""Seconds between two readings of the folder: runs of other terminals appear and end."""
DIAGNOSIS_SECONDS = 0.3
"""The time between two readings in which runs without a diagnosis are diagnosed."""

NONE_YET = "No runs yet. Press esc, then space to train one."
NONE_FITS = "No run matches. esc clears the filter."


class RunsScreen(OneAnswer["Path | None"]):
    """The RunsScreen shows the list of runs; it answers with the folder of one to open, or None.

    Args:
        root: the folder of the runs.
    """

    HELP = HELP_TEXT
    BINDINGS = KEYS
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-high")]
    CSS_PATH = "runs.tcss"

    @dataclass
    class Read(Message):
        """The folder was read."""

        runs: list[RunInfo]
        studies: Mapping[Path, str]

        def can_replace(self, message: Message) -> bool:
            """Return whether this message replaces an older one, since each has all runs."""
            return isinstance(message, RunsScreen.Read)

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root
        self.listing = RunList()
        self.loop = ReaderLoop()
        self.actions = RunActions(self, root, self.listing, self._read_at_once)
        self._changed = self._read_once = False
        self._complete = True

    def compose(self) -> ComposeResult:
        """Yield the number of runs, the filter, the list, and details of one run."""
        yield RunsBar()
        yield FilterField()
        yield Static(Content(HINT), id="hint")
        yield RowTable(tuple(self.listing.columns.values()))
        yield RunDetail(self.listing.names)
        yield KeyLine()

    def on_mount(self) -> None:
        """Read the folder repeatedly until the screen is left."""
        self.query_one(RowTable).focus()
        self.paint()
        self.read()

    def on_unmount(self) -> None:
        """End the reading thread."""
        self.loop.close()

    # -- reading

    @work(thread=True, exclusive=True, group="runs")
    def read(self) -> None:
        """Read the folder in a thread; on a network file system that may take a while."""
        from gradtui.study.study_folder import studies_of_runs, studies_root

        worker, library, ended = get_current_worker(), Library(self.root), EndedRuns()
        trash.purge(self.root)
        shown: list[RunInfo] | None = None
        for _ in self.loop.rounds(lambda: worker.is_cancelled, lambda: READING_SECONDS):
            # After a change by the person, all runs are read completely.
            hastily, self._changed = shown is not None and not self._changed, False
            runs = library.read(hastily=hastily)
            if runs is not shown:
                shown = runs
                self.post_message(self.Read(runs, studies_of_runs(studies_root(self.root))))
            if ended.diagnose(runs, DIAGNOSIS_SECONDS):
                # The notes are beside files that have not changed, so a quick reading would not see them.
                self._changed = True

    def _read_at_once(self) -> None:
        self._changed = True
        self.loop.wake()

    @on(Read)
    def _read(self, event: Read) -> None:
        event.stop()
        self._read_once = True
        self.listing.studies = event.studies
        self.listing.take(event.runs)
        self.paint()

    # -- showing

    def paint(self) -> None:
        """Show the list as it is now."""
        listing = self.listing
        self.query_one(RowTable).show(
            listing.rows,
            listing.at,
            listing.marked_rows,
            by=listing.by,
            descending=listing.descending,
            nothing=NONE_FITS if listing.runs else NONE_YET if self._read_once else "",
        )
        detail = self.query_one(RunDetail)
        detail.info = listing.here
        detail.alike = len(siblings(listing.here, listing.runs)) if listing.here is not None else 0
        self.query_one(RunsBar).count = RunCount(
            len(listing.runs), listing.fitting, listing.marked_count, str(self.root), self._read_once
        )
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key does anything now."""
        if action in ("restore", "undelete"):
            # The key line shows the key from a deletion on until the run is back; it works at any time.
            return (action == "restore") == self.actions.deleted
        if action == "stop":
            return any(run.status.live for run in self.listing.chosen)
        if action in (
            "open",
            "mark",
            "tag",
            "rename",
            "note",
            "group",
            "delete",
            "compare",
            "copy",
            "report",
            "sort",
            "reverse",
        ):
            return bool(self.listing.rows)
        return True

    # -- choosing

    def choose(self, at: int) -> None:
        """Move the cursor to a row."""
        self.listing.choose(at)
        self.paint()

    def action_move(self, by: int) -> None:
        """Move the cursor down by some rows, or up if negative."""
        self.choose(self.listing.at + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by as many rows as are shown."""
        self.choose(self.listing.at + by * self.query_one(RowTable).page)

    def action_mark(self) -> None:
        """Mark or unmark the run under the cursor, and go to the next."""
        self.listing.mark()
        self.paint()

    def action_mark_all(self) -> None:
        """Mark all runs that are shown; where all are marked, unmark them."""
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
        """Sort by the next column (-1: the one before)."""
        self.listing.sort_beside(by)
        self.paint()

    def action_reverse(self) -> None:
        """Reverse the order of the list."""
        self.listing.sort(self.listing.by, not self.listing.descending)
        self.paint()

    def action_filter(self) -> None:
        """Focus the filter."""
        self.query_one(Input).focus()

    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    def _focus_moved(self) -> None:
        self.query_one("#hint").set_class(self.query_one(Input).has_focus, "-typing")

    @on(Input.Changed)
    def _typing(self, event: Input.Changed) -> None:
        hint = self.query_one("#hint", Static)
        try:
            chosen = parse_filter(event.value, typing=True)
        except FilterError as error:
            # The last complete filter remains, since half a word must not empty the list.
            hint.update(Content(str(error)))
            self._complete = False
        else:
            hint.update(Content(HINT))
            hint.remove_class("-bad")
            self._complete = True
            self.listing.sift(chosen)
            self.paint()

    @on(Input.Submitted)
    def _typed(self) -> None:
        # While a word is typed, what it lacks is no error yet.
        self.query_one("#hint", Static).set_class(not self._complete, "-bad")
        if self._complete:
            self.query_one(RowTable).focus()

    # -- opening and changing runs

    def action_back(self) -> None:
        """Clear the filter, or else leave the screen."""
        typed = self.query_one(Input)
        if typed.value or typed.has_focus:
            typed.value = ""
            self.query_one(RowTable).focus()
        else:
            self.dismiss(None)

    def action_open(self) -> None:
        """Open the run under the cursor, or show the runs of the group together."""
        here = self.listing.here
        if isinstance(here, StudyRow):
            self.listing.open_study(here)
            self.paint()
        elif isinstance(here, RunGroup):
            self.actions.show([here], self._opened_there)
        elif here is not None:
            self.dismiss(here.run)

    def _opened_there(self, folder: Path | None) -> None:
        if folder is not None:
            self.dismiss(folder)

    def action_copy(self) -> None:
        """Copy the path of the run under the cursor."""
        self.actions.copy_path()

    def action_compare(self) -> None:
        """Compare the marked runs; if a run is opened there, this screen returns it too."""
        self.actions.compare(self._opened_there)

    def action_report(self) -> None:
        """Write the chosen runs as one page to share."""
        self.actions.report()

    def action_rename(self) -> None:
        """Give the run under the cursor another name."""
        self.actions.rename()

    def action_note(self) -> None:
        """Write a note on the run under the cursor."""
        self.actions.note()

    def action_group(self) -> None:
        """Show several runs as one."""
        self.actions.group()

    def action_tag(self) -> None:
        """Change the tags of the chosen runs."""
        self.actions.tag()

    def action_delete(self) -> None:
        """Delete the chosen runs."""
        self.actions.delete()

    def action_restore(self) -> None:
        """Restore what was deleted just now."""
        self.actions.undelete()

    def action_undelete(self) -> None:
        """Restore the last deleted."""
        self.actions.undelete()

    def action_stop(self) -> None:
        """End the training of the chosen runs."""
        self.actions.stop()
