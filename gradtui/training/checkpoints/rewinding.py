"""A way back: where the session stood a while ago, kept in memory, and written down only when a run breaks."""

from __future__ import annotations

from gradtui.experiment import Experiment
from gradtui.probe.sampling_budget import clock_of
from gradtui.runs.folder import CHECKPOINT_FOLDER
from gradtui.training.checkpoints.copying import bytes_of, copied
from gradtui.training.checkpoints.files import rewind_path
from gradtui.training.checkpoints.header import TEXT
from gradtui.training.checkpoints.state import SessionState, Standing
from gradtui.training.checkpoints.tensors import write
from gradtui.training.memory import free_on, size
from gradtui.training.recorder import Recorder
from gradtui.training.session import Session

LEAST = 25
"""Steps between two points at least, and from a point to the step that broke: nearer ones may be ill already."""
SHARE = 0.01
"""Of the time since the last point that one may take. A copy moves no more bytes than a step of the optimizer
does, so on a device that is not waited for, LEAST alone keeps it far below that."""
COPIES = 3
"""Two points, for the newer may be too near to what broke; and where the session stands while it is taken back."""
MEMORY = 0.03
"""Of what is free that they may take. Where they would take more, there are none."""


class Rewind:
    """The points of one training.

    A point is taken only of a training that is well: all numbers up to it have been looked at. Where they would take
    too much memory, an event "rewind_off" says so, once, with the reason; ordinary checkpoints are there all the
    same.
    """

    def __init__(self, session: Session, recorder: Recorder) -> None:
        self.state = SessionState(session)
        self.points: list[Standing] = []
        """Oldest first, two at most."""
        self.seconds = 0.0
        """What all points together took."""
        self._session = session
        self._recorder = recorder
        self._clock = clock_of(session.device)
        self._due = session.step
        self._not_before = 0.0
        self._exp = session.exp
        self._changes: list[tuple[int, Experiment]] = []
        self._written: set[int] = set()
        needed, free = COPIES * bytes_of(session, self.state), free_on(session.device)
        self._off = free is not None and needed > MEMORY * free
        if self._off:
            reason = (
                f"{COPIES} copies of its weights and of what the optimizer has gathered take {size(needed)}, "
                f"more than {MEMORY:.0%} of the {size(free or 0)} that are free"
            )
            recorder.writer.event("rewind_off", session.step, reason=reason)

    def look(self) -> None:
        """Before a step: take a point, if one is due."""
        session = self._session
        if session.exp is not self._exp:
            self._exp = session.exp
            self._changes.append((session.step, session.exp))
        if session.step < self._due or self._off or self._clock() < self._not_before:
            return
        self._due = session.step + LEAST
        self._recorder.catch_up()
        if not self._recorder.watch.holding:
            self._take()

    def _take(self) -> None:
        begin = self._clock()
        oldest = self.points.pop(0) if len(self.points) == 2 else None
        self.points.append(copied(self.state.now(), oldest))
        end = self._clock()
        self.seconds += end - begin
        self._not_before = end + (end - begin) / SHARE
        self._changes = [change for change in self._changes if change[0] >= self.points[0].step]

    def before(self, step: int) -> Standing | None:
        """The newest point that is LEAST steps before that one broke, else the oldest before it; None where there is
        none, or its weights are no numbers."""
        known = [point for point in self.points if point.step < step]
        far = [point for point in known if point.step <= step - LEAST]
        point = far[-1] if far else known[0] if known else None
        return point if point is not None and bool(point.weights.isfinite().all()) else None

    def changes(self, point: Standing) -> list[tuple[int, Experiment]]:
        """The experiment as a viewer changed it since that point, each with the step after which it was so."""
        return [change for change in self._changes if change[0] >= point.step]

    def save(self, point: Standing) -> bool:
        """Write a point down, and say so: an event "rewind_point" with the step and the path in the run's folder.
        Whether it is there then."""
        if point.step in self._written:
            return True
        writer = self._recorder.writer
        path = rewind_path(writer.folder, point.step)
        snapshot = self.state.capture(point)
        # As with any checkpoint: who takes it up counts on the rows of its steps.
        writer.flush()
        try:
            path.parent.mkdir(exist_ok=True)
            write(path, snapshot.tensors, {TEXT: snapshot.text})
        except OSError as error:
            writer.event("checkpoint_failed", point.step, reason=error.strerror or str(error))
            return False
        self._written.add(point.step)
        writer.event("rewind_point", point.step, path=f"{CHECKPOINT_FOLDER}/{path.name}")
        return True
