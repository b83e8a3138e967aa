"""Plan a net: turn an experiment into its layers.

How a net reads its input: tokens (copy, text) go through `embedding`, which is as wide as the first group. A dense
group that comes first reads the whole example flattened (tokens: step by step). A dense group after conv reads the
average over the image; after recurrent or attention groups it reads the last step (tokens: every step). The output
layer reads like a dense group.

With order "post" a layer is weights, norm, activation; beside an identity shortcut the last activation follows the
addition (He et al. 2016, "Deep residual learning"), beside rezero and highway it stays in the branch, as published.
With order "pre" a layer is norm, activation, weights (He et al. 2016, "Identity mappings"). This includes the first
layer of a net, so a net on raw inputs needs a stem, a group of its own with order "post". Where the last group has
order "pre", its norm and activation are repeated before the output layer (in transformers and recurrent nets only the
norm), because the sum of hundreds of branches is too large for that layer. Another group after it reads the plain sum.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.data_shapes import PLANE_SOURCES, TOKEN_SOURCES, data_shape, sequence_of
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.layers import (
    Activate,
    Attend,
    BlockPlan,
    Branch,
    GroupPlan,
    LayerPlan,
    NetPlan,
    NetShape,
    Norm,
    Operation,
    Recurrence,
    Shape,
    View,
    Weights,
    features,
)
from gradtui.experiment.recorded_shape import DataShape

if TYPE_CHECKING:
    from gradtui.experiment.spec import Block, Data, Experiment, Group

RECURRENT: frozenset[Block] = frozenset({"rnn", "lstm", "gru"})
SEQUENTIAL: frozenset[Block] = RECURRENT | {"attention"}
"""Blocks that read a sequence step by step."""
GATES = {"rnn": 1, "lstm": 4, "gru": 3}
"""How many weight matrices a recurrent cell has for its input; it has as many for its hidden state."""
ATTENTION_LAYERS = (".qkv", ".out", ".mlp1", ".mlp2")
MLP_WIDTH = 4
"""The width of the hidden layer of a transformer block ÷ the width of the model."""
GATE_BIAS = -1.0
"""The initial bias of a highway gate, which at first passes its input on (Srivastava, Greff, Schmidhuber 2015: −1 to
−3)."""


def net_shape(exp: Experiment, data: DataShape | None = None) -> NetShape:
    """Return the names, shapes and parameter counts of the experiment's layers.

    With `data`, the known shape of an example, no file is opened. Raises ExperimentError where the data cannot be read
    or do not suit the net.
    """
    if data:
        check_flow(exp, rank=len(data.input))
    return net_plan(exp, data).shape()


def net_plan(exp: Experiment, data: DataShape | None = None) -> NetPlan:
    """Return the plan of the experiment's net, for examples of the shape `data`, which must suit the net.

    Without `data`, the shape is that of the experiment's data. Raises ExperimentError where these cannot be read or do
    not suit the net.
    """
    if data is None:
        data = data_shape(exp.data)
        check_flow(exp, rank=len(data.input))
    tokens = exp.data.source in TOKEN_SOURCES
    shortcut_blocks = sum(group.repeat for group in exp.net if group.shortcut != "none")
    signal, embedding = data.input, None
    if tokens:
        steps, width = data.input[0], exp.net[0].width
        # The vectors of tokens are standard normal numbers, whatever the group's `init`, because they have no fan-in.
        table = Weights(
            inputs=data.outputs, outputs=width, reads=signal, gives=(steps, width), init="normal", bias=False
        )
        embedding, signal = LayerPlan("", "embedding", (table,)), table.gives
    groups: list[GroupPlan] = []
    positions = True
    for index, group in enumerate(exp.net):
        view = _summary(signal, tokens) if index and group.block == "dense" else None
        if index == 0 and not tokens:
            view = _first_view(exp, data)
        signal = view.gives if view else signal
        planner = _BlockPlanner(group, shortcut_blocks, causal=tokens)
        stride = group.stride if group.block == "conv" else 1
        first = planner.block(signal, stride, positions=positions)
        alike = first.gives == signal and stride == 1 and not first.positions
        again = first if alike or group.repeat == 1 else planner.block(first.gives, 1, positions=False)
        groups.append(GroupPlan(group, view, first, again))
        positions = positions and group.block != "attention"
        signal = first.gives
    output = _output(exp.net[-1], signal, tokens, data.outputs)
    return NetPlan(data, tokens, embedding, tuple(groups), output, shortcut_blocks)


def hidden_depth(exp: Experiment) -> int:
    """Return the number of layers of weights in the blocks, without projections and gates. It opens no data file."""
    layers = (len(ATTENTION_LAYERS) if group.block == "attention" else group.layers for group in exp.net)
    return sum(group.repeat * count for group, count in zip(exp.net, layers, strict=True))


def depth_of(exp: Experiment) -> int:
    """Return the number of layers of weights from input to output, as in `NetShape.depth`. It opens no data file."""
    return hidden_depth(exp) + 1 + (exp.data.source in TOKEN_SOURCES)


def _first_view(exp: Experiment, data: DataShape) -> View | None:
    """Return how the first group reads the example: an image, a sequence, or all numbers in a row."""
    block = exp.net[0].block
    if block == "dense":
        return View("flatten", (math.prod(data.input),)) if len(data.input) > 1 else None
    # check_flow has refused what cannot be read as a sequence.
    if block == "conv" or len(data.input) != 3:
        return None
    sequence = sequence_of(exp.data, data)
    assert sequence is not None
    return View("rows" if exp.data.sequence == "rows" else "pixels", sequence)


def _summary(signal: Shape, tokens: bool) -> View | None:
    """Return how a dense layer reads a signal: an image's channel means, a sequence's last step, or all its steps."""
    if len(signal) == 3:
        return View("average", signal[:1])
    return View("last", signal[1:]) if len(signal) == 2 and not tokens else None


def _output(last: Group, signal: Shape, tokens: bool, outputs: int) -> LayerPlan:
    """Return the output layer, with the norm and activation that end a stack of order "pre" before it.

    Its weights start as torch's, or at 0 with fixup, whatever the groups' `init`. He's rule would make the scores of a
    healthy net 2.4 times too large, and this would dominate the first loss.
    """
    closing: list[Operation] = []
    if last.order == "pre":
        closing += _norms(last, last.width, len(signal))
        closing += [Activate(last.activation, last.slope)] if last.block in ("dense", "conv") else []
    if view := _summary(signal, tokens):
        closing.append(view)
        signal = view.gives
    weights = Weights(
        inputs=signal[-1],
        outputs=outputs,
        reads=signal,
        gives=(*signal[:-1], outputs),
        init="torch",
        factor=0.0 if last.init == "fixup" else 1.0,
    )
    return LayerPlan("", "output", (*closing, weights))


def _norms(group: Group, width: int, rank: int) -> tuple[Norm, ...]:
    return () if group.norm == "none" else (Norm(group.norm, width, rank),)


class _BlockPlanner:
    """A _BlockPlanner plans the blocks of one group."""

    def __init__(self, group: Group, shortcut_blocks: int, *, causal: bool) -> None:
        self.group, self.causal = group, causal
        self.he_slope = ACTIVATIONS[group.activation].he_slope(group.slope)
        self.branch_gain = 1.0
        """The factor of the branch beside a shortcut."""
        if group.shortcut != "none":
            depth = group.branch_gain == "depth"
            self.branch_gain = 1.0 / math.sqrt(shortcut_blocks) if depth else float(group.branch_gain)
        self.shortcut_blocks = shortcut_blocks

    def block(self, reads: Shape, stride: int, *, positions: bool) -> BlockPlan:
        """Return the plan of a block that reads this signal."""
        if self.group.block == "attention":
            return self._attention(reads, positions)
        return self._stack(reads, stride)

    def _stack(self, reads: Shape, stride: int) -> BlockPlan:
        """Return a block of `layers` equal layers: dense, conv, rnn, lstm, gru."""
        group, width = self.group, self.group.width
        recurrent, post = group.block in RECURRENT, group.order == "post"
        # Padding keeps an image's size at stride 1, so the size ÷ stride is rounded up.
        gives = (
            (width, *(-(-side // stride) for side in reads[1:]))
            if group.block == "conv"
            else (*reads[:-1], width)
        )
        activation = () if recurrent else (Activate(group.activation, group.slope),)
        layers = []
        for number in range(1, group.layers + 1):
            last, signal = number == group.layers, reads if number == 1 else gives
            weights = self._weights(signal, gives, stride if number == 1 else 1, last=last)
            around: tuple[Operation, ...] = _norms(group, width if post else features(signal), len(reads))
            behind: tuple[Operation, ...] = ()
            if last and post and group.shortcut == "identity":
                behind = activation
            else:
                around += activation
            operations = (weights, *around) if post else (*around, weights)
            suffix = f".{number}" if group.layers > 1 else ""
            scalar = int(last and group.shortcut == "rezero")
            layers.append(LayerPlan(suffix, group.block, operations, behind, scalar))
        projection = gate = None
        if group.shortcut == "highway":
            weights = self._weights(reads, gives, stride, last=False)
            weights = replace(weights, factor=group.gain, bias_mean=GATE_BIAS, bias_std=0.0)
            gate = LayerPlan(".gate", "gate", (weights,))
        if group.shortcut != "none" and reads != gives:
            projection = LayerPlan(".shortcut", "shortcut", (_projection(reads, gives, stride),))
        gain = self.branch_gain if recurrent else 1.0
        return BlockPlan(reads, gives, (Branch(tuple(layers), group.shortcut, projection, gate, gain),))

    def _weights(self, reads: Shape, gives: Shape, stride: int, *, last: bool) -> Weights:
        """Return the weights of one of a block's equal layers."""
        group = self.group
        recurrence = None
        if group.block == "rnn" or group.block == "lstm" or group.block == "gru":
            own = Activate(group.activation, group.slope) if group.block == "rnn" else None
            recurrence = Recurrence(
                group.block, own, group.recurrent_init, group.recurrent_gain, group.forget_bias
            )
        return Weights(
            inputs=features(reads),
            outputs=group.width,
            reads=reads,
            gives=gives,
            init=group.init,
            matrices=GATES.get(group.block, 1),
            kernel=group.kernel if group.block == "conv" else 1,
            stride=stride,
            he_slope=self.he_slope,
            factor=group.gain if recurrence else self._factor(last=last, length=group.layers),
            scale=1.0 if recurrence else self._scale(last=last),
            bias_mean=group.bias_mean,
            bias_std=group.bias_std,
            recurrence=recurrence,
        )

    def _attention(self, reads: Shape, positions: bool) -> BlockPlan:
        """Return a transformer block (Vaswani et al. 2017): attention, then a hidden layer at each step."""
        group, width = self.group, self.group.width
        signal = (*reads[:-1], width)
        norm, post = _norms(group, width, 2), group.order == "post"
        before, behind = ((), norm) if post else (norm, ())
        around: dict[str, tuple[Operation, ...]] = {
            ".qkv": (Attend(group.heads, self.causal),),
            ".mlp1": (Activate(group.activation, group.slope),),
        }
        layers = []
        for suffix, inputs, outputs in (
            (".qkv", width, 3 * width),
            (".out", width, width),
            (".mlp1", width, MLP_WIDTH * width),
            (".mlp2", MLP_WIDTH * width, width),
        ):
            last = suffix not in around
            # Queries, keys and values are separate matrices, each with its own fan-out.
            matrices = 3 if suffix == ".qkv" else 1
            weights = Weights(
                inputs=inputs,
                outputs=outputs // matrices,
                reads=(*reads[:-1], inputs),
                gives=(*reads[:-1], outputs),
                init=group.init,
                matrices=matrices,
                he_slope=self.he_slope,
                factor=self._factor(last=last, length=2),
                scale=self._scale(last=last),
                bias_mean=group.bias_mean,
                bias_std=group.bias_std,
            )
            scalar = int(suffix == ".mlp2" and group.shortcut == "rezero")
            operations = (weights,) if last else (*before, weights, *around[suffix])
            layers.append(LayerPlan(suffix, "attention", operations, behind if last else (), scalar))
        branches = tuple(Branch(tuple(layers[at : at + 2]), group.shortcut) for at in (0, 2))
        given = (
            None
            if reads == signal
            else LayerPlan(".input", "input", (_projection(reads, signal, 1, bias=True),))
        )
        return BlockPlan(reads, signal, branches, given, positions)

    def _factor(self, *, last: bool, length: int) -> float:
        """Return the factor of the initial deviation of a layer in a branch of `length` layers.

        It is `gain`, except with fixup (Zhang, Dauphin, Ma 2019): a branch's last layer is 0, and the `length − 1`
        layers before it are scaled by L^(−1/(2·length − 2)), where L is the number of blocks with a shortcut in the
        net. Fixup's scalar biases and multipliers are left out; the layers' biases replace them.
        """
        if last and self.branch_gain == 0.0:
            return 0.0
        if self.group.init != "fixup":
            return self.group.gain
        return 0.0 if last else self.group.gain * self.shortcut_blocks ** (-1.0 / (2 * length - 2))

    def _scale(self, *, last: bool) -> float:
        """Return the constant factor of the output of a branch's last layer; 1 for all other layers.

        Scaling only the initial weights would not suffice: each of a thousand blocks would then change by a full step
        of the optimizer, so the learning rate would have to be a thousand times smaller. A constant factor also scales
        the gradient of every branch. (Szegedy et al. 2017, "Inception-v4", scale branches by 0.1 to 0.3; Hayou et al.
        2021, "Stable ResNet", by 1/√blocks.) A constant factor of 0 would leave nothing to learn, so with a
        `branch_gain` of 0 the last layer starts at 0 instead (Goyal et al. 2017).
        """
        return (self.branch_gain or 1.0) if last else 1.0


def _projection(reads: Shape, gives: Shape, stride: int, *, bias: bool = False) -> Weights:
    """Return weights between two shapes (1×1 on images) that keep the variance, whatever the group's `init`."""
    return Weights(
        inputs=features(reads),
        outputs=features(gives),
        reads=reads,
        gives=gives,
        init="lecun",
        stride=stride,
        bias=bias,
    )


Form = Literal["flat", "image", "sequence", "unknown"]
"""The form of a signal that a block reads; it is unknown for an npz file that is not opened yet."""

BLOCKS_THAT_READ: dict[Form, str] = {
    "flat": "dense",
    "image": "dense or conv",
    "sequence": "dense, rnn, lstm, gru or attention",
}


def check_flow(exp: Experiment, rank: int | None = None) -> None:
    """Raise ExperimentError for the first group that cannot read the output of the group before it.

    conv needs an image, recurrent and attention blocks need a sequence. `rank` is the number of dimensions of one
    example, or None before an npz file is opened.
    """
    form = _form_of(exp.data, rank)
    _check_reading(exp, form)
    for index, group in enumerate(exp.net):
        if group.block == "dense":
            form = "sequence" if exp.data.source in TOKEN_SOURCES else "flat"
            continue
        needed: Form = "image" if group.block == "conv" else "sequence"
        if form not in (needed, "unknown"):
            before = f"after {exp.net[index - 1].block}" if index else f"on {exp.data.source}"
            thing = "an image" if needed == "image" else "a sequence"
            raise ExperimentError(
                f"net.{index}.block",
                group.block,
                f"{BLOCKS_THAT_READ[form]} {before}: {group.block} reads {thing}",
            )
        form = needed


def _check_reading(exp: Experiment, form: Form) -> None:
    """Raise ExperimentError where `data.sequence`, which makes an image a sequence of steps, has the wrong value."""
    block, reading = exp.net[0].block, exp.data.sequence
    picture = exp.data.source in ("digits", "idx", "cifar10", "npz")
    if picture and form == "image" and block in SEQUENTIAL:
        raise ExperimentError("data.sequence", reading, f"rows or pixels: {block} reads a sequence")
    if picture and form == "sequence" and block == "conv":
        raise ExperimentError("data.sequence", reading, "none: conv reads the image as it is")


def _form_of(data: Data, rank: int | None) -> Form:
    if data.source in TOKEN_SOURCES or data.source == "adding":
        return "sequence"
    if data.source in PLANE_SOURCES or rank == 1:
        return "flat"
    if data.sequence != "none":
        return "sequence"
    return "unknown" if data.source == "npz" and rank is None else "image"
