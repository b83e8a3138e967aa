"""The run on the screen: a thread follows it with a run monitor and hands each new state to the screen."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textual.message import Message
from textual.screen import Screen
from textual.worker import Worker

from gradtui import metrics
from gradtui.experiment import Experiment, ExperimentError, set_fields
from gradtui.ui.edit.values import show
from gradtui.ui.look import Look
from gradtui.ui.reader_loop import ReaderLoop
from gradtui.ui.widgets.run_stats import RunStat, run_stats

if TYPE_CHECKING:
    from gradtui.diagnosis import Finding, RunMonitor
    from gradtui.diagnosis.outcome import Outcome
    from gradtui.report.divergences import Divergence
    from gradtui.runs.control import CommandName
    from gradtui.runs.follower import Snapshot
    from gradtui.runs.meta import Parent
    from gradtui.runs.reader import Run
    from gradtui.runs.summary import Floats
    from gradtui.training.launch import Trainer
    from gradtui.ui.sight import Sight

PACE = 0.1
"""Seconds between two looks at the folder …"""
ENDED_PACE = 1.0
"""… once the run has ended: another process may resume it …"""
FIRST_PACE = 0.02
"""… and until the first step is there, so that the first bar comes at once."""

News = tuple[str, str, Literal["information", "warning", "error"]]
"""Title, text and severity of something to be announced."""


@dataclass
class Followed(Message):
    """A run has a new state."""

    watching: Watching

    def can_replace(self, message: Message) -> bool:
        """The state is whole, so a newer one makes an older one worthless."""
        return isinstance(message, Followed) and message.watching is self.watching


class Watching:
    """One run that a screen shows.

    The thread that follows it waits until its last state was painted: a terminal that cannot keep up slows
    its reader down, and never the trainer. A person who looks elsewhere is answered at once.
    """

    def __init__(
        self, screen: Screen[Any], folder: Path, trainer: Trainer | None = None, *, beside: bool = False
    ) -> None:
        """beside: another run is held against this one: its findings are those of its newest step, wherever one
        looks."""
        self.folder = folder
        self._beside = beside
        self.trainer = trainer
        """The trainer, where this app started it."""
        self.stillborn = False
        """Whether it ended before it wrote anything: the folder alone could not tell so soon."""
        self.snapshot: Snapshot | None = None
        self.look = Look()
        """Where the person looks; another takes effect at once, by `look_at`."""
        self.sight: Sight | None = None
        """What is seen there."""
        self.title = folder.name
        """What the run is called."""
        self.gone = False
        """Whether its folder was deleted while it was followed."""
        self.measures: tuple[str, ...] = ()
        """What the run records of its layers."""
        self.painted = threading.Event()
        self.problem = ""
        """Why the last wish could not be sent, or the run not be read; one line."""
        self.experiment: Experiment | None = None
        """What is trained, with the live changes that the trainer took over; None of a script."""
        self.findings: tuple[Finding, ...] | None = None
        """What the diagnosis says at the step looked at; None before it can say anything …"""
        self.standing: tuple[Finding, ...] | None = None
        """… and at the newest step, as `RunMonitor.findings` has them."""
        self.stats: tuple[RunStat, ...] = ()
        """Figures of the run as a whole, at that step."""
        self.outcome: Outcome | None = None
        """How it stands now, in the figures that cures are compared by."""
        self.parent: Parent | None = None
        """The run that it is held against, by its own account."""
        self.first_bad: int | None = None
        """The first step at which anything was found, as is known by now."""
        self.breaks: tuple[Divergence, ...] = ()
        """The steps that broke it, as its trainer has found them."""
        self._screen = screen
        self._loop = ReaderLoop()
        self._news: list[News] = []
        self._events_read = 0
        self._announced: set[str] = set()
        self._figures_of: int | None = None
        self.pace = PACE
        """Seconds between two looks at the folder."""

    @property
    def at(self) -> int | None:
        """The step that is looked at; None is the newest, whichever that is."""
        return self.look.at

    def look_at(self, look: Look) -> None:
        """See something else from now on."""
        self.look = look
        self._loop.wake()

    def close(self) -> None:
        """Nobody looks any more: whoever follows it stops at once. An app is gone only when its threads are."""
        self._loop.close()
        self.painted.set()

    def follow(self, worker: Worker[None]) -> None:
        """Read the folder until it is closed or the worker is cancelled. Runs in a thread."""
        from gradtui.diagnosis import RunMonitor
        from gradtui.runs.errors import RunError

        try:
            monitor = RunMonitor(self.folder)
            began = time.monotonic()

            def pause() -> float:
                return max(0.005, self._pace() - (time.monotonic() - began))

            for _ in self._loop.rounds(lambda: worker.is_cancelled, pause):
                began = time.monotonic()
                look = self.look
                if self._take_in(monitor, look):
                    before = self.sight
                    first, travelled = before is None, before is None or look.at != before.look.at
                    self._see(monitor.run, look)
                    if travelled:
                        # The picture first; what is to be said of it comes a moment later. The very first is
                        # waited for: its painting and a diagnosis would only take turns.
                        self._post(worker if first else None)
                    self._judge(monitor, look)
                    self._post(worker)
        except Exception as error:
            # One line, whatever it is: a run that cannot be read must not take the screen down with it.
            known = isinstance(error, RunError | OSError)
            self.problem = str(error) if known else f"cannot follow this run: {type(error).__name__}: {error}"
            self.snapshot = None
            self._screen.post_message(Followed(self))

    def _take_in(self, monitor: RunMonitor, look: Look) -> bool:
        """Read what is new, and return whether there is anything to show: news of the run, or another look."""
        run = monitor.run
        monitor.follow_metric(look.measure)
        self.gone = not self.folder.is_dir()
        if self.gone:
            # Deleted, perhaps for a moment only: what was read of it stays as it was.
            return False
        # Whoever renames it does not write into what is followed.
        self.title = run.name
        snapshot = monitor.snapshot if monitor.poll() else None
        if snapshot is None and self._is_stillborn():
            self.stillborn, snapshot = True, self.snapshot
        if snapshot is None:
            return self.snapshot is not None and (self.sight is None or self.sight.look != look)
        self._read_events(run, snapshot)
        self.measures = tuple(run.measures)
        self.parent = run.parent
        self.snapshot = snapshot
        return True

    def _see(self, run: Run, look: Look) -> None:
        from gradtui.ui.sight import see

        assert self.snapshot is not None
        self.sight = see(self.snapshot, run.scalar_tables(), look, self.experiment, self.sight)

    def _post(self, worker: Worker[None] | None = None) -> None:
        """Hand the state over; with a worker, wait until it was painted."""
        self.painted.clear()
        if self._loop.closed:
            return
        self._screen.post_message(Followed(self))
        # Also where a key is held down: its pictures would pile up in a slow line as well as any.
        while worker is not None and not self.painted.wait(0.5) and not worker.is_cancelled:
            pass

    def _read_events(self, run: Run, snapshot: Snapshot) -> None:
        """Take over what the trainer says it has changed, also at the wish of another viewer."""
        from gradtui.report.divergences import divergences

        first = self._events_read == 0
        if len(snapshot.events) != self._events_read:
            self.breaks = tuple(divergences(snapshot.events))
        if self.experiment is None or len(snapshot.events) < self._events_read:
            self.experiment, self._events_read = run.experiment, 0
        for event in snapshot.events[self._events_read :]:
            changes = event.get("set")
            if event.get("event") == "control" and changes and self.experiment is not None:
                with contextlib.suppress(ExperimentError):
                    self.experiment = set_fields(self.experiment, changes)
                said = ", ".join(f"{path.rpartition('.')[2]} {show(path, v)}" for path, v in changes.items())
                self._news += (
                    [] if first else [("", f"{said} since step {event.get('step', 0):,}", "information")]
                )
            elif event.get("event") == "refused" and not first:
                self._news.append(("refused", str(event.get("reason", "")), "error"))
        self._events_read = len(snapshot.events)

    def _pace(self) -> float:
        if not self.live:
            return ENDED_PACE
        return self.pace if self.snapshot is not None and self.snapshot.step else FIRST_PACE

    def _judge(self, monitor: RunMonitor, look: Look) -> None:
        """Diagnose the run: now and then while it trains, once more when it has ended, and at an earlier step."""
        snapshot = self.snapshot
        if snapshot is None or not snapshot.step:
            return
        due = monitor.waiting_since is not None
        if due:
            monitor.diagnose()
            self.standing, self.outcome = monitor.findings, monitor.outcome
            self.first_bad = min((found.step for found in self.standing or ()), default=None)
            new = [found for found in self.standing or () if found.code not in self._announced]
            self._announced.update(found.code for found in new)
            self._news += [(found.code, found.evidence.partition(";")[0], "warning") for found in new]
        if look.at is None or self._beside:
            self.findings = self.standing
        else:
            self.findings = monitor.findings_at(look.at)
        if not self._beside and (due or look.at != self._figures_of):
            self._figures_of = look.at
            rows = {
                metric.name: moment_row(monitor.run, metric.name, look.at) for metric in metrics.with_figure()
            }
            known = {name: row for name, row in rows.items() if row is not None}
            self.stats = run_stats(snapshot, known, tuple(monitor.run.layer_names))

    def news(self) -> list[News]:
        """What happened and was never announced, once."""
        news, self._news = self._news, []
        return news

    def _is_stillborn(self) -> bool:
        return (
            not self.stillborn
            and self.snapshot is not None
            and self.snapshot.meta is None
            and self.trainer is not None
            and self.trainer.poll() is not None
        )

    def send(self, wish: CommandName, **fields: Any) -> bool:
        """Send a wish to the trainer; False, and why in ``problem``, where that cannot be."""
        from gradtui.runs.control import send
        from gradtui.runs.errors import RunError

        try:
            send(self.folder, wish, **fields)
        except RunError as error:
            self.problem = str(error)
            return False
        return True

    @property
    def state(self) -> str:
        """The run's state by its last snapshot."""
        if self.stillborn:
            return "failed"
        return self.snapshot.status.state if self.snapshot else "starting"

    @property
    def preflight(self) -> bool:
        """Whether it is a measurement at initialisation, and no training."""
        meta = self.snapshot.meta if self.snapshot is not None else None
        return meta is not None and meta.preflight

    @property
    def script(self) -> bool:
        """Whether it is somebody's own training that is watched."""
        meta = self.snapshot.meta if self.snapshot is not None else None
        return meta is not None and meta.kind == "script"

    @property
    def lr(self) -> float:
        """The newest learning rate; 0 where none is known."""
        curve = self.snapshot.curves.get("lr") if self.snapshot is not None else None
        known = [] if curve is None else [float(f"{rate:.7g}") for rate in curve.mean if math.isfinite(rate)]
        return known[-1] if known else 0.0

    @property
    def ignores_commands(self) -> bool:
        """Whether it is a script that has never asked what is wished."""
        events = self.snapshot.events if self.snapshot is not None else ()
        return self.script and not any(event.get("event") == "listening" for event in events)

    @property
    def live(self) -> bool:
        """Whether a trainer is at it."""
        if self.snapshot is not None and self.snapshot.meta is None and self.trainer is None:
            # A folder that somebody made, and no trainer that we know of: space must not wait for it.
            return False
        return self.state in ("starting", "running", "paused")

    def log(self) -> list[str]:
        """The last lines that the trainer printed."""
        from gradtui.runs.reader import open_run

        lines = open_run(self.folder).log_tail(200)
        if not lines and self.state == "died":
            return [
                "The trainer printed nothing: it was killed from outside, by kill -9 or for want of memory."
            ]
        return lines


def moment_row(run: Run, measure: str, step: int | None) -> Floats | None:
    """The newest row of a measure up to a step, (layers,); None where there is none."""
    from gradtui.runs.table import recent_rows

    rows = recent_rows(run.table_or_empty(measure), step, 1).rows
    return rows[-1] if len(rows) else None
