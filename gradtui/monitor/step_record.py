"""Compute the record of one step from the measured gradient norms of each parameter.

With several optimizers a record covers a round: it is complete when every optimizer has taken a step, or when one
takes its second. The layers of an optimizer that took no step have no norm (`absent`) in that record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradtui.absent import ABSENT, absent_in
from gradtui.monitor.gradients import GradNorms
from gradtui.probe.host_copy import Number

Floats = NDArray[np.float64]

NUMBERS_BEFORE_RATES = 3
"""The numbers of a flattened step that come before its learning rates: both scales and the overflow."""


UNEVEN = 0.01
"""The factors of parameters that were multiplied by the same number differ by less than this part of them."""


@dataclass(frozen=True, eq=False)
class OptimizerStep:
    """An OptimizerStep holds the measurements of one step of one optimizer; on a GPU they may not have arrived yet."""

    number: int
    """The number of the optimizer."""
    positions: NDArray[np.intp]
    """(parameters,): the position of each of its parameters among all parameters of the models."""
    before: GradNorms | None
    """The norms at the end of the backward pass; None where these were not measured."""
    after: GradNorms
    """The norms of the gradients that the optimizer was given; `before` where they had not changed."""
    before_scale: Tensor | None
    """(): the factor of the norms `before`; None for 1."""
    after_scale: Tensor | None
    """(): the factor of the norms `after`, if the optimizer itself divides by it; None for 1."""
    lrs: tuple[float | Tensor, ...]
    """The learning rate of each parameter group."""
    overflow: Tensor | None = None
    """(): above 0 if the optimizer itself skipped the step because its gradient overflowed."""
    skipped: bool = False
    """Whether a gradient scaler skipped the step."""

    @property
    def measured(self) -> list[GradNorms]:
        """Return the different norms, in the order in which they were measured."""
        return [self.after] if self.before is None or self.before is self.after else [self.before, self.after]


class StepRecord(NamedTuple):
    """A StepRecord holds the numbers of one step on the host."""

    layers: Floats
    """(layers,) norms before clipping; ABSENT where no parameter of a layer had a gradient."""
    total: float
    """The norm of all parameters before clipping."""
    clipped: float
    """The norm of all parameters after clipping."""
    skipped: bool
    """Whether a scaler skipped a step."""
    optimizers: dict[int, tuple[float, tuple[float, ...]]]
    """The numbers of each optimizer that took a step: the norm of its parameters before clipping, and its learning
    rates."""
    factor: float = math.nan
    """The factor by which all norms fell before the step; NaN where they did not fall alike."""

    @property
    def norms(self) -> Floats:
        """Return all norms, (layers + 2 + optimizers,)."""
        norms = [norm for norm, _ in self.optimizers.values()]
        return np.concatenate([self.layers, [self.total, self.clipped], norms])

    def with_norms(self, norms: Floats) -> StepRecord:
        """Return a copy with other norms, in the order of `norms`."""
        size = len(self.layers)
        total, clipped, *rest = norms[size:].tolist()
        optimizers = {
            number: (norm, lrs)
            for norm, (number, (_, lrs)) in zip(rest, self.optimizers.items(), strict=True)
        }
        return StepRecord(norms[:size], total, clipped, self.skipped, optimizers, self.factor)

    @property
    def fell(self) -> bool:
        """Return whether the norm fell before the step. A tiny difference is rounding: norms are added up from numbers
        that were rounded when they were clipped."""
        return self.clipped < self.total * (1 - 1e-6)

    def scaled(self) -> StepRecord:
        """Return the record of a gradient that was meant to be multiplied by the factor."""
        layers = np.where(absent_in(self.layers), self.layers, self.layers * self.factor)
        optimizers = {number: (norm * self.factor, lrs) for number, (norm, lrs) in self.optimizers.items()}
        return self._replace(layers=layers, total=self.clipped, optimizers=optimizers)


class ParameterLayout:
    """A ParameterLayout says which parameters belong to which layer.

    Parameters are in the order of the layers that are shown; those of other layers are at the end.
    """

    def __init__(
        self, sizes: Sequence[int], rest: int = 0, elsewhere: NDArray[np.bool_] | None = None
    ) -> None:
        """Take the number of parameters of each layer, and the number of those at the end.

        `elsewhere`, (parameters,), says which parameters another process counts.
        """
        self._elsewhere = elsewhere
        self._sizes = np.asarray(sizes, np.intp)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._shown = int(self._sizes.sum())
        self.parameters = self._shown + rest

    def counted(self, norms: Floats, positions: NDArray[np.intp]) -> Floats:
        """Return the norms of the parameters at these positions, with 0 for those that another process counts."""
        return norms if self._elsewhere is None else np.where(self._elsewhere[positions], 0.0, norms)

    def fold(self, norms: Floats, present: NDArray[np.bool_]) -> Floats:
        """Return norms (layers,) from norms (parameters,); ABSENT for a layer without a present parameter."""
        if not len(self._sizes):
            return np.zeros(0)
        here = present[: self._shown]
        squares = np.where(here, np.square(norms[: self._shown]), 0.0)
        folded: Floats = np.sqrt(np.add.reduceat(squares, self._starts))
        folded[~np.logical_or.reduceat(here, self._starts)] = ABSENT
        return folded

    def fold_whole(self, squares: Floats) -> Floats:
        """Return norms (steps, layers) from squares (steps, parameters) of parameters that are all present."""
        if not len(self._sizes):
            return np.zeros((len(squares), 0))
        folded: Floats = np.sqrt(np.add.reduceat(squares[:, : self._shown], self._starts, axis=1))
        return folded

    def plain(self, entry: Arrival) -> bool:
        """Return whether every parameter had a gradient in a step, which nothing has changed before the only optimizer
        was given it."""
        steps, values, _ = entry
        (step, *others) = steps
        return (
            not others
            and self._elsewhere is None
            and step.before is step.after
            and len(values) == len(step.positions) == self.parameters
            and step.before_scale is step.after_scale is step.overflow is None
            and not step.skipped
        )


Arrival = tuple[Sequence[OptimizerStep], NDArray[Any], list[float]]
"""The steps of a round, with their flattened norms and numbers, that have arrived on the host."""


class PlainSteps(NamedTuple):
    """PlainSteps holds the norms of several steps of one optimizer that clipped nothing."""

    layers: Floats
    """(steps, layers)."""
    totals: Floats
    """(steps,): the norms of all parameters."""
    lrs: list[list[float]]
    """By step, the learning rate of each parameter group."""


def unflatten_plain(arrived: Sequence[Arrival], layout: ParameterLayout) -> PlainSteps:
    """Return what several steps hold that are all `plain`: together they take little more time than one."""
    norms = np.empty((len(arrived), layout.parameters))
    for row, ((step,), values, _) in zip(norms, arrived, strict=True):
        row[step.positions] = values
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.square(norms)
        layers, totals = layout.fold_whole(squares), np.sqrt(squares.sum(axis=1))
    return PlainSteps(layers, totals, [numbers[NUMBERS_BEFORE_RATES:] for _, _, numbers in arrived])


def flatten(steps: Sequence[OptimizerStep]) -> tuple[NDArray[Any] | Tensor, list[Number]]:
    """Return the norms of a record in one array, and its other numbers, to be copied to the host together.

    The array holds the norms of one optimizer after another, before clipping and, where they differ, after it; the
    numbers are, for each optimizer, both scales, the overflow and the learning rates.
    """
    norms = [measured.norms for step in steps for measured in step.measured]
    numbers: list[Number] = []
    for step in steps:
        scales = (step.before_scale, step.after_scale)
        numbers += [1.0 if scale is None else scale for scale in scales]
        numbers += [0.0 if step.overflow is None else step.overflow, *step.lrs]
    return _joined(norms), numbers


def _joined(norms: Sequence[NDArray[Any] | Tensor]) -> NDArray[Any] | Tensor:
    if len(norms) == 1:
        return norms[0]
    if all(isinstance(part, np.ndarray) for part in norms):
        return np.concatenate(norms) if norms else np.zeros(0)
    device = next(part.device for part in norms if isinstance(part, Tensor))
    parts = [torch.as_tensor(part).double().to(device, non_blocking=True) for part in norms]
    return torch.cat(parts)


def unflatten(
    steps: Sequence[OptimizerStep], values: NDArray[Any], numbers: list[float], layout: ParameterLayout
) -> StepRecord:
    """Return the record whose flattened norms and numbers have arrived on the host."""
    before, after = np.zeros(layout.parameters), np.zeros(layout.parameters)
    present = np.zeros(layout.parameters, bool)
    optimizers: dict[int, tuple[float, tuple[float, ...]]] = {}
    skipped, at, number = False, 0, 0
    for step in steps:
        before_scale, after_scale, overflow = numbers[number : number + NUMBERS_BEFORE_RATES]
        number += NUMBERS_BEFORE_RATES
        lrs = tuple(numbers[number : number + len(step.lrs)])
        number += len(step.lrs)
        arrived = []
        for measured in step.measured:
            size = int(measured.present.sum())
            arrived.append(np.asarray(values[at : at + size], np.float64))
            at += size
        positions = step.positions[step.after.present]
        first = last = layout.counted(arrived[-1] / after_scale, positions)
        if len(arrived) == 2:
            first = layout.counted(arrived[0] / before_scale, positions)
            if (last > first * (1 + 1e-3)).any():
                # More was accumulated after the measured pass, so that was not yet the gradient before clipping.
                first = last
        before[positions], after[positions], present[positions] = first, last, True
        optimizers[step.number] = (_norm(first), lrs)
        skipped |= step.skipped or overflow > 0
    layers = layout.fold(before, present)
    factor = _factor(before, after) if any(len(step.measured) > 1 for step in steps) else math.nan
    return StepRecord(layers, _norm(before), _norm(after), skipped, optimizers, factor)


def _factor(before: Floats, after: Floats) -> float:
    """Return the factor by which all norms fell, or NaN. Gradients of few bits are rounded when they are scaled."""
    sized = (before > 0) & np.isfinite(before)
    ratios = after[sized] / before[sized]
    alike = len(ratios) and ratios.max() - ratios.min() <= UNEVEN * ratios.max()
    return float(np.median(ratios)) if alike and ratios.max() > 0 else math.nan


def _norm(norms: Floats) -> float:
    return math.sqrt(np.dot(norms, norms))
