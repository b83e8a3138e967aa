"""A net's weight layers in order, in the numbers that mean-field theory needs."""

from __future__ import annotations

from typing import NamedTuple

from gradtui.diagnosis.norms import NormKind, norm_count
from gradtui.diagnosis.weights import branch_factor, shortcut_blocks, sigma_w_squared
from gradtui.experiment.block_shapes import norm_groups
from gradtui.experiment.shapes import NetShape
from gradtui.experiment.spec import Experiment, Group


class Normed(NamedTuple):
    """A normalisation over so many `numbers` and the activation behind it."""

    norm: NormKind
    numbers: int
    activation: str
    slope: float


class Dense(NamedTuple):
    """One weight layer. `sigma2` is sigma_w², `bias_mean` and `bias2` mean and variance of the biases."""

    sigma2: float
    fan_in: int
    fan_out: int
    bias_mean: float
    bias2: float


class Step(NamedTuple):
    """A weight layer with what stands around it: `before` in order "pre", `after` in order "post"."""

    dense: Dense
    before: Normed | None
    after: Normed | None


class BlockPlan(NamedTuple):
    """The layers of one block, and how its shortcut goes around them."""

    steps: tuple[Step, ...]
    shortcut: str
    projection: float
    """sigma_w² of the shortcut's projection; 0 where there is none."""


def plan(exp: Experiment, shape: NetShape, inputs: int) -> list[BlockPlan]:
    """The blocks of a net of dense groups that reads `inputs` numbers."""
    blocks: list[BlockPlan] = []
    count = shortcut_blocks(exp)
    positions = shape.layers[0].output[0] if len(shape.layers[0].output) > 1 else 1
    size = inputs
    for group in exp.net:
        first = _block(exp, group, size, count, positions)
        again = first if size == group.width else _block(exp, group, group.width, count, positions)
        blocks.append(first)
        blocks.extend([again] * (group.repeat - 1))
        size = group.width
    return blocks


def _block(exp: Experiment, group: Group, inputs: int, count: int, positions: int) -> BlockPlan:
    steps = []
    for number in range(1, group.layers + 1):
        fan_in = inputs if number == 1 else group.width
        sigma2 = sigma_w_squared(group, fan_in, group.width) * branch_factor(group, number, count)
        dense = Dense(sigma2, fan_in, group.width, group.bias_mean, group.bias_std**2)
        post = group.order == "post"
        width = group.width if post else fan_in
        numbers = norm_count(group.norm, exp.data.batch_size, width, norm_groups(width), positions)
        around = Normed(group.norm, numbers, group.activation, group.slope)
        steps.append(Step(dense, None if post else around, around if post else None))
    projection = 1.0 if group.shortcut != "none" and inputs != group.width else 0.0
    return BlockPlan(tuple(steps), group.shortcut, projection)
