"""Report a divergence with its step, layer and examples, save a state before it, and replay the steps from there.

Sampling every step of a training would take half as much time again, and a divergence is known only afterwards. But the
state before a step determines it, bit for bit. So the last steps are repeated from a state before the divergence, each
with a sample, and then the present state is restored.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gradtui.probe.sampling_budget import SamplingBudget
from gradtui.runs.folder import record_dtype
from gradtui.runs.reader import open_run
from gradtui.runs.summary import Records
from gradtui.training.checkpoints.keeping import RollbackBuffer
from gradtui.training.checkpoints.state import TrainingState
from gradtui.training.divergence import Divergence, Recovery
from gradtui.training.recorder import Recorder
from gradtui.training.sampling import StepSampler
from gradtui.training.session import Session
from gradtui.training.shared_step import stepper_of
from gradtui.training.step import take_step

LONGEST_REPLAY = 20.0
"""The most seconds of a replay, because the training waits for it."""
SAMPLED_STEP_COST = 3.0
"""A sampled step takes at most this many times as long as an ordinary one."""


class MemoryRows:
    """A MemoryRows keeps rows in memory until it is known whether they should be written."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[int, float, npt.NDArray[np.float32]]]] = {}

    def append(self, table: str, step: int, values: npt.ArrayLike, time: float | None = None) -> None:
        """Keep a copy of a row."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            row = np.array(values, np.float32)
        self._rows.setdefault(table, []).append((step, time or 0.0, row))

    def records(self) -> dict[str, Records]:
        """Return the records of each table, as a writer inserts them."""
        return {table: _records(rows) for table, rows in self._rows.items()}

    def row(self, table: str, step: int) -> npt.NDArray[np.float32] | None:
        """Return the row of a step; None where there is none."""
        return next((row for at, _, row in self._rows.get(table, []) if at == step), None)


def _records(rows: list[tuple[int, float, npt.NDArray[np.float32]]]) -> Records:
    records = np.empty(len(rows), record_dtype(len(rows[0][2])))
    for record, (step, time, values) in zip(records, rows, strict=True):
        record["step"], record["time"], record["values"] = step, time, values
    return records


class ReplayResult(NamedTuple):
    """A ReplayResult holds the rows of replayed steps, or the reason why there are none."""

    rows: MemoryRows | None
    """The rows; None where the replay was impossible or gave other losses."""
    why: str = ""
    """The reason why there are no rows, in one line."""


class DivergenceReport:
    """A DivergenceReport writes events about the divergences that the recorder's detector finds.

    An event "broke" has step, reason ("nonfinite" or "blow-up"), measure ("loss" or "grad_norm": which shows it)
    with `usual`, its median before; loss, before (the loss of the step before) and grad_norm (of all parameters,
    before clipping); layer and part: the layer whose "output" is the first, from the input on, that is not finite,
    or, where all outputs are or nothing is known of them, whose "gradient" is the first, from the output on; for a
    blow-up, the layer whose gradient is the longest. Then what the step was taken on: batch (the numbers of its
    training examples) and seed, from which generated examples and all splits follow. Last come rewind, the step of the
    rollback point before it (null where there is none), and replayed, whether all steps from there on have been
    replayed; if not, `why`. An event "recovered" has the step after which the loss is as low again as it was before.
    """

    def __init__(
        self,
        session: Session,
        recorder: Recorder,
        rollback: RollbackBuffer,
        budget: SamplingBudget,
        cancelled: Callable[[], bool],
    ) -> None:
        self._session = session
        self._recorder = recorder
        self._rollback = rollback
        self._budget = budget
        self._cancelled = cancelled

    def write_new(self) -> bool:
        """Write events for new divergences and recoveries. Returns whether the training has diverged at a step."""
        found = self._recorder.detector.take()
        divergences = [one for one in found if isinstance(one, Divergence)]
        if divergences:
            point = self._rollback.point_before(divergences[0].step)
            saved = point is not None and self._rollback.save(point)
            replayed = self._replay_from(point, divergences[-1].step)
        for one in found:
            if isinstance(one, Recovery):
                self._recorder.writer.event("recovered", one.step)
            else:
                self._write(one, point.step if point is not None and saved else None, replayed)
        return bool(divergences)

    def _write(self, divergence: Divergence, rewind: int | None, replayed: ReplayResult) -> None:
        session = self._session
        layer, part = self._first_affected(divergence, replayed)
        self._recorder.writer.event(
            "broke",
            divergence.step,
            reason=divergence.reason,
            measure=divergence.measure,
            usual=divergence.usual,
            loss=divergence.loss,
            before=divergence.before,
            grad_norm=divergence.grad_norm,
            layer=layer,
            part=part,
            batch=session.batches.chosen(session.step - divergence.step),
            seed=session.exp.seed,
            rewind=rewind,
            replayed=replayed.rows is not None,
            why=replayed.why,
        )

    def _first_affected(self, divergence: Divergence, replayed: ReplayResult) -> tuple[str, str]:
        """Return the name of the layer and which part of it shows the divergence first."""
        names = [layer.name for layer in self._session.net.layers]
        if divergence.reason == "blow-up":
            return names[int(np.argmax(divergence.norms))], "gradient"
        if not math.isfinite(divergence.loss) and replayed.rows is not None:
            counts = replayed.rows.row("nonfinite", divergence.step)
            if counts is not None and (counts > 0).any():
                return names[int(np.argmax(counts > 0))], "output"
        bad = np.flatnonzero(~np.isfinite(divergence.norms))
        return (names[int(bad[-1])], "gradient") if len(bad) else ("", "")

    def _replay_from(self, point: TrainingState | None, last: int) -> ReplayResult:
        """Replay the steps after `point` up to `last`, and write their rows into the run."""
        if point is None:
            return ReplayResult(None, "no state from before it was kept")
        writer = self._recorder.writer
        text = f"repeating the {last - point.step} steps before it diverged"
        writer.event("phase", self._session.step, phase="replaying", text=text)
        replayed = self._replay(point, last)
        if replayed.rows is not None:
            for table, rows in replayed.rows.records().items():
                writer.insert(table, rows)
        return replayed

    def _replay(self, point: TrainingState, last: int) -> ReplayResult:
        """Repeat the steps, and then restore the session bit for bit."""
        count = last - point.step
        step_seconds = self._budget.training / max(1, self._budget.steps)
        if count * SAMPLED_STEP_COST * step_seconds > LONGEST_REPLAY:
            return ReplayResult(None, f"{count} steps would take longer than {LONGEST_REPLAY:.0f} s")
        # The repeated steps must give the losses that are on the disk.
        self._recorder.writer.flush()
        states = self._rollback.states
        now = states.copy()
        try:
            states.put_back(point)
            return self._take_steps(point, last)
        finally:
            states.put_back(now)

    def _take_steps(self, point: TrainingState, last: int) -> ReplayResult:
        session, rows = self._session, MemoryRows()
        table = open_run(self._recorder.writer.folder).table("scalars")
        first = table.row_of(point.step + 1)
        recorded = table.read(first, first + last - point.step)
        if recorded["step"].tolist() != list(range(point.step + 1, last + 1)):
            return ReplayResult(None, "the record of these steps is incomplete")
        column = table.columns.index("loss")
        changes = self._rollback.changes_since(point)
        stepper, sampler = stepper_of(session), StepSampler(session, rows)
        for row in recorded:
            if self._cancelled():
                return ReplayResult(None, "the training was told to stop")
            while changes and changes[0][0] <= session.step:
                self._rollback.states.put_back_experiment(changes.pop(0)[1])
            result = take_step(stepper, sampler, sample=True, moment=float(row["time"]))
            if not np.array_equal(np.float32(float(result.loss)), row["values"][column], equal_nan=True):
                return ReplayResult(None, f"step {row['step']} gave another loss the second time")
        return ReplayResult(rows)
