"""Runs held against each other: curves and layers over each other, their courses side by side, and what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.reactive import var
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import get_current_worker

from gradtui import metrics
from gradtui.ui.screens.compare.differences import Differences
from gradtui.ui.screens.compare.overlays import PARTS, OverlaidCurves, OverlaidProfiles, Waterfalls
from gradtui.ui.screens.compare.runs_legend import LETTERS, Entry, RunsLegend, newest_of
from gradtui.ui.travel import Travelled
from gradtui.ui.watching import Followed, Watching
from gradtui.ui.widgets.key_line import KeyLine
from gradtui.ui.widgets.tab_line import TabLine
from gradtui.ui.widgets.waterfall import CapacityChanged, StepSelected

PACE = 0.2
"""Seconds between two paintings at least: many runs may train at once."""
TABS = ("curves", "layers", "waterfalls", "differences")


class CompareScreen(Screen["Path | None"]):
    """Answers with the folder of a run that the person wishes to see alone, or None.

    Args:
        folders: of two to eight runs, live or finished.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]
    BINDINGS = [
        Binding("1", "tab('curves')", "curves", show=False, tooltip="Loss and accuracy.", id="compare.curves"),
        Binding("2", "tab('layers')", "layers", show=False, tooltip="The layers of all.", id="compare.layers"),
        Binding("3", "tab('waterfalls')", "waterfalls", show=False, tooltip="The course of each.", id="compare.falls"),
        Binding("4", "tab('differences')", "differences", show=False, tooltip="What differs.", id="compare.diff"),
        Binding("enter", "open", "open one", key_display="⏎", tooltip="See one of them alone.", id="compare.open"),
        Binding("e", "part", "batch/train/test", tooltip="What is drawn of loss and accuracy.", id="compare.part"),
        Binding("m", "measure(True)", "measure", tooltip="Draw another measure of the layers.", id="compare.measure"),
        Binding("M", "measure(False)", "measure before", show=False, id="compare.measure-back"),
        Binding("left,h,up,k", "time(-1)", "time", key_display="←→", tooltip="Earlier.", id="compare.earlier"),
        Binding("right,l,down,j", "time(1)", "later", show=False, id="compare.later"),
        Binding("z", "fill", "fill", tooltip="Let this pane fill the screen, and back.", id="compare.fill"),
        Binding("tab", "pane(1)", "next pane", show=False, id="compare.next"),
        Binding("shift+tab", "pane(-1)", "pane before", show=False, id="compare.before"),
        Binding("escape", "back", "back", key_display="esc", tooltip="Newest step; then back.", id="compare.back"),
    ]  # fmt: skip
    CSS = """
    CompareScreen {
        layout: vertical;
        & .pane {
            border: round $border; border-title-color: $text-muted; border-subtitle-color: $text-muted;
            &:focus { border: round $accent; border-title-color: $accent; }
            &:nocolor:focus { border-title-style: reverse; }
        }
        & .-maximized { width: 100%; height: 1fr; }
        & CurvePlot { height: 1fr; }
        & TabLine { display: none; }
        & #charts { height: 1fr; layout: grid; grid-size: 2; grid-rows: 3fr 4fr 3fr; }
        & Differences { column-span: 2; }
        &.-wide #charts { grid-size: 6; grid-rows: 1fr 1fr; }
        &.-wide .pane { column-span: 2; }
        &.-wide Waterfalls.pane { column-span: 4; }

        &.-narrow, &.-low {
            & TabLine { display: block; }
            & #charts { layout: vertical; }
            & .pane { display: none; width: 100%; height: 1fr; }
            &.-tab-curves OverlaidCurves { display: block; }
            &.-tab-layers OverlaidProfiles { display: block; }
            &.-tab-waterfalls Waterfalls { display: block; }
            &.-tab-differences Differences { display: block; }
        }
    }
    """

    tab: var[str] = var(TABS[0], init=False)
    """What a small terminal shows."""
    part: var[str] = var(PARTS[0], init=False)
    """What is drawn of loss and accuracy."""
    at: var[int | None] = var(None, init=False)
    """The step that is looked at; None is the newest of each."""

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__()
        watchings = [Watching(self, folder, beside=True) for folder in folders]
        self.entries = tuple(
            Entry(letter, watching) for letter, watching in zip(LETTERS, watchings, strict=False)
        )
        self._fresh: set[Watching] = set()
        """Those that wait to be painted."""
        self.add_class(f"-tab-{TABS[0]}", update=False)

    def compose(self) -> ComposeResult:
        """Which letter is whose, and the panes."""
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
        """Follow all of them until the screen is left."""
        self.query_one(OverlaidCurves).focus()
        self.query_one(RunsLegend).update(self.entries)
        for entry in self.entries:
            entry.watching.pace = PACE
            self.run_worker(partial(_follow, entry.watching), thread=True, group="follow")
        self.set_interval(PACE, self.paint_fresh)

    def on_unmount(self) -> None:
        """Leaving is not to wait until the next look at a folder."""
        for entry in self.entries:
            entry.watching.close()

    # -- painting

    @on(Followed)
    def _followed(self, event: Followed) -> None:
        event.stop()
        watching = event.watching
        if watching.snapshot is None and watching.problem:
            self.notify(watching.problem, severity="error", markup=False)
            watching.problem = ""
        self._fresh.add(watching)

    async def paint_fresh(self) -> None:
        """Paint what is new of any of them; then let their readers go on."""
        if not self._fresh or not self.is_current:
            return
        fresh, self._fresh = self._fresh, set()
        try:
            await self.paint()
        finally:
            for watching in fresh:
                watching.painted.set()

    async def paint(self) -> None:
        """Hand each pane all of them."""
        metric = metrics.get(self.entries[0].watching.look.measure)
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
            entry.watching.look_at(replace(entry.watching.look, rows=rows))

    # -- panes

    def watch_tab(self, before: str, tab: str) -> None:
        """Show what belongs to a tab."""
        self.remove_class(f"-tab-{before}", update=False)
        self.add_class(f"-tab-{tab}")
        self.query_one(TabLine).opened = tab

    def panes(self) -> list[tuple[str, Widget]]:
        """What can be focused, in reading order, each with its tab."""
        loss, accuracy = self.query(OverlaidCurves)
        others = (OverlaidProfiles, Waterfalls, Differences)
        return [
            (TABS[0], loss),
            (TABS[0], accuracy),
            *zip(TABS[1:], map(self.query_one, others), strict=True),
        ]

    def action_tab(self, tab: str) -> None:
        """The first pane of a tab."""
        self._go(tab, next(pane for name, pane in self.panes() if name == tab))

    @on(TabLine.Chosen)
    def _tab_chosen(self, event: TabLine.Chosen) -> None:
        self.action_tab(event.tab)

    def action_pane(self, by: int) -> None:
        """The next pane (the one before), also where that is on another tab."""
        panes = self.panes()
        here = next((i for i, (_, pane) in enumerate(panes) if pane.has_focus), 0)
        self._go(*panes[(here + by) % len(panes)])

    def _go(self, tab: str, pane: Widget) -> None:
        if self.maximized is not None:
            self.minimize()
        self.tab = tab
        # What was hidden until now can be focused once its display is known.
        self.call_after_refresh(pane.focus)

    def action_fill(self) -> None:
        """Let the pane that has the focus fill the screen, or all of them have their places again."""
        if self.maximized is not None:
            self.minimize()
        elif self.focused is not None:
            self.maximize(self.focused, container=False)

    # -- looking

    @on(Travelled)
    def _travelled(self, event: Travelled) -> None:
        event.stop()
        self.travel(event.step)

    @on(StepSelected)
    def _step_clicked(self, event: StepSelected) -> None:
        event.stop()
        self.travel(event.step)

    def travel(self, step: int | None) -> None:
        """See all runs as they were after that step, or at their last one before it; None is the newest."""
        newest = newest_of(self.entries)
        self.at = None if step is None or step >= newest else max(1, step)
        for entry in self.entries:
            watching = entry.watching
            watching.look_at(watching.look.travelled(self.at, entry.newest))
        for pane in self.query(OverlaidCurves):
            pane.point_at(self.at)
        self.refresh_bindings()

    def action_time(self, columns: int) -> None:
        """So many columns of the curves later (earlier)."""
        newest = newest_of(self.entries)
        here = newest if self.at is None else self.at
        self.travel(self.query(OverlaidCurves).first().step_beside(here, columns))

    def action_measure(self, forward: bool) -> None:
        """Another measure of the layers, of all runs that record it."""
        recorded = {name for entry in self.entries for name in entry.watching.measures}
        metric = metrics.next_drawn(self.entries[0].watching.look.measure, tuple(recorded), forward)
        for entry in self.entries:
            entry.watching.look_at(replace(entry.watching.look, measure=metric.name))

    def action_part(self) -> None:
        """Batches, the training set, the test set."""
        self.part = PARTS[(PARTS.index(self.part) + 1) % len(PARTS)]
        self.call_later(self.paint)

    # -- leaving

    def action_back(self) -> None:
        """All panes again, then the newest step, then back."""
        if self.maximized is not None:
            self.minimize()
        elif self.at is not None:
            self.travel(None)
        else:
            self.dismiss(None)

    def action_open(self) -> None:
        """Choose the run to see alone."""
        from gradtui.ui.screens.dialogs import Choice, ChooseScreen

        choices = [
            Choice(entry.letter, f"{entry.letter} {entry.watching.title}", str(entry.watching.folder.name))
            for entry in self.entries
        ]

        def take(letter: str | None) -> None:
            if letter is not None:
                self.dismiss(self.entries[LETTERS.index(letter)].watching.folder)

        self.app.push_screen(ChooseScreen("Open", choices, title_width=32), take)


def _follow(watching: Watching) -> None:
    """Read a run's folder until the screen is left. Runs in a thread."""
    watching.follow(get_current_worker())
