"""The run on the screen: its folder is followed in a thread, its state handed over whole."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textual.message import Message
from textual.screen import Screen
from textual.worker import Worker

from gradtui.experiment import Experiment, ExperimentError, set_fields
from gradtui.ui.edit.values import show
from gradtui.ui.panes.status import Progress
from gradtui.ui.panes.vitals import Vital, vitals_of

if TYPE_CHECKING:
    from gradtui.diagnosis import Finding, LiveDiagnosis
    from gradtui.runs.control import WishName
    from gradtui.runs.follower import Follower, Snapshot
    from gradtui.runs.reader import Run
    from gradtui.training.launch import Trainer

PACE = 0.1
"""Seconds between two looks at the folder …"""
ENDED_PACE = 1.0
"""… once the run has ended: another process may resume it …"""
FIRST_PACE = 0.02
"""… and until the first step is there, so that the first bar comes at once."""

JUDGE_PACE = 1.0
"""Seconds between two diagnoses of a run that trains, at least."""

EARLY = 20
"""Steps before which nothing found means nothing."""

FIGURES = ("dead_fraction", "saturated_fraction", "activation_mean", "slope")
"""Measures of which the newest row is read besides the one that is drawn."""

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
    its reader down, and never the trainer.
    """

    def __init__(self, screen: Screen[Any], folder: Path, trainer: Trainer | None = None) -> None:
        self.folder = folder
        self.trainer = trainer
        """The trainer, where this app started it."""
        self.stillborn = False
        """Whether it ended before it wrote anything: the folder alone could not tell so soon."""
        self.snapshot: Snapshot | None = None
        self.measure = "grad_norm"
        """What of the layers is followed; another takes effect at the next look."""
        self.measures: tuple[str, ...] = ()
        """What the run records of its layers."""
        self.at: int | None = None
        """The step that is looked at; None is the newest, whichever that is."""
        self.painted = threading.Event()
        self.problem = ""
        """Why the last wish could not be sent, or the run not be read; one line."""
        self.experiment: Experiment | None = None
        """What is trained, with the live changes that the trainer took over; None of a script."""
        self.findings: tuple[Finding, ...] | None = None
        """What the diagnosis says now; None before it can say anything."""
        self._screen = screen
        self._wake = threading.Event()
        self.vitals: tuple[Vital, ...] = ()
        """Figures of the run as a whole."""
        self._news: list[News] = []
        self._events_read = 0
        self._judged_at = 0.0

    def follow(self, worker: Worker[None]) -> None:
        """Read the folder until the worker is cancelled. Runs in a thread."""
        from gradtui.diagnosis import LiveDiagnosis
        from gradtui.runs.errors import RunError
        from gradtui.runs.follower import Follower
        from gradtui.runs.reader import open_run

        try:
            run = open_run(self.folder)
            follower = Follower(run)
            diagnosis = LiveDiagnosis()
            while not worker.is_cancelled:
                began = time.monotonic()
                if follower.measure != self.measure:
                    follower.watch(self.measure)
                snapshot = follower.poll()
                if snapshot is None and self._is_stillborn():
                    self.stillborn, snapshot = True, self.snapshot
                if snapshot is not None:
                    self._read_events(run, snapshot)
                    self.measures = tuple(run.measures)
                    self.snapshot = snapshot
                    self._judge(run, diagnosis, follower)
                    self.painted.clear()
                    self._screen.post_message(Followed(self))
                    while not self.painted.wait(0.5) and not worker.is_cancelled:
                        pass
                self._wake.wait(max(0.005, self._pace() - (time.monotonic() - began)))
                self._wake.clear()
        except Exception as error:
            # One line, whatever it is: a run that cannot be read must not take the screen down with it.
            known = isinstance(error, RunError | OSError)
            self.problem = str(error) if known else f"cannot follow this run: {type(error).__name__}: {error}"
            self.snapshot = None
            self._screen.post_message(Followed(self))

    def _read_events(self, run: Run, snapshot: Snapshot) -> None:
        """Take over what the trainer says it has changed, also at the wish of another viewer."""
        first = self._events_read == 0
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

    def draw(self, measure: str) -> None:
        """Follow another measure of the layers from now on."""
        self.measure = measure
        self._wake.set()

    def _pace(self) -> float:
        if not self.live:
            return ENDED_PACE
        return PACE if self.snapshot is not None and self.snapshot.step else FIRST_PACE

    def _judge(self, run: Run, diagnosis: LiveDiagnosis, follower: Follower) -> None:
        """Look for diseases: now and then while it trains, and once more when it has ended."""
        snapshot, now = self.snapshot, time.monotonic()
        if snapshot is None or not snapshot.step:
            return
        if snapshot.status.live and now - self._judged_at < JUDGE_PACE:
            return
        from gradtui.diagnosis import evidence_of

        look = diagnosis.update(evidence_of(run))
        early = snapshot.status.live and snapshot.step < EARLY and not look.findings
        self.findings = None if early else tuple(look.findings)
        rows = {measure: follower.latest(measure) for measure in FIGURES}
        known = {measure: row[1] for measure, row in rows.items() if row is not None}
        self.vitals = vitals_of(snapshot, known, tuple(run.layer_names))
        self._news += [(found.code, found.evidence.partition(";")[0], "warning") for found in look.new]
        # A look that takes long is taken seldom: the picture must not wait for it.
        self._judged_at = time.monotonic() + 19 * (time.monotonic() - now)

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

    def send(self, wish: WishName, **fields: Any) -> bool:
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


def progress_of(watching: Watching | None, draft: Experiment) -> Progress:
    """The first line for a run, or for an experiment that has not been started."""
    if watching is None:
        return Progress(draft.name, draft.data.source, "idle", "press space to train")
    snapshot = watching.snapshot
    title = watching.experiment.name if watching.experiment else watching.folder.name
    script = snapshot is not None and snapshot.meta is not None and snapshot.meta.kind == "script"
    detail = watching.experiment.data.source if watching.experiment else "script" if script else ""
    if snapshot is None:
        return Progress(title, detail, watching.state, watching.problem or "starting")
    if watching.stillborn:
        return Progress(title, detail, "failed", _words("failed", "", "the trainer could not start"))
    status = snapshot.status
    return Progress(
        title=title,
        detail=detail,
        state=status.state,
        words=_words(status.state, _phase_text(snapshot), status.reason),
        step=snapshot.step,
        steps=snapshot.steps,
        rate=snapshot.rate or 0.0,
        seconds_left=snapshot.seconds_left,
    )


# An evaluation of milliseconds would only flicker.
_PHASES = {"importing": "importing torch", "building": "building the net", "evaluating": "training"}


def _phase_text(snapshot: Snapshot) -> str:
    """What the trainer is at, in its own words where they say more than the phase's name."""
    phase = snapshot.status.phase
    if phase == "pretraining":
        said = [event.get("text") for event in snapshot.events if event.get("event") == "phase"]
        return str(said[-1] or phase)
    return _PHASES.get(phase, phase)


def _words(state: str, phase: str, reason: str) -> str:
    if state in ("starting", "running"):
        return phase or state
    if state == "died":
        return f"trainer {reason or 'died'} · L log"
    if state == "failed":
        return f"failed: {reason} · L log" if reason else "failed · L log"
    if state == "diverged":
        return f"diverged: {reason}" if reason else state
    return state
