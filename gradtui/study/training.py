"""One of many trainings: an ordinary run, begun, taken up or gone on with, and looked at until it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradtui.diagnosis.findings import Finding
from gradtui.experiment import Experiment
from gradtui.runs.control import send
from gradtui.runs.errors import RunError
from gradtui.runs.meta import Parent
from gradtui.runs.status import State
from gradtui.study.engines import LOST, Load, Process, Start
from gradtui.study.measures import Measures
from gradtui.study.need import need_of
from gradtui.study.watched import Watched
from gradtui.training.launch import create_run

RETRIES = 3
"""How often a run is begun again whose machine was lost: one that is lost again and again may be what kills them."""
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
        self.findings: tuple[Finding, ...] = ()
        self.measures: Measures | None = None
        """As it was judged last; None before its first step."""
        self._process: Process | None = None
        self._final: dict[str, Any] | None = None
        self._watched: Watched | None = None
        self._problem = ""
        self._given_up = self._over = self._told_to_stop = False
        self._lost = 0

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
        begun = self._watched is not None or self._final is not None
        return not begun and not self._problem and not self._given_up

    # -- looking

    def look(self) -> bool:
        """Take in what is new of its run, and say whether anything was. Never raises."""
        watched = self._watched
        if watched is None or not self.live:
            return False
        # Before the look: what a trainer wrote last is seen by whoever looks once more when it has gone.
        code = self._process.poll() if self._process is not None else None
        if code == LOST:
            self._lose()
            return True
        gone, changed = code is not None, False
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
        changed |= not self.live
        self._settle()
        return changed

    def _settle(self) -> None:
        """Of a thousand runs that have ended, keep what is to be said of them, and not half a megabyte of each."""
        if self._watched is not None and not self.live and self.waits_since is None:
            self._final = self.stands()
            self._watched = None

    def _lose(self) -> None:
        """Its machine has gone, or there was none: it is begun again when there is room, from its newest checkpoint."""
        self._process = self._watched = None
        self._lost += 1
        self._given_up = self._told_to_stop
        if self._lost > RETRIES and not self._given_up:
            self._problem = f"each of the {self._lost} machines that it was on was lost"

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
        watched = self._watched
        assert watched is not None
        try:
            watched.judge()
        except Exception as error:
            self._problem = _line(error)
        self.findings, self.measures = watched.findings, watched.measures
        self._settle()

    @property
    def live(self) -> bool:
        """Whether a trainer is at it."""
        return self._watched is not None and not self._over and not self._problem

    @property
    def load(self) -> Load:
        """What it asks of a machine; it has taken its memory once it has taken a step."""
        snapshot = self._watched.snapshot if self._watched is not None else None
        return Load(self.need, builds=not (snapshot is not None and snapshot.step))

    # -- ending

    def stop(self) -> None:
        """End it here; never begin it, where it still waits."""
        if self.waits:
            self._given_up = True
        elif self.live and self.folder is not None:
            self._told_to_stop = True
            try:
                send(self.folder, "stop")
            except RunError as error:
                self._problem = str(error)

    # -- saying

    @property
    def _retried(self) -> str:
        """That it was, in words; empty where it was not."""
        times = f" {self._lost} times" if self._lost > 1 else ""
        return f"retried{times}: its machine was lost" if self._lost else ""

    def stands(self) -> dict[str, Any]:
        """How it stands, as the fields of a RunRow."""
        if self._final is not None:
            return self._final
        planned = self.experiment.run.steps
        about = {
            "reason": self._problem or self._retried,
            "folder": self.folder,
            "taken_up": self.taken_up,
            "steps": planned,
        }
        if self._given_up:
            reason = "its machine was lost" if self._lost else "not begun"
            return {**about, "state": "stopped", "reason": reason}
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
        elif self._over and snapshot.status.live:
            # Its trainer has gone and left no word; elsewhere, its heart is believed to beat for a while yet.
            state = "died"
        return {
            **about,
            "state": state,
            "reason": self._problem or snapshot.status.reason or self._retried,
            "phase": snapshot.status.phase,
            "step": snapshot.step,
            "steps": snapshot.steps or planned,
            "outcome": watched.outcome,
            "gradients": gradients if len(gradients) else None,
            "healthy": healthy,
        }


def _line(error: Exception) -> str:
    said = " ".join(str(error).split())
    return said if isinstance(error, RunError | OSError) else f"{type(error).__name__}: {said}"
