"""Show the study of every cure of a run: all are trained side by side and ranked by their measurements."""

from __future__ import annotations

import math
import time
from functools import partial
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.worker import get_current_worker

from gradtui.diagnosis.thresholds import DIFFERENT_ACCURACY
from gradtui.study.state import StudyRow, StudyState
from gradtui.study.study import Study
from gradtui.ui.disk_work import leave
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.screens.study.small_profiles import LEAST_HEIGHT, GradientProfile, SmallProfiles
from gradtui.ui.screens.study.study_heads import CureDetails, CuredRunLine, StudyTitle
from gradtui.ui.screens.study.study_tables import cure_columns, verdict_mark
from gradtui.ui.widgets.key_line import KeyLine
from gradtui.ui.widgets.row_table import RowTable

POLL_SECONDS = 0.25
"""The time between two polls of the study, and between two checks of its state."""


LOW_TABLE, LEAST_DETAILS, MOST_DETAILS = 9, 5, 10
"""The lines of the table on a low screen where the gradients have room too, and the least and most of the texts."""


UNTRAINED = "Press space to train the net with each cure.\nIts gradients appear here."
"""The text in the place of the gradients before the trainings."""


class CuresScreen(OneAnswer[Path | None]):
    """A CuresScreen returns the folder of the run that the person wants to see, or None; trainings continue after it.

    Args:
        study: from gradtui.study.cure_study; kept by the caller, who can open the screen on it again.
    """

    HELP = (
        "## All cures\n\n"
        "`space` trains the same net with each cure that applies, from the start, with the same seed, and once more "
        "without one. **train** is the accuracy on the training set, **in÷out** the gradient of the first hidden "
        "layer divided by that of the last one, and **time** the time of a step divided by that of the baseline, "
        "including a share of any pretraining. Runs that have ended are ranked: those without the problem first, "
        f"then by accuracy; where it differs by at most {DIFFERENT_ACCURACY:.0%}, which another seed may do too, "
        "the faster one comes first."
    )
    # The ids stay as they are: people may have bound them to other keys in their settings.
    BINDINGS = [
        Binding(
            "space", "begin", "train", key_display="space", tooltip="Train all cures.", id="trials.begin"
        ),
        Binding("enter", "open", "open", key_display="⏎", tooltip="Open this run.", id="trials.open"),
        Binding(
            "up,k",
            "move(-1)",
            "choose",
            key_display="↑↓",
            tooltip="Choose a cure.",
            id="trials.up",
        ),
        Binding("down,j", "move(1)", "next cure", show=False, id="trials.down"),
        Binding("home,g", "move(-1000)", "first cure", show=False, id="trials.first"),
        Binding("end,G", "move(1000)", "last cure", show=False, id="trials.last"),
        Binding("s", "save", "save", tooltip="Save the experiment with this cure as TOML.", id="trials.save"),
        Binding("x", "stop", "stop all", tooltip="Stop those that still train.", id="trials.stop"),
        Binding(
            "escape,q",
            "dismiss(None)",
            "back",
            key_display="esc",
            tooltip="Go back; the trainings continue.",
            id="trials.back",
        ),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]
    CSS_PATH = "study.tcss"

    def __init__(self, study: Study) -> None:
        super().__init__()
        self.study = study
        self.rows: tuple[StudyRow, ...] = ()
        """In the order of the table."""
        self.chosen: str | None = None
        """The key of the cure that the person chose; None is the best one at the moment."""
        self._painted: StudyState | None = None

    def compose(self) -> ComposeResult:
        """Yield whose cures they are, what was wrong, the table, the chosen cure and the gradients."""
        yield StudyTitle()
        yield CuredRunLine()
        yield RowTable(cure_columns(), marks=False)
        yield CureDetails()
        yield SmallProfiles()
        yield KeyLine()

    def on_mount(self) -> None:
        """Train the cures, and paint them until the screen is left."""
        # A worker of the app continues after this screen is closed. Another one for the same run replaces it.
        self.app.run_worker(
            partial(_poll, self.study),
            group=f"cures {self.study.folder}",
            thread=True,
            exclusive=True,
            exit_on_error=False,
        )
        self.query_one(RowTable).focus()
        self.set_interval(POLL_SECONDS, self.paint_changes)
        self.paint_changes()

    def on_unmount(self) -> None:
        """Close a study without running trainings; when it is opened again, the person is asked again."""
        if not self.study.begun:
            leave(self.study.close)

    def paint_changes(self) -> None:
        """Paint the state of the study, if it has changed."""
        state, title = self.study.state, self.query_one(StudyTitle)
        if title.begun != self.study.begun:
            title.begun = self.study.begun
            self.refresh_bindings()
        if state is not self._painted:
            first = self._painted is None or self._painted.done != state.done or not self._painted.rows
            self._painted = state
            self.paint(state)
            if first:
                self.refresh_bindings()

    def paint(self, state: StudyState) -> None:
        """Give each pane its part of the state."""
        self.query_one(StudyTitle).state = state
        self.query_one(CuredRunLine).state = state
        self.rows = state.in_order()
        self.show_rows()

    def show_rows(self) -> None:
        """Show the table, and all of the chosen cure."""
        row = self.row
        self.query_one(RowTable).show(self.rows, self.at)
        if row is None:
            return
        self.query_one(CureDetails).row = row
        drawn = [_profile(row) for row in self.rows if row.gradients is not None or row.live]
        # Before there are gradients to draw, the texts may take their room on a low terminal.
        self.set_class(not drawn, "-untrained")
        profiles = self.query_one(SmallProfiles)
        profiles.nothing = "" if self.study.begun or self.study.state.done else UNTRAINED
        profiles.paint(drawn, row.key)
        self._give_room()

    def on_resize(self) -> None:
        """Share out the lines of another size, once it is laid out."""
        self.call_after_refresh(self._give_room)

    def _give_room(self) -> None:
        """Let the table of a low screen have the lines that no text takes and that are too few for the gradients.

        They are those of the longest text, so that the table stays as it is while the cursor moves.
        """
        table, lines = self.query_one(RowTable), 1 + len(self.rows)
        if not self.has_class("-low"):
            table.styles.max_height = "50%"
            return
        details = min(MOST_DETAILS, self.query_one(CureDetails).most_lines(self.rows))
        above = sum(self.query_one(line).size.height for line in (StudyTitle, CuredRunLine, KeyLine))
        left = self.size.height - above - max(LEAST_DETAILS, details)
        profiles = left - min(lines, LOW_TABLE) >= LEAST_HEIGHT and not self.has_class("-untrained")
        table.styles.max_height = LOW_TABLE if profiles else max(LOW_TABLE, left)

    @property
    def row(self) -> StudyRow | None:
        """Return the chosen row: before the person chose, the best one, which is the first below the baseline."""
        if self.chosen is None:
            return (*self.rows[1:2], *self.rows[:1], None)[0]
        return next((row for row in self.rows if row.key == self.chosen), None)

    @property
    def at(self) -> int:
        """Return the index of the chosen row."""
        row = self.row
        return 0 if row is None else self.rows.index(row)

    def choose(self, index: int) -> None:
        """Choose a cure, which stays chosen when its place changes."""
        if self.rows:
            self.chosen = self.rows[max(0, min(index, len(self.rows) - 1))].key
            self.show_rows()
            self.refresh_bindings()

    @on(RowTable.Chosen)
    def _clicked(self, event: RowTable.Chosen) -> None:
        event.stop()
        if event.again:
            self.action_open()
        else:
            self.choose(event.index)

    @on(RowTable.Scrolled)
    def _scrolled(self, event: RowTable.Scrolled) -> None:
        self.action_move(event.rows)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return False for an action that makes no sense now, which hides its key, and None to show it disabled."""
        study = self.study
        if action == "begin":
            return not (study.begun or study.state.done) and bool(self.rows)
        if action == "stop":
            return study.begun and not study.state.done
        if action == "open":
            return True if self.row is not None and self.row.folder is not None else None
        return True

    def action_begin(self) -> None:
        """Train all cures that were not trained yet."""
        self.run_worker(self._begin, thread=True, group="begin", exclusive=True)

    def _begin(self) -> None:
        self.study.begin()
        self.app.call_from_thread(self.paint_changes)

    def action_move(self, by: int) -> None:
        """Move the cursor down by some cures, or up if negative."""
        self.choose(self.at + by)

    def action_open(self) -> None:
        """Show the run of the chosen cure, if it was created."""
        if self.row is not None and self.row.folder is not None:
            self.dismiss(self.row.folder)

    def action_save(self) -> None:
        """Save the experiment with this cure as TOML."""
        from gradtui.ui.screens.dialogs import SaveScreen

        if self.row is not None:
            self.app.push_screen(SaveScreen(self.row.member.experiment))

    def action_stop(self) -> None:
        """End those that still train, in a thread because that writes files."""
        self.run_worker(self.study.stop, thread=True, group="stop")


def _profile(row: StudyRow) -> GradientProfile:
    return GradientProfile(
        (row.key,),
        row.name,
        verdict_mark(row)[0] if row.state in ("finished", "diverged") else "",
        row.outcome.drop if row.outcome is not None else math.nan,
        row.gradients,
        row.healthy,
    )


def _poll(study: Study) -> None:
    """Poll a study until all cures have ended, in a thread."""
    worker = get_current_worker()
    while not (worker.is_cancelled or study.closed or study.poll().done):
        time.sleep(POLL_SECONDS)
