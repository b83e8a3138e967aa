"""Follow a run on the screen: a thread reads it with a run monitor and passes each new state to the screen."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textual.message import Message
from textual.screen import Screen
from textual.worker import Worker

from gradtui import metrics
from gradtui.experiment import Experiment, ExperimentError, set_fields
from gradtui.runs.errors import RunError
from gradtui.runs.folder import name_without_time
from gradtui.ui.field_values import show
from gradtui.ui.reader_loop import ReaderLoop
from gradtui.ui.run_stats import RunStat, first_visible_step, newest_row, run_stats
from gradtui.ui.shown_diagnosis import ShownDiagnosis, shown_diagnosis
from gradtui.ui.view import ViewRequest

if TYPE_CHECKING:
    from gradtui.diagnosis import Evidence, Finding, RunMonitor
    from gradtui.diagnosis.outcome import Outcome
    from gradtui.report.divergences import RecordedDivergence
    from gradtui.runs.control import CommandName
    from gradtui.runs.follower import Snapshot
    from gradtui.runs.meta import Parent
    from gradtui.runs.reader import Run
    from gradtui.training.launch import Trainer
    from gradtui.ui.view_data import ViewData

READ_SECONDS = 0.1
"""The seconds between two readings of the folder of a live run."""
READ_SECONDS_ENDED = 1.0
"""The same seconds after the run has ended, since another process may resume it."""
READ_SECONDS_FIRST = 0.02
"""The same seconds until the first step is there, so that the first bar appears at once."""

Announcement = tuple[str, str, Literal["information", "warning", "error"]]
"""Title, text and severity of a notification."""


@dataclass
class RunChanged(Message):
    """A RunChanged says that a followed run has a new state."""

    followed: FollowedRun

    def can_replace(self, message: Message) -> bool:
        """Return whether this message replaces an older one, since each state is complete."""
        return isinstance(message, RunChanged) and message.followed is self.followed


class FollowedRun:
    """A FollowedRun is one run that a screen shows, with the thread that follows it.

    The thread waits until its last state was painted, so that a slow terminal slows down the reader and never the
    trainer. A request for another view is answered at once.

    Args:
        screen: gets a RunChanged for each new state.
        folder: of the run.
        trainer: the trainer, if this app started it.
        compared: whether this run is compared with another one: then its findings are always those of its newest step.
    """

    def __init__(
        self, screen: Screen[Any], folder: Path, trainer: Trainer | None = None, *, compared: bool = False
    ) -> None:
        self.folder = folder
        self.trainer = trainer
        self.request = ViewRequest()
        """The requested view; `show` requests another."""
        self.data: ViewData | None = None
        """The data for the request; None before the first reading."""
        self.snapshot: Snapshot | None = None
        self.title = name_without_time(folder)
        """The name of the run."""
        self.note = ""
        """The note on the run, from people or from its script."""
        self.experiment: Experiment | None = None
        """What is trained, with the live changes that the trainer made; None for a script."""
        self.parent: Parent | None = None
        """The run that it names to be compared with."""
        self.metrics: tuple[str, ...] = ()
        """The per-layer metrics that the run records."""
        self.diagnosis = ShownDiagnosis()
        """The diagnosis that the screens show; it is replaced whole, so that all panes of a frame show the same."""
        self.first_bad_step: int | None = None
        """The first step with a finding; None if there is none."""
        self.outcome: Outcome | None = None
        """The outcome of the run, with the figures by which cures are compared."""
        self.evidence: Evidence | None = None
        """The numbers of the run by which it was diagnosed last."""
        self.stats: tuple[RunStat, ...] = ()
        """The figures of the whole run, at the step that is shown."""
        self.divergences: tuple[RecordedDivergence, ...] = ()
        """The steps at which the run diverged, as its trainer recorded them."""
        self.failed_to_start = False
        """Whether the trainer ended before it wrote anything, which the folder alone cannot show."""
        self.missing: Literal["", "deleted", "gone"] = ""
        """Whether the folder is no longer there: "deleted" runs can be restored, others are "gone"."""
        self.problem = ""
        """One line on why the last command could not be sent, or the run could not be read."""
        self.painted = threading.Event()
        """An event that the screen sets when the last state was painted."""
        self.pace = READ_SECONDS
        """The seconds between two readings of a live run's folder."""
        self._screen = screen
        self._compared = compared
        self._loop = ReaderLoop()
        self._announcements: list[Announcement] = []
        self._announced_codes: set[str] = set()
        self._events_read = 0
        self._stats_step: int | None = None

    @property
    def at(self) -> int | None:
        """Return the step that is shown; None is always the newest."""
        return self.request.at

    def show(self, request: ViewRequest) -> None:
        """Ask for another view."""
        self.request = request
        self._loop.wake()

    def close(self) -> None:
        """End the thread that follows the run."""
        self._loop.close()
        self.painted.set()

    # -- the work of the thread

    def follow(self, worker: Worker[None]) -> None:
        """Read the folder until it is closed or the worker is cancelled. Runs in a thread."""
        from gradtui.diagnosis import RunMonitor

        try:
            monitor = RunMonitor(self.folder)
            began = time.monotonic()

            def pause() -> float:
                return max(0.005, self._seconds_between_readings() - (time.monotonic() - began))

            for _ in self._loop.rounds(lambda: worker.is_cancelled, pause):
                began = time.monotonic()
                self.read_new(monitor, lambda waits: self._post(worker if waits else None))
        except Exception as error:
            # Every error becomes one line: a run that cannot be read must not end the screen.
            known = isinstance(error, RunError | OSError)
            self.problem = str(error) if known else f"cannot follow this run: {type(error).__name__}: {error}"
            self.snapshot = None
            self._screen.post_message(RunChanged(self))

    def read_new(self, monitor: RunMonitor, post: Callable[[bool], None]) -> None:
        """Read what is new, and pass on each state that should be painted.

        post: called when a state can be painted, with whether to wait for the painting.
        """
        request = self.request
        if not self._read(monitor, request):
            return
        before = self.data
        first, step_changed = before is None, before is None or request.at != before.request.at
        self._read_view(monitor.run, request)
        self._take_diagnosis(monitor, self.diagnosis.findings)
        if step_changed:
            # The picture is painted first, its diagnosis a moment later. Only the first painting is waited for, since
            # it and a diagnosis would slow each other down.
            post(first)
        self._diagnose(monitor, request)
        post(True)

    def _take_diagnosis(self, monitor: RunMonitor, here: tuple[Finding, ...] | None) -> None:
        """Judge the numbers as they are now. `here` has the findings at the step that is shown, if not the newest."""
        evidence, snapshot = monitor.evidence, self.snapshot
        at = None if self._compared else self.request.at
        newest = snapshot.step if snapshot is not None else 0
        self.diagnosis = shown_diagnosis(
            monitor.findings,
            here,
            objections=(monitor.objection(), monitor.objection(at)),
            pending=tuple(finding.code for finding in monitor.pending),
            judged=monitor.judged,
            remarks=monitor.remarks,
            live=self.live if evidence is None else not evidence.finished,
            past=at is not None,
            steps=(newest, newest if at is None else at),
        )

    @property
    def findings(self) -> tuple[Finding, ...] | None:
        """Return the findings at the step that is shown; None while the run is being checked."""
        return self.diagnosis.findings

    @property
    def newest_findings(self) -> tuple[Finding, ...] | None:
        """Return the findings at the newest step, as `RunMonitor.findings` has them."""
        return self.diagnosis.newest_findings

    def _seconds_between_readings(self) -> float:
        if not self.live:
            return READ_SECONDS_ENDED
        return self.pace if self.snapshot is not None and self.snapshot.step else READ_SECONDS_FIRST

    def _read(self, monitor: RunMonitor, request: ViewRequest) -> bool:
        """Read what is new, and return whether there is anything to show: a new state, or another view."""
        run = monitor.run
        monitor.follow_metric(request.metric)
        if not self.folder.is_dir():
            from gradtui.runs import trash

            # What was read before is kept, since this may last only for a moment.
            self.missing = "deleted" if trash.can_restore(self.folder) else "gone"
            return False
        self.missing = ""
        # A new name is in a file that the follower does not read, so it is read again each time.
        self.title, self.note = run.name, run.note
        snapshot = monitor.snapshot if monitor.poll() else None
        if snapshot is None and self._trainer_failed_to_start():
            self.failed_to_start, snapshot = True, self.snapshot
        if snapshot is None:
            return self.snapshot is not None and (self.data is None or self.data.request != request)
        self._read_events(run, snapshot)
        self.metrics = tuple(run.metrics)
        self.parent = run.parent
        self.snapshot = snapshot
        return True

    def _trainer_failed_to_start(self) -> bool:
        return (
            not self.failed_to_start
            and self.snapshot is not None
            and self.snapshot.meta is None
            and self.trainer is not None
            and self.trainer.poll() is not None
        )

    def _read_events(self, run: Run, snapshot: Snapshot) -> None:
        """Take over the changes that the trainer reports, also those that another viewer has sent."""
        from gradtui.report.divergences import divergences

        first = self._events_read == 0
        if len(snapshot.events) != self._events_read:
            self.divergences = tuple(divergences(snapshot.events))
        if self.experiment is None or len(snapshot.events) < self._events_read:
            self.experiment, self._events_read = run.experiment, 0
        for event in snapshot.events[self._events_read :]:
            changes = event.get("set")
            if event.get("event") == "control" and changes and self.experiment is not None:
                with contextlib.suppress(ExperimentError):
                    self.experiment = set_fields(self.experiment, changes)
                text = ", ".join(f"{path.rpartition('.')[2]} {show(path, v)}" for path, v in changes.items())
                if not first:
                    text += f" from step {event.get('step', 0):,}"
                    self._announcements.append(("changed", text, "information"))
            elif event.get("event") == "refused" and not first:
                self._announcements.append(("refused", str(event.get("reason", "")), "error"))
        self._events_read = len(snapshot.events)

    def _read_view(self, run: Run, request: ViewRequest) -> None:
        from gradtui.runs.plane import read_plane
        from gradtui.ui.view_data import read_view

        assert self.snapshot is not None
        shown = request.draws_factors and "activation_slope" in run.metrics
        slopes = run.table("activation_slope") if shown else None
        plane = read_plane(run, request.at) if request.plane else None
        tables = run.scalar_tables()
        self.data = read_view(self.snapshot, tables, request, self.experiment, self.data, slopes, plane)

    def _post(self, worker: Worker[None] | None = None) -> None:
        """Pass the state on; with a worker, wait until it was painted."""
        self.painted.clear()
        if self._loop.closed:
            return
        self._screen.post_message(RunChanged(self))
        # This waits also while a key is held down, since its pictures would pile up on a slow line too.
        while worker is not None and not self.painted.wait(0.5) and not worker.is_cancelled:
            pass

    def _diagnose(self, monitor: RunMonitor, request: ViewRequest) -> None:
        """Diagnose the run: now and then while it trains, once more when it has ended, and at an earlier step."""
        from gradtui.diagnosis.ended_runs import note_findings

        snapshot = self.snapshot
        if snapshot is None or not snapshot.step:
            return
        due = monitor.waiting_since is not None
        if due:
            monitor.diagnose()
            self.outcome, self.evidence = monitor.outcome, monitor.evidence
            found = monitor.findings or ()
            self.first_bad_step = first_visible_step(monitor.run, found, self.divergences)
            if not snapshot.status.live:
                note_findings(monitor.run, found, monitor.judged is None or monitor.judged.enough_steps)
            for finding in found:
                if finding.code not in self._announced_codes:
                    self._announced_codes.add(finding.code)
                    self._announcements.append((finding.code, finding.evidence.partition(";")[0], "warning"))
        at = None if self._compared else request.at
        self._take_diagnosis(monitor, None if at is None else monitor.findings_at(at))
        if not self._compared and (due or request.at != self._stats_step):
            self._stats_step = request.at
            rows = {
                metric.name: newest_row(monitor.run, metric.name, request.at)
                for metric in metrics.with_figure()
            }
            known = {name: row for name, row in rows.items() if row is not None}
            self.stats = run_stats(snapshot, known, monitor.run.layer_names, self.diagnosis.judgement.codes)

    # -- what the screen asks

    def news(self) -> list[Announcement]:
        """Return what has happened since the last call."""
        news, self._announcements = self._announcements, []
        return news

    def send(self, command: CommandName, **fields: Any) -> bool:
        """Send a command to the trainer; return False, with the reason in `problem`, where that cannot be done."""
        from gradtui.runs.control import send

        try:
            send(self.folder, command, **fields)
        except RunError as error:
            self.problem = str(error)
            return False
        return True

    @property
    def state(self) -> str:
        """Return the run's state by its last snapshot."""
        if self.failed_to_start:
            return "failed"
        return self.snapshot.status.state if self.snapshot else "starting"

    @property
    def preflight(self) -> bool:
        """Return whether the run is only a measurement at initialisation."""
        meta = self.snapshot.meta if self.snapshot is not None else None
        return meta is not None and meta.preflight

    @property
    def script(self) -> bool:
        """Return whether the run is the training of a script that `gradtui.watch` records."""
        meta = self.snapshot.meta if self.snapshot is not None else None
        return meta is not None and meta.kind == "script"

    @property
    def has_steps(self) -> bool:
        """Return whether the run has a step that can be shown."""
        return self.snapshot is not None and self.snapshot.step > 0

    @property
    def has_plane(self) -> bool:
        """Return whether the run records what the net computes over the plane."""
        meta = self.snapshot.meta if self.snapshot is not None else None
        return meta is not None and meta.plane is not None

    @property
    def lr(self) -> float:
        """Return the newest learning rate; 0 where none is known."""
        curve = self.snapshot.curves.get("lr") if self.snapshot is not None else None
        known = [] if curve is None else [float(f"{rate:.7g}") for rate in curve.mean if math.isfinite(rate)]
        return known[-1] if known else 0.0

    @property
    def ignores_commands(self) -> bool:
        """Return whether the run is a script that has never asked for commands."""
        events = self.snapshot.events if self.snapshot is not None else ()
        return self.script and not any(event.get("event") == "listening" for event in events)

    @property
    def live(self) -> bool:
        """Return whether it is being trained."""
        if self.snapshot is not None and self.snapshot.meta is None and self.trainer is None:
            # The folder has no known trainer, so the space key must not wait for one.
            return False
        return self.state in ("starting", "running", "paused")

    def log(self) -> list[str]:
        """Return the last lines that the trainer printed."""
        from gradtui.runs.reader import open_run

        try:
            lines = open_run(self.folder).log_tail(200)
        except RunError as error:
            return [str(error)]
        if not lines and self.script:
            lines = ["What a script prints is not recorded."]
        elif not lines and self.state == "died":
            lines = ["The trainer printed nothing: it was killed (kill -9 or out of memory)."]
        return lines
