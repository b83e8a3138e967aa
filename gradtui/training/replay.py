"""The steps before a training broke, taken once more and looked at closely, one and all.

While a training runs, looking at activations and at the gradients of outputs at every step would cost half as much
again. What breaks it is over before anybody knows. But a step follows from the state before it, bit for bit: so the
last steps are gone through again from the point where the training was still well, with all that is sampled recorded
at each of them, and then everything is put back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradtui.runs.reader import open_run
from gradtui.training.checkpoints.copying import copied, put_back, use
from gradtui.training.checkpoints.rewinding import Rewind
from gradtui.training.checkpoints.state import Standing
from gradtui.training.distributed.stepper import stepper_of
from gradtui.training.recorder import Recorder
from gradtui.training.rows import Rows
from gradtui.training.sampling import StepSampler
from gradtui.training.session import Session
from gradtui.training.step import take_step

LONGEST = 20.0
"""Seconds that it may take: somebody waits for the training to go on."""
DEARER = 3.0
"""At most so many times as long as an ordinary step takes one that is looked at closely."""


class Replayed(NamedTuple):
    """What came of it."""

    rows: Rows | None
    """What was seen; None where it could not be done, or did not come to the same losses."""
    why: str = ""
    """Then: the reason, in one line."""


class Replay:
    """Replays steps of one training."""

    def __init__(
        self, session: Session, recorder: Recorder, rewind: Rewind, cancelled: Callable[[], bool]
    ) -> None:
        self._session = session
        self._recorder = recorder
        self._rewind = rewind
        self._cancelled = cancelled

    def run(self, point: Standing, last: int, step_seconds: float) -> Replayed:
        """Take the steps after `point` up to `last` again. The session is afterwards as it is now, to the bit.

        `step_seconds`: what an ordinary step takes.
        """
        count = last - point.step
        if count * DEARER * step_seconds > LONGEST:
            return Replayed(None, f"{count} steps would take longer than {LONGEST:.0f} s")
        # On the disk are the losses that these steps must come to again.
        self._recorder.writer.flush()
        session, state = self._session, self._rewind.state
        now = copied(state.now())
        try:
            put_back(session, state, point)
            return self._steps(point, last)
        finally:
            put_back(session, state, now)

    def _steps(self, point: Standing, last: int) -> Replayed:
        session, rows = self._session, Rows()
        table = open_run(self._recorder.writer.folder).table("scalars")
        first = table.row_of(point.step + 1)
        recorded = table.read(first, first + last - point.step)
        if recorded["step"].tolist() != list(range(point.step + 1, last + 1)):
            return Replayed(None, "the record of these steps is not whole")
        column = table.columns.index("loss")
        changes = self._rewind.changes(point)
        stepper, sampler = stepper_of(session), StepSampler(session, rows)
        for row in recorded:
            if self._cancelled():
                return Replayed(None, "the training was told to end")
            while changes and changes[0][0] <= session.step:
                use(session, point._replace(exp=changes.pop(0)[1]))
            result = take_step(stepper, sampler, sample=True, moment=float(row["time"]))
            if not np.array_equal(np.float32(float(result.loss)), row["values"][column], equal_nan=True):
                return Replayed(None, f"step {row['step']} came to another loss the second time")
        return Replayed(rows)
