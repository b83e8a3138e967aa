"""One cure that is tried: an ordinary run, begun, taken up or gone on with, and looked at until it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from gradtui.experiment import Experiment, ExperimentError
from gradtui.experiment.memory import memory_of
from gradtui.runs.control import send
from gradtui.runs.errors import RunError
from gradtui.runs.meta import Parent
from gradtui.study.candidates import Candidate
from gradtui.study.state import TrialRow
from gradtui.study.twins import Twins
from gradtui.study.watched import Watched
from gradtui.training.launch import create_run

TORCH = 300_000_000
"""Bytes that a trainer takes before its net is built."""


class Process(Protocol):
    """A trainer that was started (gradtui.training.launch.Trainer)."""

    def poll(self) -> int | None:
        """None while it runs, then its exit code."""
        ...


Start = Callable[[Path], Process]
"""Starts a trainer of the run in a folder. Raises OSError."""


class Trial:
    """A candidate and its run. Only what `Trials` does to it, in its one thread at a time."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.folder: Path | None = None
        self.taken_up = False
        self.need = need_of(candidate.experiment)
        """Bytes of memory."""
        self._process: Process | None = None
        self._watched: Watched | None = None
        self._problem = ""
        self._given_up = self._over = False

    # -- beginning

    def take_up(self, twins: Twins) -> None:
        """Have the run that trains this already, or has; one that was cut short is gone on with when there is room."""
        found = twins.of(self.candidate)
        if found is None:
            return
        self.folder, state = found
        self.taken_up = True
        if state not in ("stopped", "failed", "died"):
            self._watch(self.folder)

    def begin(self, sick: Path, start: Start) -> None:
        """Start its trainer; where that cannot be, the row says why."""
        try:
            if self.folder is None:
                parent = Parent(sick.name, 0, self.candidate.cure)
                self.folder = create_run(self.candidate.experiment, sick.parent, parent=parent)
            self._process = start(self.folder)
        except OSError as error:
            self._problem = f"cannot start a run: {error}"
            return
        self._watch(self.folder)

    def _watch(self, folder: Path) -> None:
        try:
            self._watched = Watched(folder)
        except RunError as error:
            self._problem = str(error)

    @property
    def waits(self) -> bool:
        """Whether it is still to be begun."""
        return self._watched is None and not self._problem and not self._given_up

    # -- looking

    def look(self) -> bool:
        """Take in what is new of its run, and say whether anything was. Never raises."""
        watched = self._watched
        if watched is None or not self.live:
            return False
        # Before the look: what a trainer wrote last is seen by whoever looks once more when it has gone.
        gone = self._process is not None and self._process.poll() is not None
        try:
            changed = watched.look()
            self._problem = self._trouble(watched, gone)
        except Exception as error:
            # Whatever it is, it is the trouble of one cure, and the others go on.
            self._problem = _line(error)
        snapshot = watched.snapshot
        # What the folder says may be what an earlier trainer left, and an end is said a moment before the memory is
        # free: so of a trainer that we started its process says whether it is at it.
        self._over = gone if self._process is not None else snapshot is not None and not snapshot.status.live
        return changed or not self.live

    def _trouble(self, watched: Watched, gone: bool) -> str:
        if not watched.run.folder.is_dir():
            return "its folder is gone"
        if not gone or watched.snapshot is None or watched.snapshot.meta is not None:
            return ""
        said = [line for line in watched.run.log_tail(20) if line.strip()]
        return f"the trainer could not start{': ' + said[-1] if said else ''}"

    @property
    def waits_since(self) -> float | None:
        """See Watched.waits_since."""
        return self._watched.waits_since if self._watched is not None and not self._problem else None

    def judge(self) -> None:
        """Say what was found in it and what it has learned. Never raises."""
        assert self._watched is not None
        try:
            self._watched.judge()
        except Exception as error:
            self._problem = _line(error)

    @property
    def live(self) -> bool:
        """Whether a trainer is at it."""
        return self._watched is not None and not self._over and not self._problem

    @property
    def builds(self) -> bool:
        """Whether it has not yet taken all the memory that it will."""
        snapshot = self._watched.snapshot if self._watched is not None else None
        return self.live and not (snapshot is not None and snapshot.step)

    # -- ending

    def stop(self) -> None:
        """End it here; never begin it, where it still waits."""
        if self.waits:
            self._given_up = True
        elif self.live and self.folder is not None:
            try:
                send(self.folder, "stop")
            except RunError as error:
                self._problem = str(error)

    # -- saying

    def row(self) -> TrialRow:
        """How it stands, without what only the others can tell."""
        planned = self.candidate.experiment.run.steps
        row = TrialRow(
            self.candidate, reason=self._problem, folder=self.folder, taken_up=self.taken_up, steps=planned
        )
        if self._given_up:
            return replace(row, state="stopped", reason="not begun")
        watched = self._watched
        if watched is None or watched.snapshot is None:
            return replace(row, state="failed" if self._problem else "starting" if watched else "waiting")
        snapshot, (gradients, healthy) = watched.snapshot, watched.gradients()
        state = snapshot.status.state
        if self._problem:
            state = "failed"
        elif self.live and not snapshot.status.live:
            # Said by whoever was at it before, or by ours, which has yet to go.
            state = "running" if snapshot.step >= planned else "starting"
        return replace(
            row,
            state=state,
            reason=self._problem or snapshot.status.reason,
            phase=snapshot.status.phase,
            step=snapshot.step,
            steps=snapshot.steps or planned,
            outcome=watched.outcome,
            gradients=gradients if len(gradients) else None,
            healthy=healthy,
        )


def need_of(experiment: Experiment) -> int:
    """Bytes that its trainer will take."""
    try:
        return TORCH + memory_of(experiment).total
    except (ExperimentError, OSError):
        # Its data cannot be read, and the trainer will say so.
        return TORCH


def _line(error: Exception) -> str:
    said = " ".join(str(error).split())
    return said if isinstance(error, RunError | OSError) else f"{type(error).__name__}: {said}"
