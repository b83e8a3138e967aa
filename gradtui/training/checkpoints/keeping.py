"""Take checkpoints and rollback points during a training, without making it wait."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

from gradtui.experiment import Experiment
from gradtui.ordinary_files import in_bytes
from gradtui.probe.sampling_budget import clock_of
from gradtui.runs.folder import CHECKPOINT_FOLDER
from gradtui.runs.safe_files import make_subfolder
from gradtui.runs.writer import RunWriter
from gradtui.training.checkpoints.files import HEADER_KEY, checkpoint_path, rollback_path, tidy
from gradtui.training.checkpoints.state import HostState, SessionStates, TrainingState
from gradtui.training.checkpoints.tensors import write_tensors
from gradtui.training.device import free_on
from gradtui.training.recorder import Recorder
from gradtui.training.session import Session

POINT_GAP = 25
"""Least steps between two rollback points, and from a point to the step that diverged: a nearer point may be affected
already."""
POINT_TIME_SHARE = 0.005
"""Share of the time since the last rollback point that one may take. A copy moves no more bytes than a step of the
optimizer does, so on a device that is not waited for, POINT_GAP alone keeps it far below that."""
COPIES = 3
"""Two points, because the newer may be too near to the divergence; and the present state during a replay."""
MEMORY_SHARE = 0.03
"""Share of the free memory that the copies may take. Where they would take more, there are none."""


class CheckpointWriter:
    """A CheckpointWriter writes the checkpoints of one training: every `run.checkpoint_every` steps, on request, and at
    the end.

    The training only copies its state in memory; a thread writes the copy. While a copy is being written, the next
    checkpoint is delayed to a later step, so a slow disk makes checkpoints rarer but not the training slower, and there
    is at most one copy.

    A state with a loss or weight that is not finite is never written, because it would replace useful checkpoints. Each
    file has an event "checkpoint" with its path in the run's folder; a failure has an event "checkpoint_failed" with
    the reason, which is repeated only after a success.
    """

    def __init__(self, session: Session, recorder: Recorder) -> None:
        self._session = session
        self._recorder = recorder
        self._writer = recorder.writer
        self._states = SessionStates(session)
        self._every = session.exp.run.checkpoint_every
        self._last = session.step
        """The step of the newest checkpoint; at first the step from which a run is resumed, or 0."""
        self._due = False
        self._thread: Thread | None = None
        self._failing = False

    def request(self) -> None:
        """Request a checkpoint at the next step at which none is being written."""
        self._due = True

    def between_steps(self) -> None:
        """Take a checkpoint if one is due and none is being written."""
        step = self._session.step
        if self._every and step % self._every == 0 and step != self._last:
            self._due = True
        if self._due and not self.busy:
            self._take()

    @property
    def busy(self) -> bool:
        """Return whether a checkpoint is being written."""
        return self._thread is not None and self._thread.is_alive()

    def finish(self) -> None:
        """Take the last checkpoint, unless this step has one; a thread writes it."""
        if self._session.step != self._last:
            self.wait()
            self._take()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until nothing is being written, or for at most `seconds`."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _take(self) -> None:
        self._recorder.catch_up()
        if self._recorder.finite:
            self._due, self._last = False, self._session.step
            state = self._states.to_host()
            self._thread = Thread(target=self._write, args=(state,), name="gradtui-checkpoint")
            self._thread.start()

    def _write(self, state: HostState) -> None:
        if not state.is_finite():
            return
        folder = self._writer.folder
        path = checkpoint_path(folder, state.step)
        try:
            _write_file(self._writer, path, state)
        except OSError as error:
            if not self._failing:
                self._event("checkpoint_failed", state, reason=error.strerror or str(error))
            self._failing = True
            return
        self._failing = False
        tidy(folder)
        self._event("checkpoint", state)

    def _event(self, event: str, state: HostState, **fields: str) -> None:
        name = checkpoint_path(self._writer.folder, state.step).name
        self._writer.event(event, state.step, path=f"{CHECKPOINT_FOLDER}/{name}", **fields)


class RollbackBuffer:
    """A RollbackBuffer keeps copies of earlier states of a session, to go back to when the training diverges.

    It keeps them in memory, and writes one to disk only after a divergence. A point is taken only while the training
    has not diverged, which is known because all numbers up to it have arrived. Where the copies would take too much
    memory, none are taken, and one event "rewind_off" gives the reason; ordinary checkpoints are not affected.
    """

    def __init__(self, session: Session, recorder: Recorder) -> None:
        self.states = SessionStates(session)
        self.points: list[TrainingState] = []
        """The rollback points, the oldest first, at most two."""
        self.seconds = 0.0
        """The seconds that all points together took."""
        self._session = session
        self._recorder = recorder
        self._clock = clock_of(session.device)
        self._due = session.step
        self._not_before = 0.0
        self._exp = session.exp
        self._changes: list[tuple[int, Experiment]] = []
        self._written: set[int] = set()
        needed, free = COPIES * self.states.copy_bytes(), free_on(session.device)
        self._off = needed > MEMORY_SHARE * free
        if self._off:
            reason = (
                f"{COPIES} copies of its weights and of the optimizer's state take {in_bytes(needed)}, "
                f"more than {MEMORY_SHARE:.0%} of the {in_bytes(free)} that are free"
            )
            recorder.writer.event("rewind_off", session.step, reason=reason)

    def before_step(self) -> None:
        """Take a rollback point before the session's next step, if one is due."""
        session = self._session
        if session.exp is not self._exp:
            self._exp = session.exp
            self._changes.append((session.step, session.exp))
        if session.step < self._due or self._off or self._clock() < self._not_before:
            return
        self._due = session.step + POINT_GAP
        self._recorder.catch_up()
        if not self._recorder.detector.diverged:
            self._take()

    def _take(self) -> None:
        begin = self._clock()
        oldest = self.points.pop(0) if len(self.points) == 2 else None
        self.points.append(self.states.copy(oldest))
        end = self._clock()
        self.seconds += end - begin
        self._not_before = end + (end - begin) / POINT_TIME_SHARE
        self._changes = [change for change in self._changes if change[0] >= self.points[0].step]

    def point_before(self, step: int) -> TrainingState | None:
        """Return the newest point at least POINT_GAP steps before `step`, else the oldest before it.

        None where there is none, or its weights are not finite.
        """
        known = [point for point in self.points if point.step < step]
        far = [point for point in known if point.step <= step - POINT_GAP]
        point = far[-1] if far else known[0] if known else None
        return point if point is not None and bool(point.weights.isfinite().all()) else None

    def changes_since(self, point: TrainingState) -> list[tuple[int, Experiment]]:
        """Return the experiment after each change that a viewer made since that point, each with the step before it."""
        return [change for change in self._changes if change[0] >= point.step]

    def save(self, point: TrainingState) -> bool:
        """Write a rollback point to disk. Returns whether that succeeded.

        An event "rewind_point" has the step and the path in the run's folder.
        """
        if point.step in self._written:
            return True
        writer = self._recorder.writer
        path = rollback_path(writer.folder, point.step)
        try:
            _write_file(writer, path, self.states.to_host(point))
        except OSError as error:
            writer.event("checkpoint_failed", point.step, reason=error.strerror or str(error))
            return False
        self._written.add(point.step)
        writer.event("rewind_point", point.step, path=f"{CHECKPOINT_FOLDER}/{path.name}")
        return True


def _write_file(writer: RunWriter, path: Path, state: HostState) -> None:
    """Write a checkpoint file after the rows of its steps, because a run that starts from it needs them."""
    writer.flush()
    make_subfolder(path.parent)
    write_tensors(path, state.tensors, {HEADER_KEY: state.text})
