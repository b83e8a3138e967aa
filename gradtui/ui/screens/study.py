"""One study: its chart and its runs, as they are trained."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.screen import Screen
from textual.worker import get_current_worker

from gradtui.study.study_state import StudyRow, StudyState
from gradtui.ui.studies.chart import StudyChart
from gradtui.ui.studies.columns import run_columns
from gradtui.ui.studies.desk import Viewed
from gradtui.ui.studies.lines import StudyBar, StudyWords
from gradtui.ui.studies.profiles import profiles_of
from gradtui.ui.widgets.key_line import KeyLine
from gradtui.ui.widgets.row_table import RowTable, in_order

PACE = 0.25
"""Seconds between two looks at a study."""


class StudyScreen(Screen[Path | None]):
    """Answers with the folder of the run that the person wishes to see, or None. What trains goes on when it is left.

    Args:
        viewed: the study, begun here or not.
    """

    HELP = (
        "## Study\n\n`space` trains what is left of it, several at once; `x` ends what runs, and it can be gone on "
        "with later: what was trained is not trained again. **train** is the accuracy on the training set, "
        "**1st÷last** the gradient of the first hidden layer over the last one's. The shaded band is the spread of all "
        "seeds; a broken line on a map is where theory puts the border. Behind bars, `c` shows the gradient of each "
        "layer of each of them, all on one scale."
    )
    BINDINGS = [
        Binding("space", "begin", "train", key_display="space", tooltip="Train what is left.", id="study.begin"),
        Binding("x", "stop", "stop", tooltip="End what runs; it can be gone on with.", id="study.stop"),
        Binding("enter", "open", "open run", key_display="⏎", tooltip="See this run.", id="study.open"),
        Binding("c", "chart", "next chart", tooltip="Another figure.", id="study.chart"),
        Binding("up,k", "move(-1)", "choose", key_display="↑↓", tooltip="The run before.", id="study.up"),
        Binding("down,j", "move(1)", "next run", show=False, id="study.down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="study.page-up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="study.page-down"),
        Binding("home,g", "move(-1000000)", "first run", show=False, id="study.first"),
        Binding("end,G", "move(1000000)", "last run", show=False, id="study.last"),
        Binding("right,greater_than_sign", "sort(1)", "sort", key_display="←→", tooltip="By column.", id="study.sort"),
        Binding("left,less_than_sign", "sort(-1)", "sort by the column before", show=False, id="study.sort-back"),
        Binding("o", "reverse", "order", show=False, tooltip="The other way round.", id="study.order"),
        Binding("z", "fill", "fill", tooltip="Let the chart fill the screen, and back.", id="study.fill"),
        Binding("escape", "back", "back", key_display="esc", tooltip="Back; what trains goes on.", id="study.back"),
    ]  # fmt: skip
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (160, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]
    CSS = """
    StudyScreen {
        layout: vertical;
        & .pane { border: round $border; border-title-color: $text-muted; border-subtitle-color: $text-muted; }
        & .-maximized { width: 100%; height: 1fr; }
        & #study { height: 1fr; layout: vertical; }
        & StudyChart { height: 1fr; }
        &.-low StudyChart { height: 3fr; }
        &.-low RowTable { height: 2fr; }
        &.-low StudyWords { max-height: 2; }
        &.-wide #study { layout: horizontal; }
        &.-wide StudyChart, &.-wide RowTable { width: 1fr; height: 100%; }
    }
    """

    def __init__(self, viewed: Viewed) -> None:
        super().__init__()
        self.viewed = viewed
        self.columns = {column.key: column for column in run_columns()}
        self.rows: list[StudyRow] = []
        """In the order of the table."""
        self.by, self.descending = "", False
        """The column that the table is sorted by; "" is as the study has them."""
        self._here = ""
        self._painted: StudyState | None = None

    def compose(self) -> ComposeResult:
        """What it is, its chart, its runs."""
        yield StudyBar()
        yield StudyWords()
        with Container(id="study"):
            yield StudyChart()
            yield RowTable(tuple(self.columns.values()))
        yield KeyLine()

    def on_mount(self) -> None:
        """Look at it, and go on looking while anything may change."""
        self.query_one(RowTable).focus()
        self.tend()
        self.set_interval(PACE, self.look)
        self.look()

    def on_unmount(self) -> None:
        """Who only looked stands in nobody's way."""
        if not self.viewed.begun:
            self.viewed.close()

    def tend(self) -> None:
        """Look after it in a thread: of one that is begun here, also when this screen is gone."""
        owner = self.app if self.viewed.begun else self
        owner.run_worker(
            partial(_tend, self.viewed),
            group=f"study {self.viewed.state.folder}",
            thread=True,
            exclusive=True,
            exit_on_error=False,
        )

    # -- painting

    def look(self) -> None:
        """Paint what it says, if it is new."""
        if self.viewed.state is not self._painted:
            self._painted = self.viewed.state
            self.paint(self.viewed.state)

    def paint(self, state: StudyState) -> None:
        """Hand each pane what is its own."""
        line = self.query_one(StudyBar)
        line.state, line.begun = state, self.viewed.begun
        self.query_one(StudyWords).state = state
        self.query_one(StudyChart).show(state.charts, profiles_of(state), state.name)
        self.sift(state)
        self.refresh_bindings()

    def sift(self, state: StudyState) -> None:
        """Sort, and stay with the run under the cursor."""
        rows = list(state.rows)
        self.rows = in_order(rows, self.columns[self.by], descending=self.descending) if self.by else rows
        self.point()

    def point(self) -> None:
        """Show the table."""
        self.query_one(RowTable).show(
            self.rows, self.at, by=self.by, descending=self.descending, nothing="reading …"
        )
        if self.rows:
            self.query_one(StudyChart).point(self.rows[self.at].key)

    @property
    def at(self) -> int:
        """The row under the cursor."""
        return next((at for at, row in enumerate(self.rows) if row.key == self._here), 0)

    def choose(self, at: int) -> None:
        """The cursor on another row."""
        if self.rows:
            self._here = self.rows[max(0, min(at, len(self.rows) - 1))].key
            self.point()
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What cannot be done now is grey, or not there."""
        viewed = self.viewed
        under_way = viewed.begun and not viewed.state.done
        if action == "begin":
            return not (under_way or viewed.complete or viewed.state.kept_by or viewed.state.problem)
        if action == "stop":
            return under_way
        if action == "chart":
            return self.query_one(StudyChart).several if self.is_mounted else False
        if action == "open":
            return True if self.rows and self.rows[self.at].folder is not None else None
        return True

    # -- doing

    def action_move(self, by: int) -> None:
        """So many rows down (up)."""
        self.choose(self.at + by)

    def action_page(self, by: int) -> None:
        """As many rows as one sees."""
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
        """In another order."""
        self.by, self.descending = by, descending
        self.sift(self.viewed.state)

    def action_sort(self, by: int) -> None:
        """By the column beside; beside the last one is the study's own order."""
        keys = ["", *self.columns]
        self.sort(keys[(keys.index(self.by) + by) % len(keys)], False)

    def action_reverse(self) -> None:
        """The other way round."""
        self.sort(self.by, not self.descending)

    def action_chart(self) -> None:
        """The next chart."""
        self.query_one(StudyChart).following()

    def action_fill(self) -> None:
        """Let the chart fill the screen, or all have their places again."""
        if self.maximized is not None:
            self.minimize()
        else:
            self.maximize(self.query_one(StudyChart), container=False)

    def action_begin(self) -> None:
        """Train what is left of it."""
        self.run_worker(self._begin, thread=True, group="begin", exclusive=True)

    def _begin(self) -> None:
        self.viewed.begin()
        self.app.call_from_thread(self.tend)

    def action_stop(self) -> None:
        """End what runs; a matter of files, so not in the painting thread."""
        self.run_worker(self.viewed.stop, thread=True, group="stop")

    def action_open(self) -> None:
        """See the run; before it was begun there is none."""
        if self.rows and (folder := self.rows[self.at].folder) is not None:
            self.dismiss(folder)

    def action_back(self) -> None:
        """All panes again; or else back."""
        if self.maximized is not None:
            self.minimize()
        else:
            self.dismiss(None)


def _tend(viewed: Viewed) -> None:
    """Look after a study until nothing more will change. Runs in a thread."""
    worker = get_current_worker()
    while not worker.is_cancelled:
        viewed.poll()
        if viewed.idle:
            return
        time.sleep(PACE)
