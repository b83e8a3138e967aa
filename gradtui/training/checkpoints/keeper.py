"""Takes checkpoints while a training runs, and does not keep it waiting."""

from __future__ import annotations

from threading import Thread

from gradtui.runs.folder import CHECKPOINT_FOLDER
from gradtui.training.checkpoints.files import path_of, tidy
from gradtui.training.checkpoints.header import TEXT
from gradtui.training.checkpoints.state import SessionState, Snapshot, is_finite
from gradtui.training.checkpoints.tensors import write
from gradtui.training.recorder import Recorder
from gradtui.training.session import Session


class Checkpoints:
    """The checkpoints of one training: every `run.checkpoint_every` steps, when asked for, and at the end.

    The training only copies its state in memory; a thread writes the copy. While one is being written, the
    next waits for its turn, and is then of the step at hand: so a slow disk makes checkpoints rarer, never
    the training slower, and there is one copy at most.

    A state with a loss or weight that is no number is never written: it would push out those that one can go
    on from. Each file is an event "checkpoint" with its path in the run's folder; one that cannot be written
    is an event "checkpoint_failed" with the reason, said once until one succeeds again, and nothing more.
    """

    def __init__(self, session: Session, recorder: Recorder) -> None:
        self._session = session
        self._recorder = recorder
        self._writer = recorder.writer
        self._state = SessionState(session)
        self._every = session.exp.run.checkpoint_every
        self._last = session.step
        """The step of the newest; at first that from which a run is resumed, or none that is worth keeping."""
        self._due = False
        self._thread: Thread | None = None
        self._failing = False

    def ask(self) -> None:
        """One is wanted now."""
        self._due = True

    def look(self) -> None:
        """Between two steps: take one if it is due and none is being written."""
        step = self._session.step
        if self._every and step % self._every == 0 and step != self._last:
            self._due = True
        if self._due and not self.busy:
            self._take()

    @property
    def busy(self) -> bool:
        """Whether one is being written."""
        return self._thread is not None and self._thread.is_alive()

    def finish(self) -> None:
        """Take the last one, unless there is one of this step; it is written while others do the rest."""
        if self._session.step != self._last:
            self.wait()
            self._take()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until nothing is being written, or for so long."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _take(self) -> None:
        self._recorder.catch_up()
        if self._recorder.finite:
            self._due, self._last = False, self._session.step
            self._thread = Thread(
                target=self._write, args=(self._state.capture(),), name="gradtui-checkpoint"
            )
            self._thread.start()

    def _write(self, snapshot: Snapshot) -> None:
        if not is_finite(snapshot):
            return
        folder = self._writer.folder
        path = path_of(folder, snapshot.step)
        # The rows of its steps must be there before it is: who resumes from it goes on behind them.
        self._writer.flush()
        try:
            path.parent.mkdir(exist_ok=True)
            write(path, snapshot.tensors, {TEXT: snapshot.text})
        except OSError as error:
            if not self._failing:
                self._event("checkpoint_failed", snapshot, reason=error.strerror or str(error))
            self._failing = True
            return
        self._failing = False
        tidy(folder)
        self._event("checkpoint", snapshot)

    def _event(self, event: str, snapshot: Snapshot, **fields: str) -> None:
        name = path_of(self._writer.folder, snapshot.step).name
        self._writer.event(event, snapshot.step, path=f"{CHECKPOINT_FOLDER}/{name}", **fields)
