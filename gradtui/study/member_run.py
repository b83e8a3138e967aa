"""Start the run of one experiment of a study, or find or resume an earlier one, and follow it until it ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.monitor import RunMonitor
from gradtui.diagnosis.outcome import Outcome
from gradtui.judgement import Judgement, judge
from gradtui.runs.control import send
from gradtui.runs.errors import RunError
from gradtui.runs.meta import Parent
from gradtui.runs.status import State
from gradtui.study.engines import LOST, Load, StartTrainer, TrainerProcess, memory_estimate
from gradtui.study.plan import Member
from gradtui.study.run_result import RunResult, result_of
from gradtui.study.state import StudyRow
from gradtui.training.launch import create_run

RETRIES = 3
"""The number of times that a run is started again after its machine was lost; a run that loses more of them may be the
cause."""
RESUMABLE_STATES: tuple[State, ...] = ("stopped", "failed", "died")
"""The states from which a run that existed before is resumed."""
BROKEN_STATES: tuple[State, ...] = ("failed", "died")
"""Those of them that are the result of a fault."""


class ExistingRuns(Protocol):
    """ExistingRuns find the runs that a study's members have already, and record new ones."""

    def refresh(self) -> None:
        """Read the list of runs again. Never raises."""
        ...

    def find(self, member: Member) -> tuple[Path, State] | None:
        """Return the folder and the state of the member's run; None if it has none. Never raises."""
        ...

    def add(self, member: Member, folder: Path) -> None:
        """Record a new run, before its trainer is started. Raises OSError."""
        ...


class MemberRun:
    """A MemberRun starts and follows the run of one member; one thread at a time may use it.

    Args:
        root: the folder of runs.
        existing: finds the run that the member has already, and records a new one.
        parent: the run that it is compared with, if any.
    """

    def __init__(
        self, member: Member, root: Path, existing: ExistingRuns, parent: Parent | None = None
    ) -> None:
        self.member = member
        self.folder: Path | None = None
        self.memory = memory_estimate(member.experiment)
        """The memory of its trainer, in bytes."""
        self._root = root
        self._existing = existing
        self._parent = parent
        self._existed_before = False
        self._findings: tuple[Finding, ...] = ()
        self._outcome: Outcome | None = None
        self._judgement: Judgement | None = None
        self._result: RunResult | None = None
        self._process: TrainerProcess | None = None
        self._final: dict[str, Any] | None = None
        """The result of `_row_fields` once the run has ended."""
        self._monitor: RunMonitor | None = None
        self._problem = ""
        self._abandoned = self._over = self._told_to_stop = False
        self._machines_lost = 0

    # -- starting

    def find(self) -> None:
        """Find the run that trains or has trained this experiment; one that was cut short waits to be resumed."""
        found = self._existing.find(self.member)
        if found is None:
            return
        self.folder, state = found
        self._existed_before = True
        if state not in RESUMABLE_STATES:
            self._follow(self.folder)

    def begin(self, start: StartTrainer) -> None:
        """Start its trainer; if that fails, the row holds the reason."""
        try:
            if self.folder is None:
                self.folder = create_run(self.member.experiment, self._root, parent=self._parent)
                self._existing.add(self.member, self.folder)
            self._process = start(self.folder)
        except OSError as error:
            self._problem = f"cannot start a run: {error}"
            return
        self._follow(self.folder)

    def _follow(self, folder: Path) -> None:
        self._outcome = None
        try:
            self._monitor = RunMonitor(folder)
        except RunError as error:
            self._problem = str(error)

    @property
    def waits(self) -> bool:
        """Return whether its trainer has not been started yet."""
        begun = self._monitor is not None or self._final is not None
        return not begun and not self._problem and not self._abandoned

    # -- following

    def refresh(self) -> bool:
        """Read what is new in its run, and return whether there was anything. Never raises."""
        monitor = self._monitor
        if monitor is None or not self.live:
            return False
        # The exit code is read first: after the trainer has ended, reading finds all that it wrote.
        code = self._process.poll() if self._process is not None else None
        if code == LOST:
            self._lose_machine()
            return True
        gone, changed = code is not None, False
        try:
            changed = monitor.poll()
            self._problem = self._trouble(monitor, gone)
        except Exception as error:
            # An error of any kind concerns this run only; the others continue.
            self._problem = _line(error)
        snapshot = monitor.snapshot
        # The folder may still say what an earlier trainer left there, and a trainer writes its end a moment before its
        # memory is free. So for a trainer that was started here, its process says whether it is over.
        self._over = gone if self._process is not None else snapshot is not None and not snapshot.status.live
        if (
            self._over
            and self._process is None
            and snapshot is not None
            and snapshot.status.state in BROKEN_STATES
        ):
            # The trainer of another viewer failed or never started, so the run is resumed with one of ours.
            self._monitor, self._over, self._problem = None, False, ""
            return True
        changed |= not self.live
        self._settle()
        return changed

    def _settle(self) -> None:
        """Keep only the row of a run that has ended, because the rest takes half a megabyte a run."""
        if self._monitor is not None and not self.live and self.waits_since is None:
            self._final = self._row_fields()
            self._monitor = None

    def _lose_machine(self) -> None:
        """Let the run wait for a restart from its newest checkpoint, because its machine is lost or was never free."""
        self._process = self._monitor = None
        self._machines_lost += 1
        self._abandoned = self._told_to_stop
        if self._machines_lost > RETRIES and not self._abandoned:
            self._problem = f"each of the {self._machines_lost} machines on which it ran was lost"

    def _trouble(self, monitor: RunMonitor, gone: bool) -> str:
        if not monitor.run.folder.is_dir():
            return "its folder was removed"
        if not gone or monitor.snapshot is None or monitor.snapshot.meta is not None:
            return ""
        lines = [line for line in monitor.run.log_tail(20) if line.strip()]
        return f"the trainer could not start{': ' + lines[-1] if lines else ''}"

    @property
    def waits_since(self) -> float | None:
        """Return the time of its last diagnosis if it should be diagnosed again now; else None."""
        return self._monitor.waiting_since if self._monitor is not None and not self._problem else None

    def judge(self) -> None:
        """Diagnose the run and measure what it has learned. Never raises."""
        monitor = self._monitor
        assert monitor is not None
        try:
            monitor.diagnose()
            evidence, findings, outcome = monitor.evidence, monitor.findings or (), monitor.outcome
            judged = monitor.judged
            assert evidence is not None
            assert outcome is not None
            assert judged is not None
            self._result = result_of(evidence, findings, outcome)
            self._findings, self._outcome = findings, outcome
            self._judgement = judge(
                monitor.findings,
                live=not evidence.finished,
                step=evidence.step,
                enough=judged.enough_steps,
                objection=monitor.objection(),
            )
        except Exception as error:
            self._problem = _line(error)
        self._settle()

    @property
    def live(self) -> bool:
        """Return whether a trainer works on it."""
        return self._monitor is not None and not self._over and not self._problem

    @property
    def load(self) -> Load:
        """Return the memory that it needs of a machine; after its first step, it has taken all of it."""
        snapshot = self._monitor.snapshot if self._monitor is not None else None
        return Load(self.memory, builds=not (snapshot is not None and snapshot.step))

    # -- ending

    def stop(self) -> None:
        """End its training at the present step; if it still waits, it is never started."""
        if self.waits:
            self._abandoned = True
        elif self.live and self.folder is not None:
            self._told_to_stop = True
            try:
                send(self.folder, "stop")
            except RunError as error:
                self._problem = str(error)

    # -- its row

    def row(self) -> StudyRow:
        """Return its row, without the values that need a comparison with the other runs."""
        row = StudyRow(member=self.member, **self._row_fields())
        if row.outcome is None:
            return row
        return replace(
            row,
            codes=row.outcome.codes,
            evidence=tuple(found.evidence for found in self._findings if found.severity != "info"),
            judgement=self._judgement,
            result=self._result if row.ended else None,
        )

    @property
    def _retried(self) -> str:
        times = f" {self._machines_lost} times" if self._machines_lost > 1 else ""
        return f"retried{times}: its machine was lost" if self._machines_lost else ""

    def _row_fields(self) -> dict[str, Any]:
        if self._final is not None:
            return self._final
        planned = self.member.experiment.run.steps
        fields = {
            "reason": self._problem or self._retried,
            "folder": self.folder,
            "existed_before": self._existed_before,
            "steps": planned,
        }
        if self._abandoned:
            reason = "its machine was lost" if self._machines_lost else "not started"
            return {**fields, "state": "stopped", "reason": reason}
        monitor = self._monitor
        if monitor is None or monitor.snapshot is None:
            return {**fields, "state": "failed" if self._problem else "starting" if monitor else "waiting"}
        snapshot, (gradients, healthy) = monitor.snapshot, monitor.gradients()
        state = snapshot.status.state
        if self._problem:
            state = "failed"
        elif self.live and not snapshot.status.live:
            # The folder holds what an earlier trainer wrote, or ours has written its end and has not exited yet.
            state = "running" if snapshot.step >= planned else "starting"
        elif self._over and snapshot.status.live:
            # Its trainer ended without writing so; on another machine its heartbeat would count as fresh for a while.
            state = "died"
        return {
            **fields,
            "state": state,
            "reason": self._problem or snapshot.status.reason or self._retried,
            "phase": snapshot.status.phase,
            "step": snapshot.step,
            "steps": snapshot.steps or planned,
            "outcome": self._outcome,
            "gradients": gradients if len(gradients) else None,
            "healthy": healthy,
        }


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, RunError | OSError) else f"{type(error).__name__}: {text}"
