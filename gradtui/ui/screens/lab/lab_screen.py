"""The lab: builder, controls and charts of one run, live or finished."""

from __future__ import annotations

import gc
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import ActiveBinding
from textual.containers import Horizontal, Vertical
from textual.reactive import var
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import OptionList
from textual.worker import get_current_worker

from gradtui.experiment import Experiment
from gradtui.ui import warming
from gradtui.ui.edit.field_list import FieldList
from gradtui.ui.keeping import KeepingApp
from gradtui.ui.keys import LAB_KEYS, TRAINING_KEYS
from gradtui.ui.pace import PacedApp
from gradtui.ui.screens.lab.cure_comparison import Comparing
from gradtui.ui.screens.lab.curve_pane import CurvePane
from gradtui.ui.screens.lab.findings_pane import FindingsPane
from gradtui.ui.screens.lab.gradient_pane import GradientPane
from gradtui.ui.screens.lab.model_pane import ModelPane
from gradtui.ui.screens.lab.net_pane import NetPane
from gradtui.ui.screens.lab.stats_pane import StatsPane
from gradtui.ui.screens.lab.training_pane import TrainingPane
from gradtui.ui.screens.lab.workbench import Workbench
from gradtui.ui.watching import Followed, Watching
from gradtui.ui.widgets.key_line import KeyLine
from gradtui.ui.widgets.status_bar import StatusBar, cure_of, progress_of
from gradtui.ui.widgets.tab_line import TABS, TabLine

if TYPE_CHECKING:
    from gradtui.training.launch import Trainer
    from gradtui.ui.studies.desk import Desk

STATUS_SECONDS = 0.5
"""How often the first line is looked at again where nothing new comes: an evaluation that lasts should be named."""


class LabScreen(Comparing):
    """Build, train, look. Attributes go down to the panes, their messages come up to here.

    Args:
        experiment: what the builder opens on.
        attach: a run's folder to open.
    """

    CSS_PATH = "lab.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]
    BINDINGS = LAB_KEYS

    tab: var[str] = var(TABS[0], init=False)
    """What a narrow terminal shows; a wide one shows everything."""
    drawn: var[bool] = var(False, init=False)
    """Whether the net is drawn where the charts are: until there is a run, and by a key."""

    def __init__(self, experiment: Experiment, attach: Path | None = None) -> None:
        super().__init__()
        self.opens_on = experiment
        self.attach = attach
        # Where a run comes at once, nobody need see the net first. As classes from the start: each that changes
        # later has the styles of every widget looked up again, which takes 10 to 20 ms.
        self.set_reactive(LabScreen.drawn, not self.narrow and attach is None)
        self.set_reactive(LabScreen.tab, TABS[0] if attach is None else "gradient")
        self.add_class(f"-tab-{self.tab}", *(["-drawn"] if self.drawn else []), update=False)
        self.adopting = False
        self.painted_state = ""
        self.desk: Desk | None = None
        """The studies, those under way among them, once they were looked at."""
        self.orphan = False
        """Whether it is still to be asked which run the one on the screen is held against."""

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """Training first, then help and the way out, then the rest: a narrow footer is cut at its end."""

        def rank(active: ActiveBinding) -> int:
            if active.binding.id in TRAINING_KEYS:
                return 0
            return {id(self.app): 1, id(self): 3}.get(id(active.node), 2)

        bindings = super().active_bindings
        return dict(sorted(bindings.items(), key=lambda item: rank(item[1])))

    # -- the first frame, and what can wait until it is painted

    def compose(self) -> ComposeResult:
        """Text on the left, charts on the right. Nothing here imports numpy."""
        yield StatusBar()
        yield TabLine()
        with Horizontal(id="bench"):
            yield Workbench(self.opens_on, id="side")
            with Vertical(id="sight"):
                yield NetPane(classes="pane")
                yield GradientPane()
                with Horizontal(id="curves"):
                    yield CurvePane("loss")
                    yield CurvePane("accuracy")
        yield KeyLine()

    def on_mount(self) -> None:
        """Show the experiment; import and warm everything else once this is on the screen."""
        self.show_status()
        self._settle()
        self.query_one(NetPane).experiment = self.draft
        self.query_one(ModelPane).focus()
        self.set_interval(STATUS_SECONDS, self.show_status)
        self.call_after_refresh(self.warm_up)

    def _settle(self) -> None:
        """Curves as the person had them last; what is changed from now on is kept."""
        app = self.app
        if not isinstance(app, KeepingApp):
            return
        for pane in self.query(CurvePane):
            pane.smoothing = app.settings.smoothing
            pane.logarithmic = app.settings.log_loss if pane.what == "loss" else app.settings.log_accuracy
            self.watch(pane, "smoothing", partial(_keep, app, "smoothing"), init=False)
            self.watch(pane, "logarithmic", partial(_keep, app, f"log_{pane.what}"), init=False)

    @work(thread=True, group="warm")
    def warm_up(self) -> None:
        """Open the run, import what the charts need, and have a trainer ready."""
        if self.attach is not None:
            self.app.call_from_thread(self.open_run, self.attach, adopt=True)
        warming.import_charts()
        self.have_trainers().warm()
        # What has been made until now stays to the end: see app.quicken.
        gc.freeze()
        gc.enable()

    @property
    def bench(self) -> Workbench:
        """The left column."""
        return self.query_one(Workbench)

    @property
    def draft(self) -> Experiment:
        """The experiment that is edited now."""
        return self.bench.experiment

    @property
    def narrow(self) -> bool:
        """Whether the terminal shows one tab at a time."""
        return self.app.size.width < self.HORIZONTAL_BREAKPOINTS[1][0]

    # -- panes, and the tabs that a narrow terminal has in their place

    def watch_tab(self, before: str, tab: str) -> None:
        """Show what belongs to a tab; a wide terminal does not look at these classes."""
        self.remove_class(f"-tab-{before}", update=False)
        self.add_class(f"-tab-{tab}", update=self.narrow)
        self.query_one(TabLine).opened = tab

    def watch_drawn(self, drawn: bool) -> None:
        """The net, or the charts."""
        self.set_class(drawn, "-drawn")

    def panes(self) -> list[tuple[str, Widget]]:
        """What can be focused, in reading order, each with its tab."""
        found: list[tuple[str, Widget]] = [
            *([] if self.has_class("-script") else [("net", self.query_one(ModelPane))]),
            ("net", self.bench.query_one(FieldList)),
            *([("net", self.query_one(NetPane))] if self.drawn or self.narrow else []),
            ("gradient", self.query_one(GradientPane)),
            *(("curves", pane) for pane in self.query(CurvePane)),
            ("findings", self.query_one(FindingsPane)),
        ]
        return found

    def action_pane(self, by: int) -> None:
        """The next pane (the one before), also where that is on another tab."""
        panes = self.panes()
        here = next((i for i, (_, pane) in enumerate(panes) if pane.has_focus), -1 if by > 0 else 0)
        self._go(*panes[(here + by) % len(panes)])

    def action_tab(self, tab: str) -> None:
        """The first pane of a tab."""
        self._go(tab, next(pane for name, pane in self.panes() if name == tab))

    def _go(self, tab: str, pane: Widget) -> None:
        if self.maximized is not None:
            self.minimize()
        self.tab = tab
        if self.narrow or tab in ("gradient", "curves"):
            self.drawn = isinstance(pane, NetPane)
        # What was hidden until now can be focused once its display is known.
        self.call_after_refresh(pane.focus)

    @on(TabLine.Chosen)
    def _tab_chosen(self, event: TabLine.Chosen) -> None:
        self.action_tab(event.tab)

    def action_fill(self) -> None:
        """Let the pane that has the focus fill the screen, or all of them have their places again."""
        if self.maximized is not None:
            self.minimize()
            return
        around = self.focused.ancestors_with_self if self.focused is not None else []
        pane = next((node for node in around if node.has_class("pane")), None)
        if isinstance(pane, Widget):
            self.maximize(pane, container=False)

    # -- the net as a list and as a picture

    def action_draw_net(self) -> None:
        """The net in place of the charts, or the charts again."""
        self.drawn = not self.drawn
        if self.drawn:
            self._go("net", self.query_one(NetPane))
        else:
            self.action_tab("gradient" if self.watching is not None else "net")

    @on(OptionList.OptionHighlighted, "ModelPane")
    def _group_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self.query_one(NetPane).chosen = event.option_index

    @on(NetPane.Chosen)
    def _group_chosen(self, event: NetPane.Chosen) -> None:
        self.query_one(ModelPane).highlighted = event.index

    @on(NetPane.Edit)
    def _group_edit(self, event: NetPane.Edit) -> None:
        self.bench.edit_group(event.index)

    def action_copy(self) -> None:
        """The experiment as TOML on the clipboard."""
        self.bench.copy()

    def on_paste(self, event: events.Paste) -> None:
        """TOML from the clipboard becomes the experiment, or a part of it."""
        event.stop()
        self.bench.paste(event.text)

    # -- editing, which the workbench does

    @on(Workbench.Edited)
    def _edited(self, event: Workbench.Edited) -> None:
        """Send what a running trainer can take over at once."""
        from gradtui.experiment.overrides import diff
        from gradtui.runs.control import LIVE

        self.show_status()
        self.query_one(NetPane).experiment = event.after
        if self.narrow and self.tab != "net" and event.before.net != event.after.net:
            # A preset or a cure was taken on another tab: here one sees what it is.
            self.action_tab("net")
        watching, changed = self.watching, diff(event.before, event.after)
        # An edit that also changes what cannot change now (a preset, say) is another experiment, for the next start.
        if watching is not None and watching.live and changed and set(changed) <= set(LIVE):
            self.wish("set", set=changed)

    def action_all_settings(self) -> None:
        """Every field that is not the net's."""
        self.bench.open_settings()

    def action_presets(self) -> None:
        """Open one of the recipes that ship."""
        self.bench.choose_preset()

    def action_cures(self) -> None:
        """Apply a cure to the experiment."""
        findings = self.watching.findings if self.watching is not None else None
        self.bench.choose_cure([cure.key for finding in findings or () for cure in finding.cures])

    def action_save(self) -> None:
        """Save the experiment as TOML."""
        from gradtui.ui.screens.dialogs import SaveScreen

        def said(path: Path | None) -> None:
            if path is not None:
                self.notify(f"saved {path}", markup=False)

        self.app.push_screen(SaveScreen(self.bench.experiment), said)

    def action_undo(self) -> None:
        """Take the last edit back."""
        self.bench.undo()

    def action_redo(self) -> None:
        """Take the last undo back."""
        self.bench.redo()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """One key, the word that fits: train, pause or go on."""
        watching = self.watching
        live = watching is not None and watching.live
        paused = live and watching is not None and watching.state == "paused"
        curable = watching is not None and watching.experiment is not None and not watching.preflight
        return {
            "start": not live,
            "preflight": not live,
            "pause": live and not paused,
            "resume": paused,
            "single_step": live,
            "stop": live,
            "restart": live,
            "log": watching is not None,
            "measure": watching is not None,
            "first_bad": watching is not None,
            "live": watching is not None and watching.at is not None,
            "find_layer": watching is not None,
            "treat": curable,
            "try_all": curable,
            "alone": self.partner is not None,
        }.get(action, True)

    # -- the run on the screen

    def open_run(
        self,
        folder: Path,
        *,
        adopt: bool = False,
        trainer: Trainer | None = None,
        against: Path | None = None,
    ) -> None:
        """Show a run from now on; with ``adopt``, the builder takes over its experiment. ``against``: the run that
        it is held against; without one, the one that it names itself."""
        self.adopting = adopt
        self.compare_with(against)
        self.orphan = against is None
        if self.watching is not None:
            self.watching.close()
        self.watching = Watching(self, folder, trainer)
        if isinstance(self.app, KeepingApp):
            self.watching.pace = 1 / self.app.settings.redraws
        if self.measured is not None and folder.parent == self.measured:
            # What theory speaks of; and the only measure of which the start tells as much as a training.
            self.watching.look = replace(self.watching.look, measure="output_grad_rms")
        self.painted_state = ""
        self.drawn = False
        self.query_one(GradientPane).clear()
        for pane in self.query(CurvePane):
            pane.clear()
        self.show_status()
        if self.tab == "net":
            # A narrow terminal turns to what the person started this for.
            self.tab = "gradient"
            if self.narrow:
                self.call_after_refresh(self.query_one(GradientPane).focus)
        self.follow(self.watching)

    def on_unmount(self) -> None:
        """Leaving is not to wait until the next look at a folder."""
        for watching in (self.watching, self.partner):
            if watching is not None:
                watching.close()

    @work(thread=True, exclusive=True, group="follow")
    def follow(self, watching: Watching) -> None:
        """Read the run's folder until another run is shown."""
        watching.follow(get_current_worker())

    @on(Followed)
    async def _followed(self, event: Followed) -> None:
        """A new whole state of the run: paint it, then let the reader go on."""
        if event.watching is self.partner and self.watching is not None:
            if self.partner.snapshot is None:
                self.notify(self.partner.problem, severity="error", markup=False)
                self.compare_with(None)
            elif not self.covered and self.watching.snapshot is not None:
                await self.paint(self.watching)
            event.watching.painted.set()
            return
        if event.watching is not self.watching:
            return
        if event.watching.snapshot is None:
            self.notify(event.watching.problem, severity="error", markup=False)
            self.watching = None
            self.show_status()
            self.refresh_bindings()
            return
        go_on = event.watching.painted.set
        if self.covered:
            go_on()
            return
        try:
            await self.paint(event.watching)
        finally:
            # Not before the terminal has it: what is painted meanwhile would pile up in the line.
            if isinstance(self.app, PacedApp):
                self.app.pace.after_paint(go_on)
            else:
                go_on()

    @property
    def covered(self) -> bool:
        """Whether another screen lies over this one and nothing of it can be seen."""
        stack = self.app.screen_stack
        above = stack[stack.index(self) + 1 :] if self in stack else []
        return any(not isinstance(screen, ModalScreen) for screen in above)

    async def on_screen_resume(self) -> None:
        """Paint what has happened while another screen lay over this one."""
        if self.watching is not None and self.watching.snapshot is not None:
            await self.paint(self.watching)

    def _make_room(self, watching: Watching) -> None:
        """A script has a net of its own, and the builder's would only be taken for it."""
        if watching.script == self.has_class("-script"):
            return
        self.set_class(watching.script, "-script")
        self.query_one(TrainingPane).script = watching.script
        if not watching.script:
            return
        if self.query_one(ModelPane).has_focus:
            self.query_one(GradientPane).focus()
        if watching.lr > 0:
            from gradtui.experiment.overrides import set_fields

            # What is wished for is more or less than what it has.
            self.bench.adopt(set_fields(self.draft, {"optimizer.lr": watching.lr}))

    async def paint(self, watching: Watching) -> None:
        """Hand each pane what is its own."""
        if self.adopting and watching.experiment is not None:
            self.adopting = False
            self.bench.adopt(watching.experiment)
            self.query_one(NetPane).experiment = watching.experiment
        self.show_status()
        self._make_room(watching)
        self.query_one(TrainingPane).running = watching.experiment if watching.live else None
        if watching.experiment is not None and not watching.preflight:
            self.query_one(NetPane).before = watching.experiment
        # A net that was only measured has nothing to be held against.
        self.query_one(FindingsPane).curable = watching.experiment is not None and not watching.preflight
        self.query_one(FindingsPane).findings = watching.findings
        self.query_one(FindingsPane).breaks = watching.breaks
        self.query_one(TabLine).alarm = bool(watching.findings)
        for title, text, severity in watching.news():
            # Of a run that has ended, the panes say it; a toast would only cover the curves.
            if watching.live:
                self.notify(text, title=title, severity=severity, timeout=4, markup=False)
        self.query_one(StatsPane).stats = watching.stats
        if self.orphan and watching.parent is not None:
            self.orphan = False
            self.find_parent(watching)
        self.look_beside()
        await self.query_one(GradientPane).paint(watching, self.partner)
        for pane in self.query(CurvePane):
            await pane.paint(watching, self.partner)
        self._judge_cure()
        if watching.state != self.painted_state:
            # Only now: the footer makes itself anew each time.
            self.painted_state = watching.state
            self.refresh_bindings()
            if not watching.live:
                self.warm_again()

    def _judge_cure(self) -> None:
        """The verdict on a cure, so far or in the end."""
        found = self.verdict()
        pane = self.query_one(FindingsPane)
        if found is None or self.watching is None or self.partner is None:
            pane.verdict = ()
            return
        ended = not self.watching.live and not self.partner.live
        pane.verdict = (cure_of(self.watching), "in the end" if ended else "so far", *found.lines())

    def show_status(self) -> None:
        """The first line."""
        self.query_one(StatusBar).progress = progress_of(self.watching, self.bench.experiment)

    # -- looking closer

    @on(GradientPane.Zoomed)
    def _zoomed(self, event: GradientPane.Zoomed) -> None:
        if self.watching is not None:
            look = self.watching.look
            whole = event.factor <= 0
            self.look_at(replace(look, window=None) if whole else look.zoomed(event.factor, self.newest))

    @on(GradientPane.Rows)
    def _rows(self, event: GradientPane.Rows) -> None:
        if self.watching is not None:
            self.look_at(replace(self.watching.look, rows=event.rows))

    @on(GradientPane.Opened)
    def _layer_opened(self, event: GradientPane.Opened) -> None:
        from gradtui.ui.screens.layer.layer_screen import LayerScreen

        if self.watching is not None:
            self.app.push_screen(LayerScreen(self.watching, event.layer), self._back_from_layer)

    def _back_from_layer(self, layer: int | None) -> None:
        self.query_one(GradientPane).point_at(layer)

    def action_find_layer(self) -> None:
        """Point at a layer by its name."""
        from gradtui.ui.screens.dialogs import find_layer

        if self.watching is not None:
            find_layer(self.app, self.watching, self.query_one(GradientPane).point_at)

    def action_runs(self) -> None:
        """Choose another run."""
        from gradtui.runs.folder import runs_root
        from gradtui.ui.screens.runs.runs_screen import RunsScreen

        def take(folder: Path | None) -> None:
            if folder is not None:
                self.open_run(folder, adopt=True)

        self.app.push_screen(RunsScreen(runs_root()), take)

    def action_studies(self) -> None:
        """Many trainings that answer one question."""
        from gradtui.runs.folder import runs_root
        from gradtui.ui.screens.studies import StudiesScreen
        from gradtui.ui.studies.desk import Desk

        def take(folder: Path | None) -> None:
            if folder is not None:
                self.open_run(folder, adopt=True)

        self.desk = self.desk or Desk(runs_root())
        self.app.push_screen(StudiesScreen(self.desk), take)

    def action_log(self) -> None:
        """What the trainer printed."""
        from gradtui.ui.screens.dialogs import LogScreen

        if self.watching is not None:
            self.app.push_screen(LogScreen(f"{self.watching.folder.name} · trainer.log", self.watching.log()))


def _keep(app: KeepingApp, field: str, value: object) -> None:
    """Let a setting be so from now on."""
    app.keep(**{field: value})
