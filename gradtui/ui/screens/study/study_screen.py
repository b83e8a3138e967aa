"""The StudyScreen shows one study: its chart and its runs, as they are trained."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.worker import get_current_worker

from gradtui.study.state import StudyRow, StudyState
from gradtui.ui.disk_work import leave
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.screens.study.study_chart import StudyChart, profiles_of
from gradtui.ui.screens.study.study_heads import StudyTexts, StudyTitle
from gradtui.ui.screens.study.study_store import OpenStudy
from gradtui.ui.screens.study.study_tables import run_columns
from gradtui.ui.widgets.key_line import KeyLine
from gradtui.ui.widgets.row_table import RowTable
from gradtui.ui.widgets.table_columns import in_order

POLL_SECONDS = 0.25
"""The time between two polls of a study, and between two checks of its state."""


class StudyScreen(OneAnswer[Path | None]):
    """A StudyScreen returns the folder of the run that the person wants to see, or None; trainings continue after it.

    Args:
        study: the study, whether this app trains it or not.
    """

    HELP = (
        "## Study\n\n"
        "`space` trains the runs that are left, several at once; `x` stops them, and the study can be continued "
        "later: runs that have ended are not trained again. **train** is the accuracy on the training set, "
        "**in÷out** the gradient of the first hidden layer divided by that of the last one. The shaded band is the "
        "range of all seeds; a dashed line on a map is the border that theory predicts. Where the chart has bars, "
        "`m` shows the gradient of each layer of every run, all on one scale."
    )
    BINDINGS = [
        Binding("space", "begin", "train", key_display="space", tooltip="Train the other runs.", id="study.begin"),
        Binding("x", "stop", "stop", tooltip="Stop; continue later with space.", id="study.stop"),
        Binding("enter", "open", "open run", key_display="⏎", tooltip="Open this run.", id="study.open"),
        Binding("m", "chart", "next chart", tooltip="Show another chart.", id="study.chart"),
        Binding("up,k", "move(-1)", "choose", key_display="↑↓", tooltip="Choose a run.", id="study.up"),
        Binding("down,j", "move(1)", "next run", show=False, id="study.down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="study.page-up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="study.page-down"),
        Binding("home,g", "move(-1000000)", "first run", show=False, id="study.first"),
        Binding("end,G", "move(1000000)", "last run", show=False, id="study.last"),
        Binding("right", "sort(1)", "sort", key_display="←→", tooltip="Sort by another column.", id="study.sort"),
        Binding("left", "sort(-1)", "sort by the previous column", show=False,
                tooltip="Sort by another column.", id="study.sort-back"),
        Binding("O", "reverse", "order", show=False, tooltip="Reverse the order.", id="study.order"),
        Binding("z", "fill", "full screen", tooltip="Show the chart on the full screen, and back.", id="study.fill"),
        Binding("W", "report", "write report", show=False, tooltip="Write the study as one page.", id="study.report"),
        Binding("escape,q", "back", "back", key_display="esc", tooltip="Go back; trainings continue.", id="study.back"),
    ]  # fmt: skip
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (160, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]
    CSS_PATH = "study.tcss"

    def __init__(self, study: OpenStudy) -> None:
        super().__init__()
        self.study = study
        self.columns = {column.key: column for column in run_columns()}
        self.rows: list[StudyRow] = []
        """In the order of the table."""
        self.by, self.descending = "", False
        """The column that the table is sorted by; "" is the order of the study."""
        self._here = ""
        self._painted: StudyState | None = None

    def compose(self) -> ComposeResult:
        """Yield what the study is, its chart and its runs."""
        yield StudyTitle()
        yield StudyTexts()
        with Container(id="study"):
            yield StudyChart()
            yield RowTable(tuple(self.columns.values()))
        yield KeyLine()

    def on_mount(self) -> None:
        """Follow the study, and paint it whenever it has changed."""
        self.query_one(RowTable).focus()
        self.follow()
        self.set_interval(POLL_SECONDS, self.paint_changes)
        self.paint_changes()

    def on_unmount(self) -> None:
        """Close a study that is only viewed, so that another process can train it."""
        if not self.study.begun:
            leave(self.study.close)

    def follow(self) -> None:
        """Poll the study in a thread, which outlives this screen if this app trains the study."""
        owner = self.app if self.study.begun else self
        owner.run_worker(
            partial(_poll, self.study),
            group=f"study {self.study.state.folder}",
            thread=True,
            exclusive=True,
            exit_on_error=False,
        )

    # -- painting

    def paint_changes(self) -> None:
        """Paint the state of the study, if it has changed."""
        if self.study.state is not self._painted:
            self._painted = self.study.state
            self.paint(self.study.state)

    def paint(self, state: StudyState) -> None:
        """Give each pane its part of the state."""
        line = self.query_one(StudyTitle)
        line.state, line.begun = state, self.study.begun
        self.query_one(StudyTexts).state = state
        nothing = (
            "reading …"
            if not state.rows
            else "No run has finished yet."
            if self.study.begun
            else "Press space to train these nets. Each run that finishes adds a point."
        )
        self.query_one(StudyChart).show(state.charts, profiles_of(state), state.name, nothing=nothing)
        self.sort_rows(state)
        self.refresh_bindings()

    def sort_rows(self, state: StudyState) -> None:
        """Sort the rows, and stay with the run under the cursor."""
        rows = list(state.rows)
        self.rows = in_order(rows, self.columns[self.by], descending=self.descending) if self.by else rows
        self.show_rows()

    def show_rows(self) -> None:
        """Show the table, and mark the run under the cursor in the chart."""
        self.query_one(RowTable).show(self.rows, self.at, by=self.by, descending=self.descending)
        if self.rows:
            self.query_one(StudyChart).point(self.rows[self.at].key)

    @property
    def at(self) -> int:
        """Return the index of the row under the cursor."""
        return next((at for at, row in enumerate(self.rows) if row.key == self._here), 0)

    def choose(self, at: int) -> None:
        """Move the cursor to another row."""
        if self.rows:
            self._here = self.rows[max(0, min(at, len(self.rows) - 1))].key
            self.show_rows()
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return False for an action that makes no sense now, which hides its key, and None to show it disabled."""
        study = self.study
        under_way = study.begun and not study.state.done
        if action == "begin":
            return not (under_way or study.complete or study.state.other_owner or study.state.problem)
        if action == "stop":
            return under_way
        if action == "chart":
            return self.query_one(StudyChart).several if self.is_mounted else False
        if action == "report":
            return bool(self.rows)
        if action == "open":
            return True if self.rows and self.rows[self.at].folder is not None else None
        return True

    # -- doing

    def action_move(self, by: int) -> None:
        """Move the cursor down by some rows, or up if negative."""
        self.choose(self.at + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by as many rows as are in view."""
        self.choose(self.at + by * self.query_one(RowTable).page)

    @on(RowTable.Chosen)
    def _clicked(self, event: RowTable.Chosen) -> None:
        self.choose(event.index)
        if event.again:
            self.action_open()

    @on(RowTable.Scrolled)
    def _scrolled(self, event: RowTable.Scrolled) -> None:
        self.action_move(event.rows)

    @on(RowTable.Sorted)
    def _head_clicked(self, event: RowTable.Sorted) -> None:
        self.sort(event.key, not self.descending if event.key == self.by else False)

    def sort(self, by: str, descending: bool) -> None:
        """Sort the table by a column, or by the order of the study."""
        self.by, self.descending = by, descending
        self.sort_rows(self.study.state)

    def action_sort(self, by: int) -> None:
        """Sort by the column beside; beside the last one is the order of the study."""
        keys = ["", *self.columns]
        self.sort(keys[(keys.index(self.by) + by) % len(keys)], False)

    def action_reverse(self) -> None:
        """Reverse the order."""
        self.sort(self.by, not self.descending)

    def action_chart(self) -> None:
        """Show the next chart."""
        self.query_one(StudyChart).next_chart()

    def action_fill(self) -> None:
        """Let the chart fill the screen, or show all panes again."""
        if self.maximized is not None:
            self.minimize()
        else:
            self.maximize(self.query_one(StudyChart), container=False)

    def action_begin(self) -> None:
        """Train what is left of the study."""
        self.run_worker(self._begin, thread=True, group="begin", exclusive=True)

    def _begin(self) -> None:
        self.study.begin()
        self.app.call_from_thread(self.follow)

    def action_stop(self) -> None:
        """End what runs, in a thread because that writes files."""
        self.run_worker(self.study.stop, thread=True, group="stop")

    def action_open(self) -> None:
        """Show the run under the cursor, if it was created."""
        if self.rows and (folder := self.rows[self.at].folder) is not None:
            self.dismiss(folder)

    def action_report(self) -> None:
        """Write the study, as far as it is trained, as one page to share."""
        from gradtui.ui.screens.report_dialog import ask_for_study_report

        ask_for_study_report(self, self.study.state)

    def action_back(self) -> None:
        """Show all panes again, or else go back."""
        if self.maximized is not None:
            self.minimize()
        else:
            self.dismiss(None)


def _poll(study: OpenStudy) -> None:
    """Poll a study until nothing more will change, in a thread."""
    worker = get_current_worker()
    while not worker.is_cancelled:
        study.poll()
        if study.idle:
            return
        time.sleep(POLL_SECONDS)
