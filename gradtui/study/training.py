"""One of many trainings: an ordinary run, begun, taken up or gone on with, and looked at until it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradtui.experiment import Experiment, ExperimentError
from gradtui.experiment.memory import memory_of
from gradtui.runs.control import send
from gradtui.runs.errors import RunError
from gradtui.runs.meta import Parent
from gradtui.runs.status import State
from gradtui.study.engines import Load, Process, Start
from gradtui.study.watched import Watched
from gradtui.training.launch import create_run

TORCH = 300_000_000
"""Bytes that a trainer takes before its net is built."""
CUT_SHORT: tuple[State, ...] = ("stopped", "failed", "died")
"""Ends after which a run that is taken up is gone on with."""
BROKEN: tuple[State, ...] = ("failed", "died")
"""And those that nobody wished."""


class Training:
    """An experiment and its run. Only what `Pool` does to it, in one thread at a time.

    Args:
        root: the folder of runs.
        parent: the run that it is to be held against.
    """

    def __init__(self, experiment: Experiment, root: Path, parent: Parent | None = None) -> None:
        self.experiment = experiment
        self.folder: Path | None = None
        self.taken_up = False
        self.need = need_of(experiment)
        """Bytes of memory."""
        self._root = root
        self._parent = parent
        self._process: Process | None = None
        self._watched: Watched | None = None
        self._problem = ""
        self._given_up = self._over = False

    # -- beginning

    def take_up(self, folder: Path, state: State) -> None:
        """Have the run that trains this already, or has; one that was cut short is gone on with when there is room."""
        self.folder = folder
        self.taken_up = True
        if state not in CUT_SHORT:
            self._watch(folder)

    def begin(self, start: Start) -> None:
        """Start its trainer; where that cannot be, the row says why."""
        try:
            self._process = start(self.made())
        except OSError as error:
            self._problem = f"cannot start a run: {error}"
            return
        self._watch(self.made())

    def made(self) -> Path:
        """Its folder, made where there was none. Raises OSError."""
        if self.folder is None:
            self.folder = create_run(self.experiment, self._root, parent=self._parent)
        return self.folder

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
        if self._over and self._process is None and snapshot is not None and snapshot.status.state in BROKEN:
            # Somebody else's trainer left it so, or never came: it is gone on with, by ours.
            self._watched, self._over, self._problem = None, False, ""
            return True
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
    def load(self) -> Load:
        """What it asks of a machine; it has taken its memory once it has taken a step."""
        snapshot = self._watched.snapshot if self._watched is not None else None
        return Load(self.need, builds=not (snapshot is not None and snapshot.step))

    @property
    def watched(self) -> Watched | None:
        """Its run, as it was looked at last; None before it was begun."""
        return self._watched

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

    def stands(self) -> dict[str, Any]:
        """How it stands, as the fields of a RunRow."""
        planned = self.experiment.run.steps
        about = {
            "reason": self._problem,
            "folder": self.folder,
            "taken_up": self.taken_up,
            "steps": planned,
        }
        if self._given_up:
            return {**about, "state": "stopped", "reason": "not begun"}
        watched = self._watched
        if watched is None or watched.snapshot is None:
            return {**about, "state": "failed" if self._problem else "starting" if watched else "waiting"}
        snapshot, (gradients, healthy) = watched.snapshot, watched.gradients()
        state = snapshot.status.state
        if self._problem:
            state = "failed"
        elif self.live and not snapshot.status.live:
            # Said by whoever was at it before, or by ours, which has yet to go.
            state = "running" if snapshot.step >= planned else "starting"
        return {
            **about,
            "state": state,
            "reason": self._problem or snapshot.status.reason,
            "phase": snapshot.status.phase,
            "step": snapshot.step,
            "steps": snapshot.steps or planned,
            "outcome": watched.outcome,
            "gradients": gradients if len(gradients) else None,
            "healthy": healthy,
        }


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
