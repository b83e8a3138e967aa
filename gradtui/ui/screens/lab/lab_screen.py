"""Show the builder, the controls and the charts of one run, live or finished."""

from __future__ import annotations

import gc
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import ActiveBinding
from textual.containers import Horizontal, Vertical
from textual.reactive import var
from textual.widget import Widget
from textual.widgets import OptionList

from gradtui.experiment import Experiment
from gradtui.ui.chart_imports import import_charts
from gradtui.ui.edit.field_list import FieldList
from gradtui.ui.followed_run import RunChanged
from gradtui.ui.key_reasons import why_not
from gradtui.ui.keys import LAB_KEYS, rank_of
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.screens.lab.cure_comparison import CureComparison
from gradtui.ui.screens.lab.expected_pane import ExpectedPane
from gradtui.ui.screens.lab.findings_pane import FindingsPane
from gradtui.ui.screens.lab.gradient_pane import GradientPane
from gradtui.ui.screens.lab.model_pane import ModelPane
from gradtui.ui.screens.lab.net_pane import NetPane
from gradtui.ui.screens.lab.run_controls import RunControls
from gradtui.ui.screens.lab.run_lists import RunLists
from gradtui.ui.screens.lab.run_texts import RunTextActions
from gradtui.ui.screens.lab.run_view import RunView
from gradtui.ui.screens.lab.workbench import Workbench
from gradtui.ui.settings_store import store_of
from gradtui.ui.time_cursor import TimeActions, TimeCursor
from gradtui.ui.view import StepChanged, TimeZoomed
from gradtui.ui.widgets.curve_pane import CurvePane
from gradtui.ui.widgets.key_line import KeyLine
from gradtui.ui.widgets.status_bar import StatusBar
from gradtui.ui.widgets.tab_line import PaneTabs, TabLine, fill

if TYPE_CHECKING:
    from gradtui.runs.control import CommandName
    from gradtui.training.launch import Trainer

TABS = ("net", "gradient", "curves", "findings")

STATUS_SECONDS = 0.5
"""The seconds between two paintings of the first line without new data, so that a long evaluation is named."""


class LabScreen(TimeActions, RunTextActions, OneAnswer[Any]):
    """The LabScreen owns the panes: it sets their attributes and handles their messages.

    Its parts do the rest: `view` follows and paints the run, `comparison` a second one beside it, `controls` start and
    control trainings, `cursor` moves through time and metrics, `tabs` through panes; the workbench edits.

    Args:
        experiment: the experiment that the builder opens on.
        attach: the folder of a run to open.
    """

    CSS_PATH = "lab.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]
    BINDINGS = LAB_KEYS

    drawn: var[bool] = var(False, init=False)
    """Whether the net is drawn instead of the charts: until there is a run, or after a key."""

    def __init__(self, experiment: Experiment, attach: Path | None = None) -> None:
        super().__init__()
        self.opens_on = experiment
        self.attach = attach
        self.controls = RunControls(self, self.open_run)
        self.cursor = TimeCursor(self, lambda: self.followed)
        self.comparison = CureComparison(self, lambda: self.followed, self.open_run, self.controls)
        self.view = RunView(self, self.controls, self.comparison)
        # If a run is opened at once, the net is not shown first. Both classes are set from the start, since a later
        # change makes Textual look up the styles of every widget, which takes 10 to 20 ms.
        self.tabs = PaneTabs(self, TABS[0] if attach is None else "gradient", self.panes)
        self.set_reactive(LabScreen.drawn, not self.narrow and attach is None)
        self.set_class(self.drawn, "-drawn", update=False)
        self.set_class(attach is None, "-idle", update=False)
        self.lists = RunLists(self, self.open_run, self.comparison, self._went_back)

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """Return the keys in the order of `rank_of`, since a narrow key line omits the last ones."""
        found = self.followed is not None and bool(self.followed.newest_findings)
        bindings = super().active_bindings
        return dict(sorted(bindings.items(), key=lambda item: rank_of(item[1], self, found=found)))

    @property
    def workbench(self) -> Workbench:
        """Return the left column, which owns the edited experiment."""
        return self.query_one(Workbench)

    # -- the first frame, and what can wait until it is painted

    def compose(self) -> ComposeResult:
        """Yield text on the left and charts on the right. Nothing here imports numpy."""
        yield StatusBar()
        yield TabLine(TABS, self.tabs.opened)
        with Horizontal(id="bench"):
            yield Workbench(self.opens_on, id="side")
            with Vertical(id="charts"):
                yield ExpectedPane()
                yield NetPane(classes="pane")
                yield GradientPane()
                with Horizontal(id="curves"):
                    yield CurvePane("loss")
                    yield CurvePane("accuracy")
                    yield CurvePane("grad_norm")
        yield KeyLine()

    def on_mount(self) -> None:
        """Show the experiment; import and prepare everything else once this is on the screen."""
        self.view.show_status()
        if (store := store_of(self.app)) is not None:
            for pane in self.query(CurvePane):
                pane.keep_settings(store)
        self.query_one(NetPane).experiment = self.workbench.experiment
        self.query_one(ExpectedPane).show(self.workbench.experiment)
        self.query_one(ModelPane).focus()
        self.set_interval(STATUS_SECONDS, self.view.show_status)
        self.call_after_refresh(self.warm_up)

    @work(thread=True, group="warm")
    def warm_up(self) -> None:
        """Open the run, import what the charts need, and have a trainer ready."""
        if self.attach is not None:
            self.app.call_from_thread(partial(self.open_run, self.attach, adopt=True))
        import_charts()
        self.controls.trainers.warm()
        # All objects that exist now are kept to the end (see app.quicken).
        gc.freeze()
        gc.enable()

    def on_unmount(self) -> None:
        """End the reading threads, which would otherwise continue to sleep, and the standby process."""
        self.view.close()
        self.comparison.close()
        self.controls.close()

    @property
    def narrow(self) -> bool:
        """Return whether the terminal shows one tab at a time."""
        return self.app.size.width < self.HORIZONTAL_BREAKPOINTS[1][0]

    def panes(self) -> list[tuple[str, Widget]]:
        """Return what can be focused, in reading order, each with its tab."""
        return [
            *([] if self.has_class("-script") else [("net", self.query_one(ModelPane))]),
            ("net", self.workbench.query_one(FieldList)),
            *([("net", self.query_one(NetPane))] if self.drawn or self.narrow else []),
            ("gradient", self.query_one(GradientPane)),
            *(("curves", pane) for pane in self.query(CurvePane) if pane.display or self.narrow),
            ("findings", self.query_one(FindingsPane)),
        ]

    def action_pane(self, by: int) -> None:
        """Focus the next pane (-1: the one before), also where that is on another tab."""
        self._focus(*self.tabs.beside(by))

    def action_tab(self, tab: str) -> None:
        """Focus the first pane of a tab."""
        self._focus(tab, self.tabs.first_pane(tab))

    def _focus(self, tab: str, pane: Widget) -> None:
        self.tabs.focus(tab, pane, restyle=self.narrow)
        if self.narrow or tab in ("gradient", "curves"):
            self.drawn = isinstance(pane, NetPane)

    def action_fill(self) -> None:
        """Let the pane that has the focus fill the screen, or give all panes their places again."""
        fill(self)

    def watch_drawn(self, drawn: bool) -> None:
        """Show the drawing of the net, or the charts."""
        self.set_class(drawn, "-drawn")

    def action_draw_net(self) -> None:
        """Draw the net instead of the charts, or show the charts again."""
        self.drawn = not self.drawn
        if self.drawn:
            self._focus("net", self.query_one(NetPane))
        else:
            self.action_tab("gradient" if self.followed is not None else "net")

    @on(OptionList.OptionHighlighted, "ModelPane")
    def _group_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self.query_one(NetPane).chosen = event.option_index

    @on(NetPane.Chosen)
    def _group_chosen(self, event: NetPane.Chosen) -> None:
        self.query_one(ModelPane).highlighted = event.index

    @on(NetPane.Predicted)
    async def _predicted(self, event: NetPane.Predicted) -> None:
        if self.has_class("-idle") and event.experiment == self.workbench.experiment:
            self.set_class(not event.prediction.log10_profile, "-unpredicted")
            await self.query_one(ExpectedPane).expect(event.prediction)

    @on(NetPane.Edit)
    def _group_edit(self, event: NetPane.Edit) -> None:
        self.workbench.edit_group(event.index)

    # -- editing, which the workbench does

    def action_edit(self, way: str) -> None:
        """Edit, copy or save the experiment; see `Workbench.edit` for the ways."""
        self.workbench.edit(way, self.followed)

    def on_paste(self, event: events.Paste) -> None:
        """Take over pasted TOML as the experiment, or as a part of it."""
        event.stop()
        self.workbench.paste(event.text)

    @on(Workbench.Edited)
    def _edited(self, event: Workbench.Edited) -> None:
        """Send the running trainer the changes that it can apply at once."""
        if self.view.edit(event.before, event.after):
            self.refresh_bindings()
        self.view.show_status()
        self.query_one(NetPane).experiment = event.after
        self.query_one(ExpectedPane).show(event.after)
        if self.narrow and self.tabs.opened != "net" and event.before.net != event.after.net:
            # If a preset or a cure was applied on another tab, show the result on the net's tab.
            self.action_tab("net")

    # -- training, and comparing with another run

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key does anything now."""
        if action == "live":
            return self.cursor.in_the_past
        if action == "back":
            return bool(self.lists.trail) and not self.cursor.in_the_past and self.maximized is None
        if action == "rate" and self.has_class("-lesson"):
            return False  # The same keys turn the pages of the lesson.
        return self.view.allows(str(parameters[0]) if action in ("send", "edit") else action)

    def on_key(self, event: events.Key) -> None:
        """Say why a key of the lab can do nothing now."""
        bindings = self._bindings.key_to_bindings.get(event.key, [])
        possible = not bindings or event.key in self.active_bindings
        reason = "" if possible else why_not(bindings, self.followed, lesson=self.has_class("-lesson"))
        if reason:
            self.query_one(StatusBar).say(f"{self.app.get_key_display(bindings[0])}: {reason}")

    def _went_back(self) -> None:
        self.view.trail = self.lists.words
        self.view.show_status()
        self.refresh_bindings()

    def action_start(self) -> None:
        """Train the edited experiment."""
        self.controls.start(self.workbench.experiment)

    def action_continue(self) -> None:
        """Continue a run that was stopped, from its newest checkpoint."""
        self.controls.resume(self.followed)

    @on(Workbench.Beside)
    def _beside(self, event: Workbench.Beside) -> None:
        event.stop()
        self.controls.start_pair(event.preset)

    def action_beside(self) -> None:
        """Train the open preset beside its partner: the problem and its cure."""
        self.controls.start_pair(self.workbench.experiment.name)

    def action_rate(self, up: bool) -> None:
        """Raise or lower the learning rate; a training takes it over at once."""
        self.query_one(StatusBar).say(f"learning rate {self.workbench.step('optimizer.lr', up=up)}")

    def action_preflight(self) -> None:
        """Measure the edited experiment at initialisation, beside theory."""
        self.controls.preflight(self.workbench.experiment)

    def action_restart(self) -> None:
        """Stop the run on the screen and train the edited experiment from its start."""
        self.controls.restart(self.followed, self.workbench.experiment)

    def action_send(self, command: CommandName) -> None:
        """Send a command to the trainer: pause, resume, step (once, then pause) or stop."""
        self.controls.send(self.followed, command)

    def action_fork_with_cure(self) -> None:
        """Choose a cure of the run on the screen, and train a fork with it beside the run."""
        self.comparison.choose_cure()

    def action_try_all_cures(self) -> None:
        """Train and rank every cure of the run on the screen."""
        self.comparison.try_all_cures()

    def action_repair(self) -> None:
        """Train the run on the screen with the best advice, round by round, until it learns."""
        self.comparison.repair()

    def action_end_comparison(self) -> None:
        """Show both runs, or each of them alone, and say which."""
        self.query_one(StatusBar).say(self.comparison.show_next())

    # -- the run on the screen

    def open_run(
        self,
        folder: Path,
        *,
        adopt: bool = False,
        trainer: Trainer | None = None,
        against: Path | None = None,
        alone: bool = False,
        came_from: str = "",
    ) -> None:
        """Show a run from now on; see RunView.open for the arguments. came_from: the list that it was chosen in."""
        if came_from:
            self.lists.came(came_from)
        elif against is None and not alone:
            self.lists.trail = []
        self.view.trail = self.lists.words
        self.view.open(folder, adopt=adopt, trainer=trainer, against=against, alone=alone)
        self.drawn = False
        self.set_class(False, "-idle")
        self.query_one(NetPane).needed = False
        if self.tabs.opened == "net":
            # On a narrow terminal, show the tab with the gradient.
            self.tabs.open("gradient", restyle=self.narrow)
            if self.narrow:
                self.call_after_refresh(self.query_one(GradientPane).focus)

    @on(RunChanged)
    async def _run_changed(self, event: RunChanged) -> None:
        await self.view.take(event)

    async def on_screen_resume(self) -> None:
        """Paint what has changed while another screen covered this one."""
        await self.view.paint()

    # -- another step, another metric, one layer

    @on(StepChanged)
    def _step_changed(self, event: StepChanged) -> None:
        event.stop()
        self.cursor.go_to(event.step)

    @on(TimeZoomed)
    def _zoomed(self, event: TimeZoomed) -> None:
        self.cursor.zoom(event.factor)

    @on(GradientPane.RowsChanged)
    def _rows(self, event: GradientPane.RowsChanged) -> None:
        self.cursor.show(rows=event.rows)

    @on(GradientPane.Opened)
    def _layer_opened(self, event: GradientPane.Opened) -> None:
        from gradtui.ui.screens.layer.layer_screen import LayerScreen

        if self.followed is not None:
            point_at = self.query_one(GradientPane).point_at
            self.app.push_screen(LayerScreen(self.followed, event.layer, self.lists.words), point_at)

    def action_why(self) -> None:
        """Explain what was found in the run, with its numbers."""
        from gradtui.ui.screens.why_screen import explain

        explain(self, self.followed, self.view.disk, self.draw_factors)

    def reveal_charts(self) -> bool:
        """Show the charts of the layers where they are hidden, and return whether they were."""
        return self.view.reveal_charts(self.action_tab)

    def action_find_layer(self) -> None:
        """Point at a layer by its name."""
        from gradtui.ui.screens.dialogs import find_layer

        find_layer(self.app, self.followed, self.query_one(GradientPane).point_at)

    # -- other screens

    def action_back(self) -> None:
        """Open again the list from which the run on the screen was opened."""
        self.lists.back()

    def action_runs(self) -> None:
        """Choose another run from the list."""
        self.lists.runs()

    def action_studies(self) -> None:
        """Open the list of studies."""
        self.lists.studies()

    def action_report(self) -> None:
        """Write the run on the screen as one page to share."""
        if self.followed is not None:
            self.lists.report(self.followed.folder)
