"""Mean-field theory of nets with shortcuts (Yang and Schoenholz 2017), unit by unit.

Beside a shortcut a unit keeps its signal from block to block, so its slope at one block tells of its slope at the next,
and no recursion of averages is right: ReLU's active units stay active, while a product of averages would let the
gradient starve on a path that hardly loses any. So the signal of UNITS units, fixed quasi-random numbers, is carried
through the net: weights give every unit a fresh normal number of the variance that theory gives, shortcuts add. On the
way back each unit carries its own mean square gradient, and weights give every unit the mean over all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from gradtui.diagnosis.activations import value_and_slope
from gradtui.diagnosis.norms import NormKind, after_norm
from gradtui.diagnosis.plan import BlockPlan, Dense, Normed
from gradtui.diagnosis.quadrature import Array

UNITS = 384
SEED = 1707  # any: the numbers must only be the same at each call
LEAST = 1e-280
MOST = 1e280


class Overflow(ValueError):
    """The signal itself, not its gradient, leaves the range of numbers."""


class Operation(NamedTuple):
    """One operation of a path, as its gradient meets it: `slopes` multiply each unit's mean square gradient; without
    them it is weights, which give every unit `factor` times the mean."""

    slopes: Array | None
    factor: float = 0.0


class Passed(NamedTuple):
    """A block that the signal has gone through."""

    path: list[Operation]
    after: Array | None
    """Slopes of the activation behind the addition."""
    around: float | None
    """None: no shortcut; 0: the input itself; else the factor of its projection."""
    shut: bool
    """Whether the branch is multiplied by a number that starts at 0."""


class Gains(NamedTuple):
    """log10 of root mean square gradients, and of what the path gains, of each weight layer in forward order."""

    profile: list[float]
    path: list[float]


def gains(blocks: Sequence[BlockPlan], start: float, centred: Sequence[bool]) -> Gains:
    """The gradient of a net that reads numbers of mean square `start`, relative to its last layer; not finite where
    none comes through.

    `centred`: of each block whether batch norm is the next to normalise its output; then what counts of a signal is
    its deviation over the batch, and biases count for nothing. Raises Overflow.
    """
    units = _Units(start)
    try:
        with np.errstate(over="raise"):
            for block, centre in zip(blocks, centred, strict=True):
                units.pass_block(block, centre)
            # A net that ends in order "pre" has norm and activation once more before the output layer.
            return units.back(blocks[-1].steps[-1].before)
    except FloatingPointError:
        raise Overflow from None


class _Units:
    def __init__(self, start: float) -> None:
        self._random = np.random.default_rng(SEED)
        self._passed: list[Passed] = []
        self._waiting: list[Array] = []
        self._x = math.sqrt(start) * self._fresh()

    def _fresh(self) -> Array:
        if not self._waiting:
            self._waiting = list(self._random.permuted(_rows_of_normal_numbers(), axis=1))
        return self._waiting.pop()

    def pass_block(self, block: BlockPlan, centred: bool) -> None:
        x, path = self._x, list[Operation]()
        joined = block.shortcut == "identity" and block.steps[-1].after is not None
        for step in block.steps:
            last = joined and step is block.steps[-1]
            if step.before is not None:
                x, operation = _around(x, step.before)
                path.append(operation)
            x = self._weights(x, step.dense, centred, added=step is block.steps[-1])
            path.append(Operation(None, step.dense.sigma2 * step.dense.fan_out / step.dense.fan_in))
            if step.after is not None:
                x, operation = _around(x, step.after._replace(activation="identity") if last else step.after)
                path.append(operation)
        after: Array | None = None
        around: float | None = None
        shut = block.shortcut == "rezero"
        if block.shortcut != "none":
            beside, around = self._beside(block, centred)
            x = beside if shut else beside + x
        if joined:
            end = block.steps[-1].after
            assert end is not None
            x, operation = _around(x, end._replace(norm="none"))
            after = operation.slopes
        if float(x @ x) > MOST:
            raise Overflow
        self._x = x
        self._passed.append(Passed(path, after, around, shut))

    def _beside(self, block: BlockPlan, centred: bool) -> tuple[Array, float]:
        if not block.projection:
            return self._x, 0.0
        dense = block.steps[0].dense._replace(sigma2=block.projection, bias_mean=0.0, bias2=0.0)
        return self._weights(
            self._x, dense, centred, added=False
        ), block.projection * dense.fan_out / dense.fan_in

    def _weights(self, x: Array, dense: Dense, centred: bool, *, added: bool) -> Array:
        square = float(x @ x) / UNITS
        if centred:
            variance, mean = dense.sigma2 * (square - _mean(x) ** 2), 0.0
        else:
            variance, mean = dense.sigma2 * square + dense.bias2, dense.bias_mean
        fresh = self._fresh()
        stream = self._x
        size = float(stream @ stream)
        if added and size > LEAST:
            # Or the sum with the shortcut would carry the chance correlation of so few units, block after block.
            fresh = fresh - float(stream @ fresh) / size * stream
            fresh *= math.sqrt(UNITS / max(float(fresh @ fresh), LEAST))
        return math.sqrt(max(variance, 0.0)) * fresh + mean

    def back(self, closing: Normed | None) -> Gains:
        gradient: Array | float = 1.0
        if closing is not None:
            slopes = _around(self._x, closing)[1].slopes
            assert slopes is not None
            gradient = slopes / max(_mean(slopes), LEAST)
        scale = 0.0
        profile: list[float] = []
        path: list[float] = []
        for block in reversed(self._passed):
            outside = gradient if block.after is None else gradient * block.after
            arrives = _mean(outside)
            inside, seen = outside, list[float]()
            for operation in reversed(block.path):
                if operation.slopes is not None:
                    inside = inside * operation.slopes
                    continue
                mean = _mean(inside)
                # A branch that starts at 0 gets no gradient in its depth: there the path beside it speaks for it.
                seen.append(arrives if block.shut or mean == 0.0 else mean)
                inside = operation.factor * mean
            if block.around is None:
                beside = inside
            else:
                beside = block.around * arrives if block.around else outside
                if not block.shut:
                    beside = beside + inside
            profile += [0.5 * (_log10(value) + scale) for value in seen]
            now = _mean(beside)
            if now <= 0.0:
                return Gains([-math.inf], [])
            # The gradient that came in had a mean of 1.
            path += [math.log10(now) / len(seen)] * len(seen)
            gradient = beside / now
            scale += math.log10(now)
        end = profile[0]
        return Gains([value - end for value in reversed(profile)], path[::-1])


def _mean(values: Array | float) -> float:
    """Over the units; a number stands for units that are all alike. (numpy's own mean takes twice as long.)"""
    return values if isinstance(values, float) else float(np.add.reduce(values)) / UNITS


def _around(x: Array, around: Normed) -> tuple[Array, Operation]:
    factor = 1.0
    if around.norm != "none":
        if around.norm != "rms":
            x = x - _mean(x)
        square = max(float(x @ x) / UNITS, LEAST)
        x = x / math.sqrt(square)
        factor = _correction(around.norm, around.numbers, around.activation, around.slope) / square
    if around.activation == "identity":
        return x, Operation(np.full(UNITS, factor))
    value, slope = value_and_slope(around.activation, x, around.slope)
    return value, Operation(slope * slope * factor if factor != 1.0 else slope * slope)


@lru_cache(maxsize=64)
def _correction(norm: NormKind, count: int, activation: str, slope: float) -> float:
    """What a norm over few numbers does beside dividing by their deviation."""
    many = after_norm(norm, 10**9, activation, slope).slope_square
    return after_norm(norm, count, activation, slope).slope_square / many


@lru_cache(maxsize=1)
def _rows_of_normal_numbers() -> Array:
    """Rows of UNITS numbers that stand evenly under the normal curve, with mean square 1."""
    # Here, for it costs as much to import as all the rest of this room.
    from statistics import NormalDist

    normal = NormalDist()
    numbers = np.array([normal.inv_cdf((index + 0.5) / UNITS) for index in range(UNITS)])
    numbers /= math.sqrt(float(numbers @ numbers) / UNITS)
    return np.tile(numbers, (64, 1))


def _log10(value: float) -> float:
    return math.log10(value) if value > 0.0 else -math.inf
