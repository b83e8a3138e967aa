"""Show a run in the lab: a thread follows it, and each of its states is painted into the panes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace as replace_fields
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.worker import get_current_worker

from gradtui.experiment import Experiment
from gradtui.metrics import next_drawn
from gradtui.ui.followed_run import FollowedRun, RunChanged
from gradtui.ui.run_stats import clipping_of
from gradtui.ui.screens.lab.cure_comparison import FINAL, SO_FAR, CureComparison
from gradtui.ui.screens.lab.curve_turns import CurveTurns, shows_norms
from gradtui.ui.screens.lab.findings_pane import FindingsPane
from gradtui.ui.screens.lab.gradient_pane import GradientPane
from gradtui.ui.screens.lab.model_pane import ModelPane
from gradtui.ui.screens.lab.net_pane import NetPane
from gradtui.ui.screens.lab.run_controls import RunControls
from gradtui.ui.screens.lab.training_pane import TrainingPane
from gradtui.ui.screens.lab.waiting import STARTING
from gradtui.ui.screens.lab.workbench import Workbench
from gradtui.ui.settings_store import settings_of
from gradtui.ui.shown_diagnosis import READING
from gradtui.ui.terminal.terminal_app import TerminalApp, after_paint
from gradtui.ui.widgets.stats_pane import StatsPane
from gradtui.ui.widgets.status_bar import NEWS_SECONDS, StatusBar, progress_of
from gradtui.ui.widgets.tab_line import TabLine
from gradtui.words import printable

if TYPE_CHECKING:
    from gradtui.training.launch import Trainer


class RunView:
    """A RunView follows the run on the lab screen and passes each of its states to the panes.

    Args:
        screen: the lab.
        controls: they know which runs are preflights, and prepare the next trainer when a run has ended.
        comparison: the second run, which is painted beside this one.
    """

    def __init__(self, screen: Screen[Any], controls: RunControls, comparison: CureComparison) -> None:
        self._screen = screen
        self._controls = controls
        self._comparison = comparison
        self._curves = CurveTurns(screen)
        self._adopting = False
        self._painted_state: tuple[object, ...] = ()
        self._divergence_shown = False
        self._lags_shown = False
        self.building = False
        """Whether the builder is shown beside a script's run, since the person opened an experiment over it."""
        self.trail: tuple[str, ...] = ()
        """The lists through which the person came to the run, for the breadcrumb."""
        self.run: FollowedRun | None = None
        """The run on the screen; None before the first."""
        self.disk = controls.disk
        """What reads files without holding up the keys."""

    def open(
        self, folder: Path, *, adopt: bool, trainer: Trainer | None, against: Path | None, alone: bool = False
    ) -> None:
        """Follow another run from now on.

        Args:
            folder: the run's folder.
            adopt: whether the builder takes over the run's experiment.
            trainer: the trainer of the run, where this app started it.
            against: the run that it is compared with; None is the one that the run names as its parent, if any.
            alone: whether it is compared with nothing.
        """
        self.close()
        self._adopting = adopt
        self._painted_state = ()
        self._divergence_shown = False
        self._lags_shown = False
        self.building = False
        plane = self.run is not None and self.run.request.plane
        self.run = run = FollowedRun(self._screen, folder, trainer)
        run.request = replace(run.request, plane=plane)
        self._comparison.begin(against, alone=alone)
        run.pace = 1 / settings_of(self._screen.app).redraws
        if self._controls.is_preflight(folder):
            # A preflight shows the metric that theory predicts, which is complete even without a training.
            run.request = replace(run.request, metric="output_grad_rms")
        self._screen.query_one(GradientPane).clear(STARTING if trainer else Content(f"{READING} …"))
        self._curves.clear(*([] if trainer else [f"{READING} …"]))
        findings = self._screen.query_one(FindingsPane)
        findings.reading, findings.breaks, findings.diagnosis = trainer is None, (), None
        self.show_status()
        self._screen.run_worker(partial(_follow, run), thread=True, exclusive=True, group="follow")

    def close(self) -> None:
        """Stop reading the run."""
        if self.run is not None:
            self.run.close()

    async def take(self, event: RunChanged) -> None:
        """Paint a new state of the run or of its partner, then let its reader continue."""
        run = event.followed
        if run is self._comparison.partner and self.run is not None:
            if run.snapshot is None:
                self._screen.notify(run.problem, severity="error", markup=False)
                self._comparison.compare_with(None)
            elif not self._covered:
                await self.paint()
            run.painted.set()
        elif run is self.run and run.snapshot is None:
            self._screen.notify(run.problem, severity="error", markup=False)
            self.run = None
            self.show_status()
            self._screen.refresh_bindings()
        elif run is self.run and self._covered:
            run.painted.set()
        elif run is self.run:
            try:
                await self.paint()
            finally:
                # The reader waits until the terminal has this, since paintings would pile up in a slow line.
                after_paint(self._screen.app, run.painted.set)

    @property
    def _covered(self) -> bool:
        """Return whether another screen covers all of the lab."""
        stack = self._screen.app.screen_stack
        above = stack[stack.index(self._screen) + 1 :] if self._screen in stack else []
        return any(not isinstance(screen, ModalScreen) for screen in above)

    def allows(self, action: str) -> bool:
        """Return whether an action has an effect in the state of the run; actions that are not listed here always have.

        Of train, pause and resume, which share a key, at most one has an effect.
        """
        run = self.run
        live = run is not None and run.live
        paused = live and run is not None and run.state == "paused"
        curable = run is not None and run.experiment is not None and not run.preflight
        has_steps = run is not None and run.has_steps
        return {
            "start": not live and not self.can_continue and not self._script_alone,
            "continue": self.can_continue,
            "preflight": not live and not self._script_alone,
            "pause": live and not paused,
            "resume": paused,
            "step": live,
            "stop": live,
            "restart": run is not None and not run.script,
            "rate": not self._script_alone or live,
            **dict.fromkeys(("beside", "draw_net", *EDITS_OF_THE_BUILDER), not self._script_alone),
            # Beside a script's run the key shows the cures of its findings as code.
            "cures": not self._script_alone or bool(run is not None and run.newest_findings),
            "log": run is not None,
            "report": run is not None,
            "note": run is not None,
            "metric": run is not None and has_steps and self._has_other_metrics(run),
            "why": run is not None,
            "factors": has_steps,
            "plane": run is not None and run.has_plane,
            "first_bad": has_steps,
            "find_layer": has_steps,
            "fork_with_cure": curable,
            "try_all_cures": curable,
            "repair": curable and not live,
            "end_comparison": self._comparison.has_pair,
        }.get(action, True)

    def _has_other_metrics(self, run: FollowedRun) -> bool:
        """Return whether `m` would show anything else."""
        shown = run.request
        return (
            shown.draws_factors or shown.plane or next_drawn(shown.metric, run.metrics).name != shown.metric
        )

    @property
    def can_continue(self) -> bool:
        """Return whether the run was stopped before its end and the builder still has its experiment."""
        run = self.run
        if run is None or run.script or run.state not in ("stopped", "died") or run.snapshot is None:
            return False
        return 0 < run.snapshot.step < run.snapshot.steps and not self.edited

    @property
    def edited(self) -> bool:
        """Return whether the builder has another experiment than the one that the run on the screen trained."""
        run = self.run
        trained = self._controls.trained_by(run) if run is not None and not self._adopting else None
        if trained is None:
            return self.building
        draft = self._screen.query_one(Workbench).experiment
        return draft is not trained and unnamed(draft) != unnamed(trained)

    @property
    def _opened_name(self) -> str:
        """Return the name of the builder's experiment if it is not that of the run; an edit keeps the name."""
        run = self.run
        if run is None or run.experiment is None:
            return ""
        name = self._screen.query_one(Workbench).experiment.name
        return "" if name == run.experiment.name else printable(name)

    @property
    def _script_alone(self) -> bool:
        """Return whether a script's run is shown and the builder, which could train something else, is hidden."""
        return self._screen.has_class("-script")

    def reveal_charts(self, open_tab: Callable[[str], None]) -> bool:
        """Show the charts of the layers where they are hidden, and return whether they were."""
        pane = self._screen.query_one(GradientPane)
        hidden = not pane.display
        if not pane.has_focus:
            open_tab("gradient")
        return hidden

    def show_status(self) -> None:
        """Paint the first line."""
        draft = self._screen.query_one(Workbench).experiment
        name = self._opened_name
        edited = (f"next: {name}" if name else "edited") if self.edited else ""
        shown = replace(progress_of(self.run, draft, self.trail), edited=edited)
        self._screen.query_one(StatusBar).progress = shown

    def _show_news(self, run: FollowedRun) -> None:
        """Say what has happened in the first line, where it covers no chart; a refusal needs more room than that."""
        news = run.news()
        if not run.live:
            return  # The panes show the same.
        keys = "w why · f fix it" if self.allows("fork_with_cure") else "w why"
        for title, text, severity in news:
            if severity == "error":
                self._screen.notify(text, title=title, severity=severity, timeout=4, markup=False)
            elif severity == "information":
                self._screen.query_one(StatusBar).say(text, NEWS_SECONDS)
        if found := [(title, text) for title, text, severity in news if severity == "warning"]:
            codes = ", ".join(title for title, _ in found)
            self._screen.query_one(StatusBar).say(f"found: {codes} · {keys}", NEWS_SECONDS)
        app = self._screen.app
        if found and settings_of(app).alerts and isinstance(app, TerminalApp):
            for title, text in found:
                app.alert(f"{run.folder.name}: {title}: {text}")

    async def paint(self) -> None:
        """Pass each pane its part of the run's state; do nothing before there is any."""
        run, screen = self.run, self._screen
        if run is None or run.snapshot is None:
            return
        trained = run.experiment is not None and not run.preflight
        if self._adopting and run.experiment is not None:
            self._adopting = False
            screen.query_one(Workbench).adopt(run.experiment)
            screen.query_one(NetPane).experiment = run.experiment
        self._show_lags(run)
        # All panes get the same value, since the thread that follows the run may replace it meanwhile.
        diagnosis = run.diagnosis
        self.show_status()
        self._hide_builder(run)
        self._show_running()
        training = screen.query_one(TrainingPane)
        training.clipping = clipping_of(run.snapshot) if run.script else ""
        training.ended = self._script_alone and not run.live
        self.show_edited()
        if trained:
            screen.query_one(NetPane).before = run.experiment
        findings = screen.query_one(FindingsPane)
        # A net that was only measured has no training to compare a cure with.
        findings.curable = trained
        findings.step = run.data.step if run.data is not None else 0
        findings.diagnosis = diagnosis
        findings.breaks = run.divergences
        findings.note = run.note
        judgement = diagnosis.judgement
        screen.query_one(TabLine).alarm = judgement.mark[0] if judgement.state == "problem" else ""
        self._show_news(run)
        screen.query_one(StatsPane).stats = run.stats
        screen.set_class(shows_norms(run), "-norms")
        self._comparison.sync(run)
        partner = self._comparison.partner
        await screen.query_one(GradientPane).paint(run, diagnosis, partner)
        await self._curves.paint(run, partner)
        if self.run is not run:
            # Another run was opened while a chart was mounted.
            return
        judged, findings.verdict = findings.verdict, self._comparison.verdict()
        screen.query_one(TabLine).findings = "verdict" if findings.verdict else "findings"
        if [lines[1:2] for lines in (judged, findings.verdict)] == [(SO_FAR,), (FINAL,)]:
            screen.query_one(StatusBar).say(f"{findings.verdict[2]} · 4 verdict", NEWS_SECONDS)
        self._show_divergence(run)
        found, metrics = bool(run.newest_findings), self._has_other_metrics(run)
        state = run.state, run.has_steps, found, run.has_plane, metrics
        if state != self._painted_state:
            # This is done only if the state changed, since it builds the whole key line.
            self._painted_state = state
            screen.refresh_bindings()
            if not run.live:
                self._controls.warm()

    def edit(self, before: Experiment, after: Experiment) -> bool:
        """Send a running trainer the changes that it can apply at once; return whether other keys have an effect now.

        An experiment that is opened over a script's run shows the builder, in which it can be trained.
        """
        if self._script_alone and before.net != after.net and self.run is not None:
            self.building = True
            self._hide_builder(self.run)
        if not self.building:
            self._controls.send_edits(self.run, before, after)
            self._show_running()
        return self.show_edited()

    def _show_running(self) -> None:
        """Let the training pane mark the fields that differ from what the run trains, or is about to train."""
        run = self.run
        trained = None if run is None or run.preflight else self._controls.trained_by(run)
        self._screen.query_one(TrainingPane).running = trained

    def show_edited(self) -> bool:
        """Mark the frames of builder and charts if the builder has another experiment than the charts.

        Return whether that has changed: of the keys, an edit changes only whether the run can be continued.
        """
        edited, model = self.edited, self._screen.query_one(ModelPane)
        changed = model.edited != edited
        pane = self._screen.query_one(GradientPane)
        model.edited = pane.edited = edited
        model.opened = pane.opened = self._opened_name if edited else ""
        return changed

    def _show_lags(self, run: FollowedRun) -> None:
        """Show the gradient by time lag first where a net has one: over two layers there is little to see.

        Once, and not where another metric was chosen meanwhile.
        """
        if not self._lags_shown and "hidden_grad" in run.metrics:
            self._lags_shown = True
            if run.request.metric == "grad_norm" and not run.request.factors:
                run.show(replace(run.request, metric="hidden_grad"))

    def _show_divergence(self, run: FollowedRun) -> None:
        """Show the steps up to the divergence of a run that ended with it; in the whole run they would be one row.

        This is done once, and not if the person chose another stretch of time; `0` shows the whole run again.
        """
        if self._divergence_shown or run.live or run.data is None:
            return
        self._divergence_shown = True
        if (
            run.divergences
            and run.state == "diverged"
            and run.request.window is None
            and run.snapshot is not None
        ):
            broke = run.divergences[0].step
            first, last = max(1, broke - STEPS_BEFORE), min(run.snapshot.step, broke + STEPS_AFTER)
            if (first, last) != (1, run.snapshot.step):
                run.show(replace(run.request, window=(first, last)))

    def _hide_builder(self, run: FollowedRun) -> None:
        """Hide the builder while a script's run is shown, so that its net is not mistaken for the script's."""
        screen, hide = self._screen, run.script and not self.building
        if hide == screen.has_class("-script"):
            return
        screen.set_class(hide, "-script")
        screen.query_one(TrainingPane).script = hide
        if not hide:
            return
        if screen.query_one(ModelPane).has_focus:
            screen.query_one(GradientPane).focus()
        if run.lr > 0:
            from gradtui.experiment.overrides import set_fields

            # Changes of the rate then start from the script's own rate.
            workbench = screen.query_one(Workbench)
            workbench.adopt(set_fields(workbench.experiment, {"optimizer.lr": run.lr}))


def unnamed(experiment: Experiment) -> Experiment:
    """Return an experiment without name and description, which do not change its training."""
    return replace_fields(experiment, name="", description="")


EDITS_OF_THE_BUILDER = ("options", "save", "copy-string")
"""The edits that only make sense where the builder shows an experiment."""

STEPS_BEFORE, STEPS_AFTER = 20, 3
"""The steps that are shown around a divergence."""


def _follow(run: FollowedRun) -> None:
    run.follow(get_current_worker())
