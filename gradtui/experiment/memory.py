"""Estimate the memory that a training needs from the plan of its net, without torch and without building the net.

Weights, gradients and the optimizer's numbers follow from the parameters. Activations are the tensors that the forward
pass keeps for the backward pass, as torch does on the CPU: a layer of weights and a normalisation keep their input,
a nonlinearity its output or its input, a recurrent cell its gates at every step; a tensor that two of them keep is
counted once. Attention keeps no (steps × steps) matrices, because torch's fused kernel computes them again.

The estimate of activations lies within a tenth of torch's own count in float32, and within a quarter in half precision,
where torch keeps some tensors in both formats. Some GPU kernels (cuDNN's, a fused LSTM cell's) keep other tensors.
Temporary memory (gradients of activations, workspace) is not counted, nor is torch itself, which takes about 200 MB,
on a GPU about 500.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.data_shapes import PLANE_SOURCES, data_shape
from gradtui.experiment.layers import (
    Activate,
    Attend,
    BlockPlan,
    Branch,
    Norm,
    Operation,
    Shape,
    View,
    Weights,
)
from gradtui.experiment.net_plan import net_plan, net_shape
from gradtui.experiment.optimizers import OPTIMIZERS
from gradtui.experiment.recorded_shape import DataShape
from gradtui.experiment.spec import Experiment, Optimizer

FLOAT = 4
"""The bytes of a number."""
CELL_NUMBERS = 7
"""The numbers that a cell of lstm or gru keeps for each unit and step. For lstm these are four gates, the cell state,
its tanh and the hidden state; gru keeps as many, among them the halves of its gates."""
DIGITS = 1437
"""The number of training images of the digits."""


class Memory(NamedTuple):
    """A Memory holds the estimated memory of a training, in bytes."""

    weights: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """Return the sum, which is the need at the end of a forward pass."""
        return sum(self)


def memory_of(exp: Experiment, parameters: int | None = None, data: DataShape | None = None) -> Memory:
    """Return the memory of the training of an experiment. `parameters` and `data` are computed unless they are given.

    Raises ExperimentError where the data cannot be read or does not suit the first group.
    """
    data = data or data_shape(exp.data)
    if parameters is None:
        parameters = net_shape(exp, data).parameters
    weights = FLOAT * parameters
    kept = activations(exp, data, examples(exp)) * FLOAT
    if exp.run.precision != "fp32":
        # Half precision halves the bytes, and adds a copy of the weights.
        kept = (kept + weights) // 2
    return Memory(weights, weights, weights * states(exp.optimizer), kept)


def states(optimizer: Optimizer) -> int:
    """Return how many numbers the optimizer keeps for each weight."""
    return OPTIMIZERS[optimizer.kind].states(optimizer.momentum)


def examples(exp: Experiment) -> int:
    """Return the number of examples in a batch, limited to the training examples if their number needs no file."""
    size, source = exp.data.batch_size, exp.data.source
    if source == "digits":
        return min(size, DIGITS)
    if source in PLANE_SOURCES or source in ("adding", "copy"):
        # A fifth is used for the test.
        return min(size, exp.data.samples - exp.data.samples // 5)
    return size


def activations(exp: Experiment, data: DataShape, batch: int) -> int:
    """Return how many numbers are kept for a batch of `batch` examples, including the examples themselves."""
    plan = net_plan(exp, data)
    tape = _Tape()
    value = _Value(data.input, given=True)
    if plan.embedding:
        value = _Value(plan.embedding.weights.gives)
        tape.kept += 2 * data.input[0]  # numbers of tokens are 64 bits wide
    for group in plan.groups:
        value = tape.run(group.view, value) if group.view else value
        value = _block(tape, group.first, value)
        if group.group.repeat > 1:
            # All blocks from the second on keep the same, so one of them is counted and multiplied.
            kept, shared = tape.kept, tape.shared
            value = _block(tape, group.again, value)
            tape.kept += (tape.kept - kept) * (group.group.repeat - 2)
            tape.shared += (tape.shared - shared) * (group.group.repeat - 2)
    for operation in plan.output.operations:
        value = tape.run(operation, value)
    answers = 1 if data.task == "regress" else 2
    tape.kept += value.rows * (data.outputs + answers)
    return tape.kept * batch + tape.shared


def _block(tape: _Tape, block: BlockPlan, value: _Value) -> _Value:
    if block.input:
        value = tape.run(block.input.weights, value)
    for branch in block.branches:
        value = _branch(tape, branch, value)
    return value


def _branch(tape: _Tape, branch: Branch, value: _Value) -> _Value:
    end = value
    for layer in branch.layers:
        for operation in layer.operations:
            end = tape.run(operation, end)
    if branch.shortcut != "none":
        beside = tape.run(branch.projection.weights, value) if branch.projection else value
        if branch.shortcut == "rezero":
            tape.keep(end)
        if branch.gate:
            for mixed in (beside, end, tape.run(branch.gate.weights, value)):
                tape.keep(mixed)
        end = _Value(end.shape)
    for operation in branch.behind:
        end = tape.run(operation, end)
    return end


class _Value:
    """A _Value is a tensor of one example, which may be kept for the backward pass."""

    def __init__(self, shape: Shape, numbers: int = 0, *, given: bool = False) -> None:
        self.shape = shape
        self.given = given
        """This is true for the data, which need no gradient."""
        self.numbers = numbers or prod(shape)
        """The numbers to keep; for a view, those of the whole larger tensor."""
        self.kept = False

    @property
    def width(self) -> int:
        """Return the features or channels."""
        return self.shape[0] if len(self.shape) == 3 else self.shape[-1]

    @property
    def rows(self) -> int:
        """Return the steps of a sequence, each of which is normalised or answered separately; 1 for other signals."""
        return self.shape[0] if len(self.shape) == 2 else 1


class _Tape:
    """A _Tape goes through a net and counts the numbers that are kept for the backward pass."""

    def __init__(self) -> None:
        self.kept = 0
        """The numbers that are kept for each example."""
        self.shared = 0
        """The numbers that are kept for the whole batch: the means and deviations of batch norm."""

    def keep(self, value: _Value) -> _Value:
        """Count a tensor, unless it was counted before."""
        if not value.kept:
            value.kept = True
            self.kept += value.numbers
        return value

    def run(self, operation: Operation, value: _Value) -> _Value:
        """Count the tensors that an operation keeps, and return its output."""
        match operation:
            case Weights():
                return self._weights(operation, value)
            case Norm():
                return self._norm(operation, value)
            case Activate():
                return self._activation(operation, value)
            case Attend():
                self.keep(value)
                self.kept += value.rows * operation.heads
                return _Value((*value.shape[:-1], value.width // 3))
            case View(kind="last"):
                # A view of the last step keeps the tensor of all steps.
                last = _Value(operation.gives, value.numbers, given=value.given)
                last.kept = value.kept
                return last
        return _Value(operation.gives, given=value.given)

    def _weights(self, weights: Weights, value: _Value) -> _Value:
        self.keep(value)
        if weights.recurrence:
            activation = weights.recurrence.activation
            keeps = ACTIVATIONS[activation.name].kept_for_backward if activation else ""
            cell = CELL_NUMBERS if activation is None else 2 if keeps == "input" else 1
            self.kept += prod(weights.gives) * cell
            # Where states are kept, the state before the first step is kept too; an LSTM does not need one of them.
            first = -1 if weights.recurrence.cell == "lstm" else int(keeps == "output")
            self.kept += first * weights.outputs
        return _Value(weights.gives)

    def _activation(self, activation: Activate, value: _Value) -> _Value:
        keeps = ACTIVATIONS[activation.name].kept_for_backward
        if keeps == "nothing":
            return value
        if value.given and not activation.parameters:
            return _Value(value.shape, given=True)
        result = _Value(value.shape)
        self.keep(result if keeps == "output" else value)
        return result

    def _norm(self, norm: Norm, value: _Value) -> _Value:
        """Count a normalisation, and the means and deviations that it divides by."""
        if norm.kind == "rms":
            # torch computes it as two products, with the root and with the scale, and keeps the result of the first.
            self.kept += prod(value.shape)
            if value.given:
                return _Value(value.shape)
        self.keep(value)
        if norm.kind == "batch":
            self.shared += 2 * value.width
        self.kept += value.rows * {"rms": 1, "layer": 2, "group": 2 * norm.groups}.get(norm.kind, 0)
        return _Value(value.shape)
