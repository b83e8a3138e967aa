"""Find the status of a run from its events and from whether its process is still alive."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gradtui.runs import process
from gradtui.runs.errors import RunError
from gradtui.runs.events import EventLog, RunPhase
from gradtui.runs.folder import HEARTBEAT_FILE, RUN_FILE, last_row_step
from gradtui.runs.meta import RunMeta, read_meta

State = Literal["starting", "running", "paused", "finished", "stopped", "diverged", "failed", "died"]

ENDS: tuple[State, ...] = ("finished", "stopped", "diverged", "failed")
"""The states that an end event may name."""

COMPLETED_STATES: tuple[State, ...] = ("finished", "diverged")
"""States of a run that was trained to an end that says something of its experiment. A run that was stopped has learned
for a shorter time than the others and cannot be compared with them."""

SILENCE_SECONDS = 30.0
"""The age of its heartbeat after which a trainer on another host counts as dead."""

LARGEST_SKEW_SECONDS = 3600.0
"""A heartbeat further in the future than this is wrong, and not the result of a file server whose clock is ahead."""

START_SECONDS = 60.0
"""The time after which a trainer without a run.json counts as never started."""

_BEFORE_TRAINING = ("", "importing", "building")


@dataclass(frozen=True)
class RunStatus:
    """A RunStatus is the state of a run with its newest step and the reason for it.

    `phase` is the last phase that the run recorded, or empty; `step` is the last step on disk, 0 before the first;
    `reason` is one line, empty if there is nothing to explain.
    """

    state: State
    phase: str = ""
    step: int = 0
    reason: str = ""

    @property
    def live(self) -> bool:
        """Return whether a trainer works on the run."""
        return self.state in ("starting", "running", "paused")


def read_status(folder: Path) -> RunStatus:
    """Return the status of the run in that folder now. Raises RunError if run.json is corrupt."""
    return status_by(folder, read_meta(folder) if (folder / RUN_FILE).exists() else None)


def is_in_use(folder: Path) -> bool:
    """Return whether a trainer works on the run; False for a damaged run, which the next trainer will report."""
    try:
        # A trainer that takes one run after another does not end with a run.
        return (folder / RUN_FILE).exists() and read_status(folder).live
    except RunError:
        return False


def status_by(folder: Path, meta: RunMeta | None, events: EventLog | None = None) -> RunStatus:
    """Return the status of a run from its present run.json; `meta` is None if there is none yet.

    `events`, if given, are its present events.
    """
    if events is None:
        events = EventLog(folder)
        events.poll()
    return current_status(folder, meta, events, last_step(folder, meta) if meta else 0)


def current_status(folder: Path, meta: RunMeta | None, events: EventLog, step: int) -> RunStatus:
    """Return the status of a run from its present run.json and events; `step` is the last step on disk."""
    if meta is None:
        return _before_the_trainer(folder)
    if meta.kind == "script":
        # Many of its steps may not have been recorded, but its events hold the last one.
        step = max(step, events.step)
    run_phase = events.run_phase
    if not run_phase.end and not is_alive(folder, meta):
        # It may have written its end event just before its exit.
        events.poll()
        run_phase = events.run_phase
        if not run_phase.end:
            words = "; ".join(filter(None, [_last_words(run_phase, step), _disk_problem(folder)]))
            return RunStatus("died", run_phase.phase, step, words)
    return RunStatus(_state(run_phase, step), run_phase.phase, step, run_phase.reason)


def _state(run_phase: RunPhase, step: int) -> State:
    if run_phase.end:
        # An end that this version does not know counts as a failure.
        return next((end for end in ENDS if end == run_phase.end), "failed")
    if run_phase.paused:
        return "paused"
    # A watched script records no phases.
    starting = run_phase.phase in _BEFORE_TRAINING and not (run_phase.phase == "" and step > 0)
    return "starting" if starting else "running"


def _last_words(run_phase: RunPhase, step: int) -> str:
    if step > 0:
        return f"died at step {step}"
    return f"died while {run_phase.phase}" if run_phase.phase else "died before its first step"


def _disk_problem(folder: Path) -> str:
    """Return the present problem of the disk, which may have kept the run from recording its end."""
    try:
        about = os.statvfs(folder)
    except OSError:
        return ""
    if about.f_flag & os.ST_RDONLY:
        return "its disk is read-only"
    return "its disk is full" if about.f_blocks and not about.f_bavail else ""


def _before_the_trainer(folder: Path) -> RunStatus:
    if _age(folder) > START_SECONDS:
        return RunStatus("failed", reason="the trainer never started")
    return RunStatus("starting")


def is_alive(folder: Path, meta: RunMeta) -> bool:
    """Return whether the process that writes the run is alive: by its pid on this host, else by its heartbeat."""
    here = meta.host == process.host_name() and meta.machine == process.machine()
    if meta.pid and here:
        alive = process.is_alive(meta.pid, meta.pid_started)
        # Each process has a start time here. A pid without one is not trusted: pid 1 would be alive forever.
        named = meta.pid_started is not None or process.start_ticks(os.getpid()) is None
        if named or not alive:
            return alive
    heartbeat = folder / HEARTBEAT_FILE
    age = _age(heartbeat if heartbeat.exists() else folder / RUN_FILE)
    return -LARGEST_SKEW_SECONDS <= age <= SILENCE_SECONDS


def _age(path: Path) -> float:
    try:
        return time.time() - os.stat(path).st_mtime
    except OSError:
        return 0.0


def last_step(folder: Path, meta: RunMeta) -> int:
    """Return the last step in any table; 0 before the first. It needs no numpy."""
    tables = meta.tables.items()
    return max((last_row_step(folder, name, table.numbers) for name, table in tables), default=0)
