"""Write the numbers of every step into the run's tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gradtui.probe.host_copy import HostCopyQueue
from gradtui.runs.meta import TableMeta
from gradtui.runs.writer import RunWriter
from gradtui.training.divergence import DivergenceDetector
from gradtui.training.plane import plane_tables
from gradtui.training.sampling import sampled_tables
from gradtui.training.session import Session
from gradtui.training.step import StepResult

HOLD_SECONDS, FLUSH_SECONDS = 0.04, 0.06
"""The rows of so many seconds are written together, into memory and then to disk: each alone costs several times as
much. Both together are what a viewer lags behind."""
NONFINITE_STEPS = 20
"""A training ends as diverged after this many steps in a row whose loss is not finite."""


class _HostRow(NamedTuple):
    """A _HostRow holds the numbers of a step that are already on the host."""

    step: int
    time: float
    lr: float
    scale: float
    skipped: bool


class Recorder:
    """A Recorder writes a session's steps into its run folder.

    The table `scalars` holds loss (mean over the batch, without penalties), accuracy, lr, grad_norm and
    grad_norm_clipped (of all parameters), clipped (1 where the step's gradient was clipped), penalty, and for fp16
    loss_scale and skipped (1 where the step was skipped because its gradient overflowed). The table `grad_norm` holds
    the norm of every layer, before clipping.
    """

    def __init__(
        self,
        folder: Path,
        session: Session,
        tables: dict[str, TableMeta],
        *,
        resume_at: int | None = None,
    ) -> None:
        """Open the tables. `resume_at` is the step from which the run is resumed; None for a new run."""
        columns = {name: table.columns * table.width for name, table in tables.items()}
        unlevelled = [name for name, table in tables.items() if not table.levelled]
        self.writer = RunWriter(folder, columns, FLUSH_SECONDS, resume_at=resume_at, unlevelled=unlevelled)
        self.diverged = False
        """This is true if the last NONFINITE_STEPS losses were not finite."""
        self.detector = DivergenceDetector(session.dataset.chance_loss)
        """The detector of the step at which the training diverges."""
        self._flat = session.flat
        self._half = session.exp.run.precision == "fp16"
        self._queue: HostCopyQueue[_HostRow] = HostCopyQueue(session.device, hold=HOLD_SECONDS)
        self._nonfinite = 0

    @property
    def finite(self) -> bool:
        """Return whether the last loss that has arrived was a finite number."""
        return self._nonfinite == 0

    def record(self, step: int, moment: float, result: StepResult) -> None:
        """Take a step's numbers, which are written after they have arrived from the device."""
        clipped = result.clipped
        row = _HostRow(step, moment, result.lr, result.scale, result.skipped)
        numbers = [result.loss, result.accuracy, result.penalty]
        self._queue.send(row, result.norms, numbers if clipped is None else [*numbers, clipped])
        self.catch_up(wait=False)

    def catch_up(self, *, wait: bool = True) -> None:
        """Write the steps that have arrived from the device; with `wait`, all recorded steps."""
        arrived = self._queue.receive(wait=wait)
        # Steps after the divergence were taken before it was known, and are dropped.
        if arrived and not self.diverged:
            self._write([row for row, _ in arrived], *zip(*(numbers for _, numbers in arrived), strict=True))

    def close(self) -> None:
        """Write all recorded steps, and end the writer's thread."""
        try:
            self.catch_up()
        finally:
            self.writer.close()

    def _write(
        self, rows: Sequence[_HostRow], row_norms: Sequence[np.ndarray], numbers: Sequence[list[float]]
    ) -> None:
        """Write several steps: together they take little more time than one."""
        layers = self._flat.fold(np.array(row_norms))
        totals = np.sqrt(np.square(layers).sum(axis=1)).tolist()
        scalars = []
        for row, norms, total, (loss, accuracy, penalty, *after) in zip(
            rows, layers, totals, numbers, strict=True
        ):
            clipped = after[0] if after else total
            # Tiny differences are rounding errors, because the clipped norm is computed from float32 numbers.
            cut = float(clipped < total * (1 - 1e-6))
            scaling = [row.scale, float(row.skipped)] if self._half else []
            scalars.append([loss, accuracy, row.lr, total, clipped, cut, penalty, *scaling])
            self.detector.add_step(row.step, loss, total, clipped, norms, skipped=row.skipped)
            self._nonfinite = 0 if math.isfinite(loss) else self._nonfinite + 1
            self.diverged = self._nonfinite >= NONFINITE_STEPS
            if self.diverged:
                break
        written = rows[: len(scalars)]
        steps, times = [row.step for row in written], [row.time for row in written]
        self.writer.extend("scalars", steps, scalars, times)
        self.writer.extend("grad_norm", steps, layers[: len(scalars)], times)


def tables_of(session: Session) -> dict[str, TableMeta]:
    """Return the tables of a session's run, for run.json."""
    scalars = ["loss", "accuracy", "lr", "grad_norm", "grad_norm_clipped", "clipped", "penalty"]
    if session.exp.run.precision == "fp16":
        scalars += ["loss_scale", "skipped"]
    layers = tuple(layer.name for layer in session.net.layers)
    return {
        "scalars": TableMeta(columns=tuple(scalars), kind="scalars"),
        "grad_norm": TableMeta(columns=layers, kind="layers"),
        **sampled_tables(session),
        **plane_tables(session),
    }
