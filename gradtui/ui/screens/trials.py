"""Try them all: every cure of a sick run, trained side by side and ranked by what was measured."""

from __future__ import annotations

import math
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.worker import get_current_worker

from gradtui.study.state import TrialRow, TrialsState
from gradtui.ui.panes.small_profiles import Multiple, SmallProfiles
from gradtui.ui.panes.trial_lines import CureLines, Illness, TrialsBar
from gradtui.ui.panes.trial_table import TrialTable, line_of, verdict_mark
from gradtui.ui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from gradtui.study.trials import Trials

PACE = 0.25
"""Seconds between two looks at the trials."""


class TrialsScreen(Screen["Path | None"]):
    """Answers with the folder of the run that the person wishes to see, or None. The trials go on when it is left.

    Args:
        trials: whose they are; kept by whoever opens the screen, which can be opened on them again.
    """

    HELP = (
        "## Every cure\n\nThe same net with each cure that applies, from the start, with the same seed, and once more "
        "without one. **train** is the accuracy on the training set, **1st÷last** the gradient of the first hidden "
        "layer over the last one's, **a step** its time beside the sick net's, its share of a pretraining included. "
        "What has ended is ranked: healed first, then by what was learned; of equals the cheaper."
    )
    BINDINGS = [
        Binding("enter", "open", "open", key_display="⏎", tooltip="See this run.", id="trials.open"),
        Binding("up,k", "move(-1)", "choose", key_display="↑↓", tooltip="The cure before.", id="trials.up"),
        Binding("down,j", "move(1)", "next cure", show=False, id="trials.down"),
        Binding("home,g", "move(-1000)", "first cure", show=False, id="trials.first"),
        Binding("end,G", "move(1000)", "last cure", show=False, id="trials.last"),
        Binding("s", "save", "save", tooltip="Save the experiment with this cure as TOML.", id="trials.save"),
        Binding("x", "stop", "stop all", tooltip="End those that still train.", id="trials.stop"),
        Binding(
            "escape,q",
            "dismiss(None)",
            "back",
            key_display="esc",
            tooltip="Back; what trains goes on.",
            id="trials.back",
        ),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]
    CSS = """
    TrialsScreen {
        layout: vertical;
        &.-low CureLines { height: 3; padding: 0 1; }
    }
    """

    def __init__(self, trials: Trials) -> None:
        super().__init__()
        self.trials = trials
        self.rows: tuple[TrialRow, ...] = ()
        """In the order of the table."""
        self.chosen: str | None = None
        """Key of the cure that was chosen; None is the best, whichever that is."""
        self._painted: TrialsState | None = None

    def compose(self) -> ComposeResult:
        """Whose, what, which, and how."""
        yield TrialsBar()
        yield Illness()
        yield TrialTable()
        yield CureLines()
        yield SmallProfiles()
        yield KeyLine()

    def on_mount(self) -> None:
        """Have them trained, and look at them until the screen is left."""
        # A worker of the app's: it goes on when this screen is gone. Another one for the same run takes its place.
        self.app.run_worker(
            partial(tend, self.trials),
            group=f"trials {self.trials.folder}",
            thread=True,
            exclusive=True,
            exit_on_error=False,
        )
        self.set_interval(PACE, self.look)
        self.look()

    def look(self) -> None:
        """Paint what the trials say, if it is new."""
        state = self.trials.state
        if state is not self._painted:
            first = self._painted is None or self._painted.done != state.done
            self._painted = state
            self.paint(state)
            if first:
                self.refresh_bindings()

    def paint(self, state: TrialsState) -> None:
        """Hand each pane what is its own."""
        self.query_one(TrialsBar).state = state
        self.query_one(Illness).state = state
        self.rows = state.in_order()
        table = self.query_one(TrialTable)
        table.lines = tuple(line_of(row) for row in self.rows)
        self.point()

    def point(self) -> None:
        """Show which one is chosen, and all of it."""
        row = self.row
        if row is None:
            return
        self.query_one(TrialTable).cursor = self.rows.index(row)
        self.query_one(CureLines).row = row
        drawn = [multiple_of(row) for row in self.rows if row.gradients is not None or row.live]
        self.query_one(SmallProfiles).paint(drawn, row.key)

    @property
    def row(self) -> TrialRow | None:
        """The chosen one; before anybody chose, the best there is, that is the first beneath the sick net."""
        if self.chosen is None:
            return (*self.rows[1:2], *self.rows[:1], None)[0]
        return next((row for row in self.rows if row.key == self.chosen), None)

    def choose(self, index: int) -> None:
        """Stay with a cure, wherever it will stand."""
        if self.rows:
            self.chosen = self.rows[max(0, min(index, len(self.rows) - 1))].key
            self.point()
            self.refresh_bindings()

    @on(TrialTable.Chosen)
    def _clicked(self, event: TrialTable.Chosen) -> None:
        event.stop()
        if event.again:
            self.action_open()
        else:
            self.choose(event.index)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What cannot be done now is grey, or not there."""
        if action == "stop":
            return not self.trials.state.done
        if action == "open":
            return True if self.row is not None and self.row.folder is not None else None
        return True

    def action_move(self, by: int) -> None:
        """Another cure."""
        self.choose(self.query_one(TrialTable).cursor + by)

    def action_open(self) -> None:
        """See the run; before it was begun there is none."""
        if self.row is not None and self.row.folder is not None:
            self.dismiss(self.row.folder)

    def action_save(self) -> None:
        """Save the experiment with this cure as TOML."""
        from gradtui.ui.screens.dialogs import SaveScreen

        def said(path: Path | None) -> None:
            if path is not None:
                self.notify(f"saved {path}", markup=False)

        if self.row is not None:
            self.app.push_screen(SaveScreen(self.row.candidate.experiment), said)

    def action_stop(self) -> None:
        """End those that still train; a matter of files, so not in the painting thread."""
        self.run_worker(self.trials.stop, thread=True, group="stop")


def multiple_of(row: TrialRow) -> Multiple:
    """What is drawn of one of them."""
    return Multiple(
        (row.key,),
        row.name,
        verdict_mark(row)[0] if row.state in ("finished", "diverged") else "",
        row.outcome.drop if row.outcome is not None else math.nan,
        row.gradients,
        row.healthy,
    )


def tend(trials: Trials) -> None:
    """Look after trials until all have ended. Runs in a thread."""
    worker = get_current_worker()
    while not (worker.is_cancelled or trials.closed or trials.poll().done):
        time.sleep(PACE)
