"""The lab: builder, controls and charts of one run, live or finished."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import ActiveBinding
from textual.containers import Horizontal, Vertical
from textual.reactive import var
from textual.screen import Screen
from textual.widgets import Footer
from textual.worker import get_current_worker

from gradtui.experiment import Experiment
from gradtui.ui.keys import LAB_KEYS, TRAINING_KEYS
from gradtui.ui.panes.curves import CurvePane
from gradtui.ui.panes.findings import FindingsPane
from gradtui.ui.panes.gradient import GradientPane
from gradtui.ui.panes.model import ModelPane
from gradtui.ui.panes.status import StatusBar
from gradtui.ui.panes.training import TrainingPane
from gradtui.ui.panes.vitals import VitalsPane
from gradtui.ui.panes.workbench import Workbench
from gradtui.ui.watching import Followed, Watching, progress_of

if TYPE_CHECKING:
    from gradtui.runs.control import WishName
    from gradtui.training.launch import Trainer
    from gradtui.ui.trainers import Trainers


class LabScreen(Screen[None]):
    """Build, train, look. Attributes go down to the panes, their messages come up to here.

    Args:
        experiment: what the builder opens on.
        attach: a run's folder to open.
    """

    CSS_PATH = "lab.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]
    BINDINGS = LAB_KEYS

    watching: var[Watching | None] = var(None)
    """The run on the screen; None before the first."""

    def __init__(self, experiment: Experiment, attach: Path | None = None) -> None:
        super().__init__()
        self.opens_on = experiment
        self.attach = attach
        self.trainers: Trainers | None = None
        self.trainers_lock = threading.Lock()
        self.adopting = False
        self.painted_state = ""

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """Training first, then help and the way out, then the rest: a narrow footer is cut at its end."""

        def rank(active: ActiveBinding) -> int:
            if active.binding.id in TRAINING_KEYS:
                return 0
            return {id(self.app): 1, id(self): 2}.get(id(active.node), 3)

        bindings = super().active_bindings
        return dict(sorted(bindings.items(), key=lambda item: rank(item[1])))

    # -- the first frame, and what can wait until it is painted

    def compose(self) -> ComposeResult:
        """Text on the left, charts on the right. Nothing here imports numpy."""
        yield StatusBar()
        with Horizontal(id="bench"):
            yield Workbench(self.opens_on, id="side")
            with Vertical(id="sight"):
                yield GradientPane()
                with Horizontal(id="curves"):
                    yield CurvePane("loss")
                    yield CurvePane("accuracy")
        yield Footer()

    def on_mount(self) -> None:
        """Show the experiment; import and warm everything else once this is on the screen."""
        self.show_status()
        self.query_one(ModelPane).focus()
        self.call_after_refresh(self.warm_up)

    @work(thread=True, group="warm")
    def warm_up(self) -> None:
        """Import what the charts need, open the run, and have a trainer ready."""
        from gradtui.ui.charts import plot, profile, waterfall  # noqa: F401

        with contextlib.suppress(ImportError):  # its wheel may lack the compiled part: the curves say so
            import plotext  # noqa: F401

        if self.attach is not None:
            self.app.call_from_thread(self.open_run, self.attach, adopt=True)
        self.have_trainers().warm()

    def have_trainers(self) -> Trainers:
        """The trainers of this app; from any thread."""
        from gradtui.ui.trainers import Trainers

        with self.trainers_lock:
            if self.trainers is None:
                self.trainers = Trainers()
            return self.trainers

    @property
    def bench(self) -> Workbench:
        """The left column."""
        return self.query_one(Workbench)

    def on_resize(self, event: events.Resize) -> None:
        """A narrow terminal has a footer without air."""
        footer = self.query_one(Footer)
        footer.compact = narrow = event.size.width < 100
        footer.show_command_palette = not narrow

    def on_unmount(self) -> None:
        """The standby ends with the app."""
        if self.trainers is not None:
            self.trainers.close()

    def still_training(self) -> Path | None:
        """The folder of the run on the screen, if it still trains."""
        return self.watching.folder if self.watching is not None and self.watching.live else None

    # -- editing, which the workbench does

    @on(Workbench.Edited)
    def _edited(self, event: Workbench.Edited) -> None:
        """Send what a running trainer can take over at once."""
        from gradtui.experiment.overrides import diff
        from gradtui.runs.control import LIVE

        self.show_status()
        watching, changed = self.watching, diff(event.before, event.after)
        # An edit that also changes what cannot change now (a preset, say) is another experiment, for the next start.
        if watching is not None and watching.live and changed and set(changed) <= set(LIVE):
            self._wish("set", set=changed)

    def action_edit_model(self) -> None:
        """Go to the net."""
        self.query_one(ModelPane).focus()

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
        from gradtui.ui.screens.save import SaveScreen

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

    # -- training

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """One key, the word that fits: train, pause or go on."""
        live = self.watching is not None and self.watching.live
        paused = live and self.watching is not None and self.watching.state == "paused"
        return {
            "start": not live,
            "pause": live and not paused,
            "resume": paused,
            "single_step": live,
            "stop": live,
            "restart": live,
            "log": self.watching is not None,
            "measure": self.watching is not None,
        }.get(action, True)

    @work(thread=True, exclusive=True, group="start")
    def start_training(self, experiment: Experiment) -> None:
        """Start a trainer (a matter of files and processes, so not in the painting thread)."""
        try:
            trainer = self.have_trainers().start(experiment)
        except OSError as error:
            self.app.call_from_thread(
                self.notify, f"cannot start a run: {error}", severity="error", markup=False
            )
            return
        self.app.call_from_thread(self.open_run, trainer.folder, trainer=trainer)

    def action_start(self) -> None:
        """Train the draft."""
        self.start_training(self.bench.experiment)

    def action_restart(self) -> None:
        """Stop what runs and train the draft from its start."""
        if self.watching is not None and self.watching.live:
            self.watching.send("stop")
        self.action_start()

    def action_pause(self) -> None:
        """Hold the training after the step that it is in."""
        self._wish("pause")

    def action_resume(self) -> None:
        """Go on."""
        self._wish("resume")

    def action_single_step(self) -> None:
        """One step, then hold."""
        self._wish("step")

    def action_stop(self) -> None:
        """End the training here."""
        self._wish("stop")

    def _wish(self, wish: WishName, **fields: object) -> None:
        if self.watching is not None and not self.watching.send(wish, **fields):
            self.notify(self.watching.problem, severity="error", markup=False)

    # -- the run on the screen

    def open_run(self, folder: Path, *, adopt: bool = False, trainer: Trainer | None = None) -> None:
        """Show a run from now on; with ``adopt``, the builder takes over its experiment."""
        self.adopting = adopt
        self.watching = Watching(self, folder, trainer)
        self.painted_state = ""
        self.query_one(GradientPane).clear()
        for pane in self.query(CurvePane):
            pane.clear()
        self.show_status()
        self.follow(self.watching)

    @work(thread=True, exclusive=True, group="follow")
    def follow(self, watching: Watching) -> None:
        """Read the run's folder until another run is shown."""
        watching.follow(get_current_worker())

    @on(Followed)
    async def _followed(self, event: Followed) -> None:
        """A new whole state of the run: paint it, then let the reader go on."""
        if event.watching is not self.watching:
            return
        if event.watching.snapshot is None:
            self.notify(event.watching.problem, severity="error", markup=False)
            self.watching = None
            self.show_status()
            self.refresh_bindings()
            return
        try:
            await self.paint(event.watching)
        finally:
            event.watching.painted.set()

    async def paint(self, watching: Watching) -> None:
        """Hand each pane what is its own."""
        if self.adopting and watching.experiment is not None:
            self.adopting = False
            self.bench.adopt(watching.experiment)
        self.show_status()
        self.query_one(TrainingPane).running = watching.experiment if watching.live else None
        self.query_one(FindingsPane).findings = watching.findings
        for title, text, severity in watching.news():
            # Of a run that has ended, the panes say it; a toast would only cover the curves.
            if watching.live:
                self.notify(text, title=title, severity=severity, timeout=4, markup=False)
        self.query_one(VitalsPane).vitals = watching.vitals
        await self.query_one(GradientPane).paint(watching)
        for pane in self.query(CurvePane):
            await pane.paint(watching)
        if watching.state != self.painted_state:
            # Only now: the footer makes itself anew each time.
            self.painted_state = watching.state
            self.refresh_bindings()
            if not watching.live:
                self.warm_again()

    @work(thread=True, exclusive=True, group="warm")
    def warm_again(self) -> None:
        """Have the next trainer ready."""
        self.have_trainers().warm()

    def show_status(self) -> None:
        """The first line."""
        self.query_one(StatusBar).progress = progress_of(self.watching, self.bench.experiment)

    def action_measure(self, forward: bool) -> None:
        """Draw the next measure of the layers that the run records."""
        from gradtui.ui.measures import following

        if self.watching is not None:
            self.watching.draw(following(self.watching.measure, self.watching.measures, forward).name)

    def action_runs(self) -> None:
        """Choose another run."""
        from gradtui.runs.folder import runs_root
        from gradtui.ui.screens.runs import RunsScreen

        def take(folder: Path | None) -> None:
            if folder is not None:
                self.open_run(folder, adopt=True)

        self.app.push_screen(RunsScreen(runs_root()), take)

    def action_log(self) -> None:
        """What the trainer printed."""
        from gradtui.ui.screens.log import LogScreen

        if self.watching is not None:
            self.app.push_screen(LogScreen(f"{self.watching.folder.name} · trainer.log", self.watching.log()))
