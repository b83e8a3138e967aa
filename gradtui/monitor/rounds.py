"""From what was seen of the optimizers to one row of numbers.

A row is a round: it is complete when every optimizer has taken a step, or when one takes its second. What an
optimizer that took none moves has no number in that row. With one optimizer a round is a step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradtui.monitor.gradients import Reading
from gradtui.monitor.stepping import Step
from gradtui.probe.host_copy import Number

Floats = NDArray[np.float64]


class Packed(NamedTuple):
    """A round, ready to be sent from the device."""

    values: NDArray[Any] | Tensor
    """All norms, of one optimizer after another: before clipping, and after it where that differs."""
    numbers: list[Number]
    """Of each optimizer both scales, whether it left the step out, then its learning rates."""
    steps: tuple[Step, ...]


class Row(NamedTuple):
    """A round, on the host."""

    layers: Floats
    """(layers,) norms before clipping; NaN where no parameter of a layer had a gradient."""
    total: float
    """Of all parameters, before …"""
    clipped: float
    """… and after clipping."""
    skipped: bool
    """Whether a scaler left a step out."""
    parts: dict[int, tuple[float, tuple[float, ...]]]
    """Of each optimizer that took a step: its parameters' norm before clipping, and its learning rates."""

    @property
    def norms(self) -> Floats:
        """All norms, (layers + 2 + optimizers,)."""
        parts = [norm for norm, _ in self.parts.values()]
        return np.concatenate([self.layers, [self.total, self.clipped], parts])

    def with_norms(self, norms: Floats) -> Row:
        """The same with other norms, as `norms` gave them."""
        size = len(self.layers)
        total, clipped, *rest = norms[size:].tolist()
        parts = {
            number: (norm, lrs) for norm, (number, (_, lrs)) in zip(rest, self.parts.items(), strict=True)
        }
        return Row(norms[:size], total, clipped, self.skipped, parts)


def pack(steps: Sequence[Step]) -> Packed:
    """Everything of a round in one array and some numbers, none of which has been waited for."""
    norms = [reading.norms for step in steps for reading in _readings(step)]
    numbers: list[Number] = []
    for step in steps:
        scales = (step.before_scale, step.after_scale)
        numbers += [1.0 if scale is None else scale for scale in scales]
        numbers += [0.0 if step.overflow is None else step.overflow, *step.lrs]
    return Packed(_joined(norms), numbers, tuple(steps))


def _readings(step: Step) -> list[Reading]:
    return [step.after] if step.before is None or step.before is step.after else [step.before, step.after]


def _joined(norms: Sequence[NDArray[Any] | Tensor]) -> NDArray[Any] | Tensor:
    if len(norms) == 1:
        return norms[0]
    if all(isinstance(part, np.ndarray) for part in norms):
        return np.concatenate(norms) if norms else np.zeros(0)
    device = next(part.device for part in norms if isinstance(part, Tensor))
    parts = [torch.as_tensor(part).double().to(device, non_blocking=True) for part in norms]
    return torch.cat(parts)


def unpack(
    steps: Sequence[Step],
    values: NDArray[Any],
    numbers: list[float],
    layout: Layout,
) -> Row:
    """A round whose numbers have arrived."""
    before, after = np.zeros(layout.parameters), np.zeros(layout.parameters)
    present = np.zeros(layout.parameters, bool)
    parts: dict[int, tuple[float, tuple[float, ...]]] = {}
    skipped, at, number = False, 0, 0
    for step in steps:
        before_scale, after_scale, overflow = numbers[number : number + 3]
        lrs = tuple(numbers[number + 3 : number + 3 + len(step.lrs)])
        number += 3 + len(step.lrs)
        readings = _readings(step)
        taken = []
        for reading in readings:
            size = int(reading.present.sum())
            taken.append(np.asarray(values[at : at + size], np.float64))
            at += size
        where = step.positions[readings[-1].present]
        first = last = layout.counted(taken[-1] / after_scale, where)
        if len(readings) == 2:
            first = layout.counted(taken[0] / before_scale, where)
            if _grew(first, last):
                # More came in after the pass that was seen: then that was not the gradient before clipping.
                first = last
        before[where], after[where], present[where] = first, last, True
        parts[step.number] = (_norm(first), lrs)
        skipped |= step.skipped or overflow > 0
    layers = layout.fold(before, present)
    return Row(layers, _norm(before), _norm(after), skipped, parts)


def _grew(first: Floats, last: Floats) -> bool:
    return bool((last > first * (1 + 1e-3)).any())


def _norm(norms: Floats) -> float:
    return math.sqrt(np.dot(norms, norms))


class Layout:
    """Which parameters are whose: those of the first layer, of the second, …, and of no layer that is shown."""

    def __init__(
        self, sizes: Sequence[int], rest: int = 0, elsewhere: NDArray[np.bool_] | None = None
    ) -> None:
        """`sizes`: parameter tensors of each layer; `rest`: of none, at the end; `elsewhere`, (parameters,): which
        are counted by another process."""
        self._elsewhere = elsewhere
        self._sizes = np.asarray(sizes, np.intp)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._shown = int(self._sizes.sum())
        self.parameters = self._shown + rest

    def counted(self, norms: Floats, where: NDArray[np.intp]) -> Floats:
        """Norms of the parameters at these places, 0 of those that another process counts."""
        return norms if self._elsewhere is None else np.where(self._elsewhere[where], 0.0, norms)

    def fold(self, norms: Floats, present: NDArray[np.bool_]) -> Floats:
        """(layers,) from norms (parameters,); NaN where none of a layer's is there."""
        if not len(self._sizes):
            return np.zeros(0)
        here = present[: self._shown]
        squares = np.where(here, np.square(norms[: self._shown]), 0.0)
        folded: Floats = np.sqrt(np.add.reduceat(squares, self._starts))
        folded[~np.logical_or.reduceat(here, self._starts)] = np.nan
        return folded
