"""The run list: every run of this machine, the newest first."""

from __future__ import annotations

import time
from pathlib import Path

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import DataTable, Static

from gradtui.runs.library import RunInfo, list_runs
from gradtui.ui.panes.key_line import KeyLine


class RunsScreen(ModalScreen[Path | None]):
    """Choose a run; answers with its folder.

    Args:
        root: the folder of the runs.
    """

    DEFAULT_CSS = """
    RunsScreen {
        align: center middle;
        & > Vertical {
            width: 96%; max-width: 110; height: 80%; border: round $accent;
            border-title-color: $accent; border-subtitle-color: $text-muted; background: $surface;
        }
        & DataTable { height: 1fr; background: $surface; }
        & #no-runs { padding: 1 2; color: $text-muted; display: none; }
    }
    """
    BINDINGS = [
        Binding("enter", "select", "open", key_display="⏎"),
        Binding("escape,r", "dismiss(None)", "back"),
        Binding("j", "down", show=False),
        Binding("k", "up", show=False),
    ]

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root
        self.shown: list[RunInfo] = []

    def compose(self) -> ComposeResult:
        """The table."""
        with Vertical() as frame:
            frame.border_title = "Runs"
            yield DataTable(cursor_type="row", zebra_stripes=False)
            yield Static("No run yet. Press esc, then space: it trains.", id="no-runs")
        yield KeyLine()

    def on_mount(self) -> None:
        """Read the folder now and every second: runs of other terminals appear and end."""
        table = self.query_one(DataTable)
        table.add_columns("state", "name", "step", "started", "folder")
        self.read()
        self.set_interval(1.0, self.read)

    @work(thread=True, exclusive=True, group="runs")
    def read(self) -> None:
        """List the runs; on a network file system that may take a while."""
        self.app.call_from_thread(self.show, list_runs(self.root))

    def show(self, runs: list[RunInfo]) -> None:
        """Fill the table, the cursor on the run where it was."""
        table = self.query_one(DataTable)
        if runs == self.shown:
            return
        row = table.cursor_row
        here = self.shown[row].id if 0 <= row < len(self.shown) else ""
        table.clear()
        for run in runs:
            table.add_row(
                run.status.state,
                Text(run.name),
                f"{run.steps:,}",
                ago(time.time() - run.started) if run.started else "—",
                Text(run.id),
            )
        self.shown = runs
        ids = [run.id for run in runs]
        table.move_cursor(row=ids.index(here) if here in ids else 0)
        self.query_one("#no-runs").display = not runs
        table.display = bool(runs)
        self.query_one(Vertical).border_subtitle = str(self.root)

    @on(DataTable.RowSelected)
    def _open(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.action_select()

    def action_select(self) -> None:
        """Open the run under the cursor."""
        row = self.query_one(DataTable).cursor_row
        if 0 <= row < len(self.shown):
            self.dismiss(Path(self.shown[row].run))

    def action_down(self) -> None:
        """Next run."""
        self.query_one(DataTable).action_cursor_down()

    def action_up(self) -> None:
        """Run before."""
        self.query_one(DataTable).action_cursor_up()


def ago(seconds: float) -> str:
    """How long ago, in the unit that a person would say."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "now" if seconds < 10 else f"{seconds:.0f} s ago"
