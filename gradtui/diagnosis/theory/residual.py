"""Apply mean-field theory to nets with shortcuts (Yang and Schoenholz 2017), unit by unit.

With shortcuts a unit keeps its signal from block to block, so its slopes at successive blocks are correlated, and a
recursion of averages is wrong: ReLU's active units stay active, while a product of averages would make the gradient
vanish on a path that hardly loses any. So the signal of UNITS units, fixed quasi-random numbers, is followed through
the net: weights give every unit a new normal number with the variance of the theory, shortcuts add. On the way back
each unit has its own mean square gradient, and weights give every unit the mean over all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from gradtui.diagnosis.theory.activations import value_and_derivative
from gradtui.diagnosis.theory.normalisation import Normalisation, after_norm, normed
from gradtui.diagnosis.theory.quadrature import Array, decades
from gradtui.experiment.layers import BlockPlan, Branch, Operation, Weights

UNITS = 384
SEED = 1707  # any seed will do, as long as the numbers are the same at each call
SMALLEST = 1e-280
LARGEST = 1e280


class Overflow(ValueError):
    """An Overflow says that the signal itself, not its gradient, leaves the range of numbers."""


class PathStep(NamedTuple):
    """A PathStep is one operation of a path, as its gradient meets it.

    With `slopes` it multiplies each unit's mean square gradient; without them it is a layer of weights, which gives
    every unit `factor` times the mean.
    """

    slopes: Array | None
    factor: float = 0.0


class PassedBlock(NamedTuple):
    """A PassedBlock is a block that the signal has gone through."""

    path: list[PathStep]
    after: Array | None
    """Slopes of the activation behind the addition."""
    around: float | None
    """None without a shortcut, 0 if it adds the input itself, else the factor of its projection."""
    shut: bool
    """Whether the branch is multiplied by a number that starts at 0."""


class Gains(NamedTuple):
    """A Gains holds log10 of the RMS gradient, and of what the path gains, of each layer in forward order."""

    profile: list[float]
    path: list[float]


def gains(
    blocks: Sequence[BlockPlan], start: float, centred: Sequence[bool], batch: int, positions: int = 1
) -> Gains:
    """Return the gradient of a net that reads numbers of mean square `start`, relative to its last layer; not finite
    where no gradient arrives.

    `batch` is the number of examples in a batch, `positions` the number of steps of an example. `centred` says for each
    block whether batch norm is the next to normalise its output; then only the signal's deviation over the batch
    counts, and biases have no effect. Raises Overflow.
    """
    units = _Units(start, batch, positions)
    try:
        with np.errstate(over="raise"):
            for block, centre in zip(blocks, centred, strict=True):
                units.pass_block(block, centre)
            # A net that ends in order "pre" has norm and activation once more before the output layer.
            return units.back(blocks[-1].branches[-1].layers[-1].before)
    except FloatingPointError:
        raise Overflow from None


class _Units:
    def __init__(self, start: float, batch: int, positions: int) -> None:
        self._batch, self._positions = batch, positions
        self._random = np.random.default_rng(SEED)
        self._passed: list[PassedBlock] = []
        self._waiting: list[Array] = []
        self._x = math.sqrt(start) * self._fresh()

    def _fresh(self) -> Array:
        if not self._waiting:
            self._waiting = list(self._random.permuted(_rows_of_normal_numbers(), axis=1))
        return self._waiting.pop()

    def pass_block(self, block: BlockPlan, centred: bool) -> None:
        """Carry the signal through a block."""
        (branch,) = block.branches
        x, path = self._x, list[PathStep]()
        for layer in branch.layers:
            x = self._through(x, layer.before, path)
            weights = layer.weights
            x = self._weights(x, weights, centred, added=layer is branch.layers[-1])
            path.append(PathStep(None, weights.sigma2 * weights.fan_out / weights.fan_in))
            x = self._through(x, layer.after, path)
        around: float | None = None
        shut = branch.shortcut == "rezero"
        if branch.shortcut != "none":
            beside, around = self._beside(branch, centred)
            x = beside if shut else beside + x
        behind: list[PathStep] = []
        x = self._through(x, branch.behind, behind)
        if float(x @ x) > LARGEST:
            raise Overflow
        self._x = x
        self._passed.append(PassedBlock(path, behind[0].slopes if behind else None, around, shut))

    def _through(self, x: Array, operations: tuple[Operation, ...], path: list[PathStep]) -> Array:
        for pair in normed(operations, self._batch, self._positions):
            x, step = _around(x, pair)
            path.append(step)
        return x

    def _beside(self, branch: Branch, centred: bool) -> tuple[Array, float]:
        if branch.projection is None:
            return self._x, 0.0
        weights = branch.projection.weights
        beside = self._weights(self._x, weights, centred, added=False)
        return beside, weights.sigma2 * weights.fan_out / weights.fan_in

    def _weights(self, x: Array, weights: Weights, centred: bool, *, added: bool) -> Array:
        square = float(x @ x) / UNITS
        if centred:
            variance, mean = weights.sigma2 * (square - _mean(x) ** 2), 0.0
        else:
            variance, mean = weights.sigma2 * square + weights.bias_std**2, weights.bias_mean
        fresh = self._fresh()
        stream = self._x
        size = float(stream @ stream)
        if added and size > SMALLEST:
            # Without this, the chance correlation of the few units would add up from block to block.
            fresh = fresh - float(stream @ fresh) / size * stream
            fresh *= math.sqrt(UNITS / max(float(fresh @ fresh), SMALLEST))
        return math.sqrt(max(variance, 0.0)) * fresh + mean

    def back(self, closing: tuple[Operation, ...]) -> Gains:
        """Carry the gradient back through all blocks, from behind the operations that close the net."""
        gradient: Array | float = 1.0
        closed: list[PathStep] = []
        self._through(self._x, closing, closed)
        for step in closed:
            assert step.slopes is not None
            gradient = step.slopes / max(_mean(step.slopes), SMALLEST)
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
                # Inside a branch that starts at 0 there is no gradient, so that of the path beside it is used.
                seen.append(arrives if block.shut or mean == 0.0 else mean)
                inside = operation.factor * mean
            if block.around is None:
                beside = inside
            else:
                beside = block.around * arrives if block.around else outside
                if not block.shut:
                    beside = beside + inside
            profile += [0.5 * (decades(value) + scale) for value in seen]
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
    """Return the mean over the units; a number stands for units that are all alike."""
    # numpy's own mean takes twice as long.
    return values if isinstance(values, float) else float(np.add.reduce(values)) / UNITS


def _around(x: Array, around: Normalisation) -> tuple[Array, PathStep]:
    factor = 1.0
    if around.norm != "none":
        if around.norm != "rms":
            x = x - _mean(x)
        square = max(float(x @ x) / UNITS, SMALLEST)
        x = x / math.sqrt(square)
        factor = _correction(around.norm, around.numbers, around.activation, around.slope) / square
    if around.activation == "identity":
        return x, PathStep(np.full(UNITS, factor))
    value, slope = value_and_derivative(around.activation, x, around.slope)
    return value, PathStep(slope * slope * factor if factor != 1.0 else slope * slope)


@lru_cache(maxsize=64)
def _correction(norm: str, count: int, activation: str, slope: float) -> float:
    """Return the factor of a norm over few numbers on the mean square gradient, without the division."""
    many = after_norm(norm, 10**9, activation, slope).slope_square
    return after_norm(norm, count, activation, slope).slope_square / many


@lru_cache(maxsize=1)
def _rows_of_normal_numbers() -> Array:
    """Return rows of UNITS numbers that stand evenly under the normal curve, with mean square 1."""
    # Imported here, since it costs as much time to import as the rest of this package.
    from statistics import NormalDist

    normal = NormalDist()
    numbers = np.array([normal.inv_cdf((index + 0.5) / UNITS) for index in range(UNITS)])
    numbers /= math.sqrt(float(numbers @ numbers) / UNITS)
    return np.tile(numbers, (64, 1))
