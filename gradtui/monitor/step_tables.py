"""The step tables hold one row per step: `scalars`, and the gradient norm of every layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gradtui.absent import ABSENT, is_absent
from gradtui.monitor.batches import BatchMemory
from gradtui.monitor.clearing import ClearingCount
from gradtui.monitor.run_writer import ScriptRunWriter
from gradtui.monitor.step_record import UNEVEN, PlainSteps, StepRecord
from gradtui.monitor.watched import WatchedOptimizer


class StepTables:
    """StepTables writes the rows of steps.

    The table `scalars` holds lr, grad_norm and grad_norm_clipped (of all parameters), clipped (1 where the gradient
    was clipped between the backward pass and the step), skipped (1 where a scaler left the step out); then the
    learning rates of further parameter groups and optimizers, and with several optimizers the norm of each.
    """

    def __init__(
        self,
        writer: ScriptRunWriter,
        optimizers: Sequence[WatchedOptimizer],
        batches: BatchMemory,
        clearings: Sequence[ClearingCount] = (),
    ) -> None:
        self._fall = GradientFall(clearings)
        self._held: tuple[int, float, StepRecord] | None = None
        """A row of which the next one tells whether its gradient was clipped or scaled."""
        self._writer = writer
        self._optimizers = optimizers
        self._batches = batches
        self._groups = [optimizer.groups for optimizer in optimizers]
        self.clips = False
        """Whether the gradient of the newest row was clipped."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of `scalars`."""
        names = [optimizer.name for optimizer in self._optimizers]
        return scalar_columns(list(zip(names, self._groups, strict=True)))

    def write(self, step: int, moment: float, record: StepRecord) -> None:
        """Write the rows of a step, at once or with those of the next step."""
        self._fall.note(record)
        if self._held is None and self._fall.undecided(record):
            self._held = step, moment, record
            return
        self.finish()
        self._write(step, moment, record)

    def finish(self) -> None:
        """Write a row that was held back."""
        held, self._held = self._held, None
        if held is not None:
            self._write(*held)

    def _write(self, step: int, moment: float, record: StepRecord) -> None:
        record = self._fall.without_scaling(record)
        clipped = record.fell
        several = len(self._optimizers) > 1
        lr, more = ABSENT, []
        for optimizer, groups in zip(self._optimizers, self._groups, strict=True):
            norm, lrs = record.optimizers.get(optimizer.number, (ABSENT, ()))
            known = _known(lrs, groups)
            lr = known[0] if is_absent(lr) else lr
            more += [norm, *known] if several else known[1:]
        scalars = [lr, record.total, record.clipped, float(clipped), float(record.skipped), *more]
        self.clips = clipped
        self._writer.append("scalars", step, scalars, moment)
        self._writer.append("grad_norm", step, record.layers, moment)
        self._batches.take_norm(step, record.total)

    def write_plain(self, steps: Sequence[int], moments: Sequence[float], plain: PlainSteps) -> None:
        """Write the rows of several steps of the only optimizer, in which nothing was clipped."""
        self._fall.note_none()
        self.finish()
        scalars = [
            [lr, total, total, 0.0, 0.0, *more]
            for total, (lr, *more) in zip(
                plain.totals.tolist(), (_known(lrs, self._groups[0]) for lrs in plain.lrs), strict=True
            )
        ]
        self.clips = False
        self._writer.extend("scalars", steps, np.asarray(scalars), moments)
        self._writer.extend("grad_norm", steps, plain.layers, moments)
        for step, total in zip(steps, plain.totals.tolist(), strict=True):
            self._batches.take_norm(step, total)


class GradientFall:
    """A GradientFall tells whether gradients that become smaller between backward pass and step are clipped or scaled.

    A script scales them where it divides by a number of its own: the world size, the number of tokens, accumulated
    passes. They are clipped where a function of PyTorch does it, where the factors of parameters differ, where what is
    left always has the same norm, or where some steps are left as they are.
    """

    def __init__(self, clearings: Sequence[ClearingCount]) -> None:
        self._clearings = clearings
        self._clips: bool | None = None
        self._first: StepRecord | None = None
        self._sure = False

    def note(self, record: StepRecord) -> None:
        """Take a row that will be written."""
        if any(clearing.clips for clearing in self._clearings):
            self._clips = self._sure = True
        elif self._sure or record.skipped or not 0 < record.total < math.inf:
            return
        elif not record.fell:
            self._clips = self._sure = True
        elif math.isfinite(record.factor):
            if self._first is None:
                self._first = record
                return
            unlike_norm = abs(record.clipped / self._first.clipped - 1)
            unlike_factor = abs(record.factor / self._first.factor - 1)
            # Two steps may have the same norm by chance.
            self._clips = unlike_norm < min(UNEVEN, unlike_factor) and self._clips is not False

    def note_none(self) -> None:
        """Take rows whose gradients nothing has changed."""
        self._clips = self._sure = True

    def undecided(self, record: StepRecord) -> bool:
        """Return whether a row has to wait for the next one."""
        return self._clips is None and record is self._first

    def without_scaling(self, record: StepRecord) -> StepRecord:
        """Return the row as it is to be written."""
        scales = self._clips is False and record.fell and math.isfinite(record.factor)
        return record.scaled() if scales else record


def scalar_columns(optimizers: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    """Return the columns of `scalars` of some optimizers, each given by its name and its number of groups."""
    names = ["lr", "grad_norm", "grad_norm_clipped", "clipped", "skipped"]
    for name, groups in optimizers:
        prefix = f"{name}." if len(optimizers) > 1 else ""
        names += [f"{prefix}grad_norm"] if prefix else []
        names += [
            f"{prefix}lr" if group == 0 else f"{prefix}lr_{group}"
            for group in range(groups)
            if prefix or group
        ]
    return tuple(names)


def _known(rates: Sequence[float], groups: int) -> list[float]:
    return [rates[group] if group < len(rates) else ABSENT for group in range(groups)]
