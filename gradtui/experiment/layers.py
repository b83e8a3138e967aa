"""Describe a net as layers with their shapes, initial weights and parameter counts, without torch.

`net_plan.net_plan` turns an experiment into a `NetPlan`: groups of blocks, branches, layers and operations. Parameter
counts, the memory estimate, the torch modules (`gradtui.nets`), the mean-field theory (`gradtui.diagnosis.theory`) and
the drawing of the net (`gradtui.ui.drawing`) all read that plan, so they cannot disagree about the net.

Counts are those of torch's modules: dense and conv have biases, a projection has none, recurrent cells have torch's two
bias vectors. A norm and a learned slope are counted with a layer of weights: with order "post" the one that they
follow, with "pre" the one that they feed. Rezero's scalar is counted with the block's last layer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec import Struct

from gradtui.experiment.activations import ACTIVATIONS

if TYPE_CHECKING:
    from gradtui.experiment.recorded_shape import DataShape
    from gradtui.experiment.spec import Group, Init, RecurrentInit, Shortcut

LayerKind = Literal[
    "dense", "conv", "rnn", "lstm", "gru", "attention", "embedding", "input", "gate", "shortcut", "output"
]
"""The kind of the layer's block (for the four layers of attention: attention), or embedding, input (the projection of
an attention block's input to its width), gate, shortcut (a projection) or output."""

BESIDE_THE_PATH = frozenset({"shortcut", "gate", "input"})
"""Kinds of layers that do not make a net deeper: projections and gates."""
Shape = tuple[int, ...]
"""The shape of one example's signal: (features,), (steps, features) or (channels, height, width)."""


class Activate(Struct, frozen=True):
    """An Activate applies an activation function."""

    name: str
    slope: float

    @property
    def parameters(self) -> int:
        """Return the number of learned parameters."""
        return ACTIVATIONS[self.name].parameters


class Norm(Struct, frozen=True):
    """A Norm normalises a signal of `width` features or channels, of examples with `rank` dimensions."""

    kind: str
    width: int
    rank: int

    @property
    def groups(self) -> int:
        """Return the number of groups of group normalisation: the largest up to 8 that divides the width."""
        return next(groups for groups in range(8, 0, -1) if self.width % groups == 0)

    @property
    def parameters(self) -> int:
        """Return the number of learned parameters: a scale and a shift, or a scale alone in RMS normalisation."""
        return self.width if self.kind == "rms" else 2 * self.width


class Attend(Struct, frozen=True):
    """An Attend mixes the steps of a sequence by queries, keys and values; `causal`: no step sees a later one."""

    heads: int
    causal: bool
    parameters: int = 0


class View(Struct, frozen=True):
    """A View gives the signal another shape: flattened, an image by rows or pixels, averaged, or its last step."""

    kind: Literal["flatten", "rows", "pixels", "average", "last"]
    gives: Shape
    parameters: int = 0


class Recurrence(Struct, frozen=True):
    """A Recurrence describes the parts of a recurrent cell beside the weights of its input."""

    cell: Literal["rnn", "lstm", "gru"]
    activation: Activate | None
    """The activation; None for lstm and gru, whose activations are fixed."""
    init: RecurrentInit
    gain: float
    """The factor of the hidden-to-hidden weights."""
    forget_bias: float


class Weights(Struct, frozen=True, kw_only=True, dict=True):
    """A Weights is a layer's linear map and its initialisation.

    It has `matrices` equal matrices side by side (the gates of a cell; queries, keys and values), each from `inputs` to
    `outputs` features or channels.
    """

    inputs: int
    outputs: int
    reads: Shape
    gives: Shape
    init: Init
    matrices: int = 1
    kernel: int = 1
    """The side of a convolution's square kernel."""
    stride: int = 1
    bias: bool = True
    he_slope: float = 0.0
    """The activation's slope below 0 in He's rule."""
    factor: float = 1.0
    """The factor of the standard deviation of the rule `init`; with 0 the weights start at 0."""
    scale: float = 1.0
    """The constant factor of the layer's output during the whole training. See `net_plan._BlockPlanner._scale`."""
    bias_mean: float = 0.0
    bias_std: float = 0.0
    """The mean and the standard deviation of the initial biases, after `scale`."""
    recurrence: Recurrence | None = None

    @property
    def fan_in(self) -> int:
        """Return how many numbers one output adds up."""
        return self.inputs * self.kernel**2

    @property
    def fan_out(self) -> int:
        """Return how many outputs one input goes into."""
        return self.outputs * self.kernel**2

    @cached_property
    def sigma2(self) -> float:
        """Return fan_in times the variance of a weight: sigma_w² of mean-field theory, the scale included."""
        deviation = (
            self.factor * self.scale * init_deviation(self.init, self.fan_in, self.fan_out, self.he_slope)
        )
        if self.recurrence and self.init == "torch":
            # In torch's cells the deviation of the input's weights depends on the width, not on the number of inputs.
            deviation *= math.sqrt(self.fan_in / self.outputs)
        return self.fan_in * deviation**2

    @property
    def parameters(self) -> int:
        """Return the number of learned parameters."""
        if self.recurrence:
            own = self.recurrence.activation.parameters if self.recurrence.activation else 0
            return self.matrices * self.outputs * (self.inputs + self.outputs + 2) + own
        return self.matrices * self.outputs * (self.fan_in + self.bias)


Operation = Weights | Norm | Activate | Attend | View


class LayerPlan(Struct, frozen=True, dict=True):
    """A LayerPlan is one layer of weights with the operations that belong to it."""

    suffix: str
    """The part of the layer's name after its block's: `.2`, `.qkv` or nothing."""
    kind: LayerKind
    operations: tuple[Operation, ...]
    """The operations in the order of the signal; one of them is the weights."""
    behind: tuple[Operation, ...] = ()
    """Operations that follow the addition of the shortcut."""
    scalar: int = 0
    """1 where rezero's learned scalar belongs to the layer."""

    @cached_property
    def weights(self) -> Weights:
        """Return the layer's linear map."""
        return next(operation for operation in self.operations if isinstance(operation, Weights))

    @cached_property
    def before(self) -> tuple[Operation, ...]:
        """Return the operations before the weights."""
        return self.operations[: self.operations.index(self.weights)]

    @cached_property
    def after(self) -> tuple[Operation, ...]:
        """Return the operations between the weights and the end of the layer."""
        return self.operations[self.operations.index(self.weights) + 1 :]

    @property
    def parameters(self) -> int:
        """Return the number of learned parameters of the layer and all its operations."""
        return sum(operation.parameters for operation in (*self.operations, *self.behind)) + self.scalar


class Branch(Struct, frozen=True):
    """A Branch is a path of layers and the shortcut around it."""

    layers: tuple[LayerPlan, ...]
    shortcut: Shortcut = "none"
    projection: LayerPlan | None = None
    """The shortcut's weights where the shapes differ; None where the shortcut is the input itself."""
    gate: LayerPlan | None = None
    gain: float = 1.0
    """The factor of the branch before the addition, for recurrent blocks, whose layers have no scale."""

    @property
    def behind(self) -> tuple[Operation, ...]:
        """Return the operations that follow the addition."""
        return self.layers[-1].behind


class BlockPlan(Struct, frozen=True):
    """A BlockPlan is one block, which is a sequence of branches."""

    reads: Shape
    gives: Shape
    branches: tuple[Branch, ...]
    input: LayerPlan | None = None
    """The projection before a transformer block whose input has another width."""
    positions: bool = False
    """This is true if positions are added before the branches, as in the net's first transformer block."""

    @property
    def parameters(self) -> int:
        """Return the number of learned parameters."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def layers(self) -> Iterator[LayerPlan]:
        """Return the layers in the order in which their weights are drawn."""
        for branch in self.branches:
            extra = (branch.gate, branch.projection)
            yield from filter(
                None, (self.input if branch is self.branches[0] else None, *branch.layers, *extra)
            )


class GroupPlan(Struct, frozen=True):
    """A GroupPlan is a group of blocks, of which all but the first are equal."""

    group: Group
    view: View | None
    """The change of the signal's shape before the first block."""
    first: BlockPlan
    again: BlockPlan
    """Every later block; the same object as the first where all are equal."""

    @property
    def parameters(self) -> int:
        """Return the number of learned parameters of all blocks."""
        return self.first.parameters + (self.group.repeat - 1) * self.again.parameters

    @property
    def blocks(self) -> Iterator[BlockPlan]:
        """Return all blocks in order."""
        yield self.first
        for _ in range(self.group.repeat - 1):
            yield self.again


class LayerShape(Struct, frozen=True):
    """A LayerShape names and counts one layer of weights.

    `block` counts from 1 and is 0 for embedding and output; `group` is the index in `net`, or -1 for embedding and
    output. `output` is the shape for one example.
    """

    name: str
    kind: LayerKind
    parameters: int
    block: int
    group: int
    output: Shape

    @property
    def places(self) -> int:
        """Return at how many positions of an image, or steps of a sequence, the weights are applied to one example."""
        # Channels are first in an image's shape and last in a sequence's.
        return math.prod(self.output[1:] if len(self.output) == 3 else self.output[:-1])


class NetShape(NamedTuple):
    """A NetShape holds all layers in forward order, the number of all parameters, and the depth.

    The depth counts the layers without projections and gates, and includes the output layer.
    """

    layers: tuple[LayerShape, ...]
    parameters: int
    depth: int


class NetPlan(Struct, frozen=True):
    """A NetPlan is a whole net, from the example to the answer."""

    data: DataShape
    tokens: bool
    embedding: LayerPlan | None
    groups: tuple[GroupPlan, ...]
    output: LayerPlan
    shortcut_blocks: int
    """The number of blocks with a shortcut in the whole net."""

    def shape(self) -> NetShape:
        """Return the names and parameter counts of all layers. No other code makes layer names."""
        layers = []
        if self.embedding:
            layers.append(_shape_of(self.embedding, "embedding", 0, -1))
        number = 0
        for index, group in enumerate(self.groups):
            made: dict[int, list[LayerShape]] = {}
            for block in group.blocks:
                number += 1
                name = f"{group.group.block}{number}"
                if id(block) not in made:
                    made[id(block)] = [
                        _shape_of(layer, layer.suffix, number, index) for layer in block.layers
                    ]
                layers += [
                    LayerShape(name + one.name, one.kind, one.parameters, number, index, one.output)
                    for one in made[id(block)]
                ]
        layers.append(_shape_of(self.output, "output", 0, -1))
        total = sum(layer.parameters for layer in layers)
        return NetShape(tuple(layers), total, sum(layer.kind not in BESIDE_THE_PATH for layer in layers))


def _shape_of(layer: LayerPlan, name: str, block: int, group: int) -> LayerShape:
    return LayerShape(name, layer.kind, layer.parameters, block, group, layer.weights.gives)


def init_deviation(init: Init, fan_in: int, fan_out: int, negative_slope: float = 0.0) -> float:
    """Return the standard deviation of the weights by a rule of initialisation, before `gain`.

    xavier: √(2/(fan_in + fan_out)) (Glorot and Bengio 2010, normal). he and fixup: √(2/((1 + slope²)·fan_in)) (He et
    al. 2015), where slope is the activation's slope below zero, 0 for activations without one. Smooth activations (ELU,
    GELU, SiLU) use ReLU's 2, as is usual; SELU needs lecun. lecun and normal: 1/√fan_in (LeCun et al. 1998). torch:
    1/√(3·fan_in), the deviation of uniform numbers in ±1/√fan_in. orthogonal: 1/√ of the matrix's longer side.
    """
    match init:
        case "xavier":
            return math.sqrt(2.0 / (fan_in + fan_out))
        case "he" | "fixup":
            return math.sqrt(2.0 / ((1.0 + negative_slope**2) * fan_in))
        case "torch":
            return math.sqrt(1.0 / (3.0 * fan_in))
        case "orthogonal":
            return 1.0 / math.sqrt(max(fan_in, fan_out))
    return 1.0 / math.sqrt(fan_in)


def features(signal: Shape) -> int:
    """Return the features or channels of a signal."""
    return signal[0] if len(signal) == 3 else signal[-1]
