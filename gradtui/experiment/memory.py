"""What a training needs in memory, counted from shapes: no torch, and nothing is built.

Weights, gradients and the optimizer's numbers follow from the parameters. Activations are the numbers that the
forward pass keeps for the backward pass, as torch keeps them on the CPU: a layer of weights and a normalisation
keep what they read, some nonlinearities what they gave and the others what they read, a recurrent cell its gates
at every step; a tensor that two of them keep is counted once. Attention keeps no maps of step by step: torch's
fused kernel computes them again.

The activations lie within a tenth of torch's own count in float32, and within a quarter in half precision, where
torch keeps some tensors in both formats. A GPU's kernels keep other things in places (cuDNN's, a fused LSTM cell's).
Not counted is what comes and goes, gradients of activations and workspace, and torch itself: some 200 MB, on a GPU
about 500.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.block_shapes import HIDDEN, Shape, norm_groups, output_of
from gradtui.experiment.data_shapes import TOKEN_SOURCES, DataShape, data_shape
from gradtui.experiment.flow import RECURRENT
from gradtui.experiment.optimizers import OPTIMIZERS
from gradtui.experiment.shapes import first_input, net_shape, summarised
from gradtui.experiment.spec import Experiment, Group, Optimizer

FLOAT = 4
"""Bytes of a number."""
CELL = {"lstm": 7, "gru": 7}
"""Numbers that a cell keeps for each unit and step: of lstm four gates, the cell state, its tanh and the hidden
state; of gru as many, its gates' halves among them."""
DIGITS = 1437
"""Images of the digits that are trained on."""


class Memory(NamedTuple):
    """Bytes."""

    weights: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """All of it, which is the need at the end of a forward pass."""
        return sum(self)


def memory_of(exp: Experiment, parameters: int | None = None, data: DataShape | None = None) -> Memory:
    """The memory of the training of an experiment. ``parameters`` and ``data`` spare their counting.

    Raises ExperimentError where the data cannot be read or does not suit the first group.
    """
    data = data or data_shape(exp.data)
    if parameters is None:
        parameters = net_shape(exp, data).parameters
    weights = FLOAT * parameters
    kept = activations(exp, data, examples(exp)) * FLOAT
    if exp.run.precision != "fp32":
        # Half of the bytes, and the weights once more in that format.
        kept = (kept + weights) // 2
    return Memory(weights, weights, weights * states(exp.optimizer), kept)


def states(optimizer: Optimizer) -> int:
    """Numbers that the optimizer keeps for each weight."""
    return OPTIMIZERS[optimizer.kind].states(optimizer.momentum)


def examples(exp: Experiment) -> int:
    """Examples in a batch: not more than there are to train on, where that is known without opening a file."""
    size, source = exp.data.batch_size, exp.data.source
    if source == "digits":
        return min(size, DIGITS)
    if source in ("spirals", "adding", "copy"):
        # A fifth is kept for the test.
        return min(size, exp.data.samples - exp.data.samples // 5)
    return size


def activations(exp: Experiment, data: DataShape, batch: int) -> int:
    """Numbers that are kept of so many examples, their own among them."""
    tape = _Tape()
    tokens = exp.data.source in TOKEN_SOURCES
    signal: Shape
    if tokens:
        signal = (data.input[0], exp.net[0].width)
        tape.kept += 2 * data.input[0]  # numbers of tokens are 64 bits wide
    else:
        signal = first_input(exp, data)
    value = _Value(signal, given=not tokens)
    for number, group in enumerate(exp.net):
        if group.block == "dense" and number > 0:
            value = _summary(value, tokens)
        value = _group(tape, group, value)
    last = exp.net[-1]
    if last.order == "pre":
        value = tape.norm(last.norm, value)
        if last.block in ("dense", "conv"):
            value = tape.activation(last.activation, value)
    value = tape.weights(_summary(value, tokens), data.outputs)
    answers = 1 if data.task == "regress" else 2
    tape.kept += value.rows * (data.outputs + answers)
    return tape.kept * batch + tape.shared


class _Value:
    """A tensor of one example that is kept or not."""

    def __init__(self, shape: Shape, numbers: int = 0, *, given: bool = False) -> None:
        self.shape = shape
        self.given = given
        """Whether it is data, which nothing is learned by changing: no slope is needed there."""
        self.numbers = numbers or prod(shape)
        """More than the shape's where it is a view of a larger one: what is kept is the whole."""
        self.kept = False

    @property
    def width(self) -> int:
        """Features or channels."""
        return self.shape[0] if len(self.shape) == 3 else self.shape[-1]

    @property
    def rows(self) -> int:
        """Vectors that are normalised, or answered, each by itself: steps of a sequence."""
        return self.shape[0] if len(self.shape) == 2 else 1


class _Tape:
    """Goes through a net and counts what is kept."""

    def __init__(self) -> None:
        self.kept = 0
        """Numbers of one example."""
        self.shared = 0
        """Numbers of the whole batch: the means and deviations of batch norm."""

    def keep(self, value: _Value) -> _Value:
        """Counts a tensor, once."""
        if not value.kept:
            value.kept = True
            self.kept += value.numbers
        return value

    def weights(self, value: _Value, width: int) -> _Value:
        """A linear layer."""
        self.keep(value)
        return _Value((*value.shape[:-1], width))

    def activation(self, kind: str, value: _Value) -> _Value:
        """A nonlinearity."""
        activation = ACTIVATIONS[kind]
        if activation.kept_for_backward == "nothing":
            return value
        if value.given and not activation.parameters:
            return _Value(value.shape, given=True)
        result = _Value(value.shape)
        self.keep(result if activation.kept_for_backward == "output" else value)
        return result

    def norm(self, kind: str, value: _Value) -> _Value:
        """A normalisation, and the means and deviations that it divided by."""
        if kind == "none":
            return value
        if kind == "rms":
            # torch composes it of a product with the root and one with the scale, and keeps what is between.
            self.kept += prod(value.shape)
            if value.given:
                return _Value(value.shape)
        self.keep(value)
        if kind == "batch":
            self.shared += 2 * value.width
        self.kept += value.rows * {"rms": 1, "layer": 2, "group": 2 * norm_groups(value.width)}.get(kind, 0)
        return _Value(value.shape)


def _summary(value: _Value, tokens: bool) -> _Value:
    """An image's means are new numbers; the last step of a sequence is a view that holds on to all steps."""
    if len(value.shape) == 3:
        return _Value(summarised(value.shape, tokens), given=value.given)
    if value.shape == summarised(value.shape, tokens):
        return value
    last = _Value(summarised(value.shape, tokens), value.numbers, given=value.given)
    last.kept = value.kept
    return last


def _group(tape: _Tape, group: Group, value: _Value) -> _Value:
    """From the second on, every block keeps the same: it is counted once, however many there are."""
    value = _block(tape, group, value, group.stride)
    if group.repeat > 1:
        kept, shared = tape.kept, tape.shared
        value = _block(tape, group, value, 1)
        tape.kept += (tape.kept - kept) * (group.repeat - 2)
        tape.shared += (tape.shared - shared) * (group.repeat - 2)
    return value


def _block(tape: _Tape, group: Group, value: _Value, stride: int) -> _Value:
    if group.block == "attention":
        return _attention(tape, group, value)
    output = output_of(group, value.shape, stride)
    branch, total = value, _Value(output)
    # Beside an identity shortcut the last nonlinearity of dense and conv follows the addition.
    joined = group.shortcut == "identity" and group.order == "post" and group.block not in RECURRENT
    for number in range(1, group.layers + 1):
        last = number == group.layers
        if group.order == "pre":
            branch = _weigh(tape, group, _around(tape, group, branch), output)
        else:
            branch = _around(tape, group, _weigh(tape, group, branch, output), bare=joined and last)
    if group.shortcut == "none":
        return branch
    beside = value
    if value.shape != output:
        tape.keep(value)
        beside = _Value(output)
    if group.shortcut == "rezero":
        tape.keep(branch)
    if group.shortcut == "highway":
        tape.keep(value)
        for mixed in (beside, branch, _Value(output)):
            tape.keep(mixed)
    return tape.activation(group.activation, total) if joined else total


def _around(tape: _Tape, group: Group, value: _Value, *, bare: bool = False) -> _Value:
    """Norm and nonlinearity; ``bare``: the norm alone. A recurrent cell has its nonlinearity within."""
    value = tape.norm(group.norm, value)
    return value if bare or group.block in RECURRENT else tape.activation(group.activation, value)


def _weigh(tape: _Tape, group: Group, value: _Value, output: Shape) -> _Value:
    tape.keep(value)
    result = _Value(output)
    if group.block in RECURRENT:
        keeps = ACTIVATIONS[group.activation].kept_for_backward
        tape.kept += prod(output) * CELL.get(group.block, 2 if keeps == "input" else 1)
        # The state before the first step is one more, where states are kept; of lstm one of all is not needed.
        first = {"lstm": -1, "rnn": int(keeps == "output")}.get(group.block, 0)
        tape.kept += first * output[-1]
    return result


def _attention(tape: _Tape, group: Group, value: _Value) -> _Value:
    width, post = group.width, group.order == "post"
    if value.width != width:
        value = tape.weights(value, width)

    def join(x: _Value, branch: _Value) -> _Value:
        if group.shortcut == "rezero":
            tape.keep(branch)
        return branch if group.shortcut == "none" else _Value(x.shape)

    def attend(x: _Value) -> _Value:
        tape.keep(tape.weights(x, 3 * width))
        tape.kept += x.rows * group.heads
        return tape.weights(_Value(x.shape), width)

    def hidden(x: _Value) -> _Value:
        wide = tape.activation(group.activation, tape.weights(x, HIDDEN * width))
        return tape.weights(wide, width)

    if post:
        value = tape.norm(group.norm, join(value, attend(value)))
        return tape.norm(group.norm, join(value, hidden(value)))
    value = join(value, attend(tape.norm(group.norm, value)))
    return join(value, hidden(tape.norm(group.norm, value)))
