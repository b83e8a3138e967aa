"""The CompareScreen shows several runs: their curves and layers over each other, their waterfalls, and how they
differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.widget import Widget
from textual.worker import get_current_worker

from gradtui import metrics
from gradtui.ui.followed_run import FollowedRun, RunChanged
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.screens.compare.differences import Differences
from gradtui.ui.screens.compare.overlays import PARTS, OverlaidCurves, OverlaidProfiles, Waterfalls
from gradtui.ui.screens.compare.runs_legend import LETTERS, ComparedRun, RunsLegend, newest_of
from gradtui.ui.view import StepChanged
from gradtui.ui.widgets.key_line import KeyLine
from gradtui.ui.widgets.tab_line import PaneTabs, TabLine, fill
from gradtui.ui.widgets.waterfall import CapacityChanged, StepSelected

PAINT_SECONDS = 0.2
"""Seconds between two paintings at least: many runs may train at once."""
TABS = ("curves", "layers", "waterfalls", "differences")


class CompareScreen(OneAnswer["Path | None"]):
    """The CompareScreen shows up to eight runs or groups of runs together.

    It answers with the folder of a run to open alone, or None.

    Args:
        folders: the folder of each run, live or finished; or the folders of all runs of a group, which is drawn as one.
        names: the names of the groups, by their index in `folders`.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]
    BINDINGS = [
        Binding("1", "tab('curves')", "curves", show=False, tooltip="Show loss and accuracy.", id="compare.curves"),
        Binding("2", "tab('layers')", "layers", show=False, tooltip="Show all layers.", id="compare.layers"),
        Binding("3", "tab('waterfalls')", "waterfalls", show=False, tooltip="Show all waterfalls.", id="compare.falls"),
        Binding("4", "tab('differences')", "differences", show=False, tooltip="Show what differs.", id="compare.diff"),
        Binding("enter", "open", "open one", key_display="⏎", tooltip="Open one of the runs alone.", id="compare.open"),
        Binding("e", "part", "batch/train/test", tooltip="Choose the loss and the accuracy.", id="compare.part"),
        Binding("m", "metric(True)", "metric", tooltip="Show another metric of the layers.", id="compare.measure"),
        Binding("M", "metric(False)", "previous metric", show=False,
                tooltip="Go back to the metric before.", id="compare.measure-back"),
        Binding("left,h,up,k", "time(-1)", "time", key_display="←→", tooltip="Change the step.", id="compare.earlier"),
        Binding("right,l,down,j", "time(1)", "later", show=False, id="compare.later"),
        Binding("z", "fill", "full screen", tooltip="Show this pane on the full screen, and back.", id="compare.fill"),
        Binding("tab", "pane(1)", "next pane", show=False, id="compare.next"),
        Binding("shift+tab", "pane(-1)", "previous pane", show=False, id="compare.before"),
        Binding("escape,q", "back", "back", key_display="esc", tooltip="Go to the newest, or back.", id="compare.back"),
    ]  # fmt: skip
    CSS_PATH = "compare.tcss"

    def __init__(
        self, folders: Sequence[Path | Sequence[Path]], names: Mapping[int, str] = MappingProxyType({})
    ) -> None:
        super().__init__()
        entries = []
        for at, (letter, given) in enumerate(zip(LETTERS, folders, strict=False)):
            of_group = [given] if isinstance(given, Path) else given
            followed, *others = (FollowedRun(self, folder, compared=True) for folder in of_group)
            entries.append(ComparedRun(letter, followed, names.get(at, ""), tuple(others)))
        self.entries = tuple(entries)
        self.followed_runs = tuple(followed for entry in entries for followed in entry.runs)
        self.tabs = PaneTabs(self, TABS[0], self.panes)
        self.part = PARTS[0]
        """Which curves of loss and accuracy are drawn: of batches, of the training or of the test set."""
        self.at: int | None = None
        """The step that is shown; None is the newest of each run."""
        self._fresh: set[FollowedRun] = set()
        """The runs that wait to be painted."""

    def compose(self) -> ComposeResult:
        """Yield the legend of letters and the panes."""
        yield RunsLegend()
        yield TabLine(TABS)
        with Container(id="charts"):
            yield OverlaidCurves("loss")
            yield OverlaidCurves("accuracy")
            yield OverlaidProfiles()
            yield Waterfalls()
            yield Differences()
        yield KeyLine()

    def on_mount(self) -> None:
        """Follow all runs until the screen is left."""
        self.query_one(OverlaidCurves).focus()
        self.query_one(RunsLegend).update(self.entries)
        for followed in self.followed_runs:
            followed.pace = PAINT_SECONDS
            self.run_worker(partial(_follow, followed), thread=True, group="follow")
        self.set_interval(PAINT_SECONDS, self._paint_soon)

    def on_unmount(self) -> None:
        """End the reading threads."""
        for followed in self.followed_runs:
            followed.close()

    # -- painting

    @on(RunChanged)
    def _run_changed(self, event: RunChanged) -> None:
        event.stop()
        followed = event.followed
        if followed.snapshot is None and followed.problem:
            self.notify(followed.problem, severity="error", markup=False)
            followed.problem = ""
        self._fresh.add(followed)

    def _paint_soon(self) -> None:
        """Send a message that paints, since the timer's own task would paint beside a key that paints.

        Each message to a screen beneath a dialog makes Textual paint both, so none is sent without need.
        """
        if self._fresh and self.is_current:
            self.call_later(self.paint_fresh)

    async def paint_fresh(self) -> None:
        """Paint what is new of any run; then let their readers continue."""
        if not self._fresh or not self.is_current:
            return
        fresh, self._fresh = self._fresh, set()
        try:
            await self.paint()
        finally:
            for followed in fresh:
                followed.painted.set()

    async def paint(self) -> None:
        """Hand all runs to each pane."""
        metric = metrics.get(self.entries[0].followed.request.metric)
        self.query_one(RunsLegend).update(self.entries)
        for pane in self.query(OverlaidCurves):
            await pane.overlay(self.entries, self.part, self.at)
        self.query_one(OverlaidProfiles).overlay(self.entries, metric)
        await self.query_one(Waterfalls).overlay(self.entries, metric)
        self.query_one(Differences).overlay(self.entries)

    @on(CapacityChanged)
    def _room(self, event: CapacityChanged) -> None:
        event.stop()
        found = self.query_one(Waterfalls).rows_of(event.chart)
        if found is not None:
            entry, rows = found
            entry.followed.show(replace(entry.followed.request, rows=rows))

    # -- panes

    def panes(self) -> list[tuple[str, Widget]]:
        """Return what can be focused, in reading order, each with its tab."""
        loss, accuracy = self.query(OverlaidCurves)
        others = (OverlaidProfiles, Waterfalls, Differences)
        return [
            (TABS[0], loss),
            (TABS[0], accuracy),
            *zip(TABS[1:], map(self.query_one, others), strict=True),
        ]

    def action_tab(self, tab: str) -> None:
        """Focus the first pane of a tab."""
        self.tabs.focus(tab, self.tabs.first_pane(tab))

    def action_pane(self, by: int) -> None:
        """Focus the next pane (-1: the one before), also where that is on another tab."""
        self.tabs.focus(*self.tabs.beside(by))

    def action_fill(self) -> None:
        """Let the pane that has the focus fill the screen, or give all panes their places again."""
        fill(self)

    # -- another step, another metric

    @on(StepChanged)
    def _step_changed(self, event: StepChanged) -> None:
        event.stop()
        self.go_to(event.step)

    @on(StepSelected)
    def _step_clicked(self, event: StepSelected) -> None:
        event.stop()
        self.go_to(event.step)

    def go_to(self, step: int | None) -> None:
        """Show all runs as they were after a step, or at their last step before it; None is the newest of each."""
        newest = newest_of(self.entries)
        self.at = None if step is None or step >= newest else max(1, step)
        for entry in self.entries:
            for followed in entry.runs:
                followed.show(followed.request.at_step(self.at, entry.newest))
        for pane in self.query(OverlaidCurves):
            pane.point_at(self.at)
        self.refresh_bindings()

    def action_time(self, columns: int) -> None:
        """Show a step that is later by some columns of the curves, or earlier if negative."""
        newest = newest_of(self.entries)
        here = newest if self.at is None else self.at
        self.go_to(self.query(OverlaidCurves).first().step_beside(here, columns))

    def action_metric(self, forward: bool) -> None:
        """Draw the next (or previous) metric that any of the runs records of its layers."""
        recorded = {name for followed in self.followed_runs for name in followed.metrics}
        metric = metrics.next_drawn(self.entries[0].followed.request.metric, tuple(recorded), forward)
        for followed in self.followed_runs:
            followed.show(replace(followed.request, metric=metric.name))

    def action_part(self) -> None:
        """Draw the curves of the batches, of the training set, or of the test set, in turn."""
        self.part = PARTS[(PARTS.index(self.part) + 1) % len(PARTS)]
        self.call_later(self.paint)

    # -- leaving

    def action_back(self) -> None:
        """Give all panes their places, or else show the newest step, or else leave the screen."""
        if self.maximized is not None:
            self.minimize()
        elif self.at is not None:
            self.go_to(None)
        else:
            self.dismiss(None)

    def action_open(self) -> None:
        """Choose the run to open alone."""
        from gradtui.ui.screens.dialogs import Choice, ChooseScreen

        choices = [
            Choice(str(followed.folder), f"{entry.letter} {followed.title}", followed.folder.name)
            for entry in self.entries
            for followed in entry.runs
        ]

        def take(folder: str | None) -> None:
            if folder is not None:
                self.dismiss(Path(folder))

        self.app.push_screen(ChooseScreen("Open", choices, title_width=32), take)


def _follow(followed: FollowedRun) -> None:
    followed.follow(get_current_worker())
