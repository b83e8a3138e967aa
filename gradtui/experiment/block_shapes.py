"""The layers of one block of each kind: names, parameter counts and output shapes.

Counts are those of torch's modules: dense and conv have biases, a projection has none, recurrent cells have
torch's two bias vectors. A norm's scale and shift, a learned slope and rezero's scalar are counted with the
layer that they belong to: with order "post" the layer that they follow, with "pre" the one that they feed;
rezero's scalar with the block's last layer. Attention's slope follows its first hidden layer in either
order.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.spec import Group

LayerKind = Literal[
    "dense", "conv", "rnn", "lstm", "gru", "attention", "embedding", "input", "gate", "shortcut", "output"
]

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
"""Weight matrices of a recurrent cell, in each of its two directions (input and hidden)."""

HIDDEN = 4
"""The hidden layer of a transformer block is so many times as wide as the model."""

Shape = tuple[int, ...]


class LayerShape(Struct, frozen=True):
    """One weight layer.

    ``kind`` is the block's (for the four layers of attention: attention), or embedding, input (attention's
    own projection of an input of another width), gate, shortcut (a projection) or output. ``block`` counts
    from 1 and is 0 for embedding and output; ``group`` is the index in ``net``, -1 for those two.
    ``output`` is the shape for one example.
    """

    name: str
    kind: LayerKind
    parameters: int
    block: int
    group: int
    output: Shape


def norm_parameters(norm: str, width: int) -> int:
    """Scale and shift of batch, layer and group normalisation; a scale alone of RMS normalisation."""
    return {"none": 0, "rms": width}.get(norm, 2 * width)


def norm_groups(width: int) -> int:
    """Groups of group normalisation: 8, or the largest number below it that divides the width."""
    return next(groups for groups in range(8, 0, -1) if width % groups == 0)


def closing_parameters(group: Group) -> int:
    """Norm and learned slope between a last group of order "pre" and the output layer."""
    if group.order == "post":
        return 0
    learned = activation_parameters(group) if group.block in ("dense", "conv") else 0
    return norm_parameters(group.norm, group.width) + learned


def activation_parameters(group: Group) -> int:
    """Return the learned parameters of one activation of a group: prelu's slope."""
    return 0 if group.block in ("lstm", "gru") else ACTIVATIONS[group.activation].parameters


class Blocks:
    """Numbers blocks from 1 over the whole net and appends their layers."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, layers: list[LayerShape], group: Group, index: int, signal: Shape) -> Shape:
        """Appends the layers of a whole group that reads ``signal``; what it gives on comes back."""
        for repeat in range(group.repeat):
            self.count += 1
            stride = group.stride if repeat == 0 else 1
            made = _attention(group, signal) if group.block == "attention" else _stack(group, signal, stride)
            layers.extend(
                LayerShape(f"{group.block}{self.count}{suffix}", kind, parameters, self.count, index, output)
                for suffix, kind, parameters, output in made
            )
            signal = output_of(group, signal, stride)
        return signal


Made = list[tuple[str, LayerKind, int, Shape]]


def _stack(group: Group, signal: Shape, stride: int) -> Made:
    """Blocks of ``layers`` equal weight layers: dense, conv, rnn, lstm, gru."""
    output = output_of(group, signal, stride)
    first, width = _size(group, signal), group.width
    made: Made = []
    for number in range(1, group.layers + 1):
        size = first if number == 1 else width
        parameters = _weights(group, size) + norm_parameters(
            group.norm, width if group.order == "post" else size
        )
        parameters += activation_parameters(group)
        if group.shortcut == "rezero" and number == group.layers:
            parameters += 1
        made.append((f".{number}" if group.layers > 1 else "", group.block, parameters, output))
    if group.shortcut == "highway":
        made.append((".gate", "gate", _weights(group, first), output))
    if group.shortcut != "none" and signal != output:
        made.append((".shortcut", "shortcut", first * width, output))
    return made


def _attention(group: Group, signal: Shape) -> Made:
    """A transformer block: attention of ``heads`` heads, then a hidden layer ``HIDDEN`` times as wide."""
    width, norm = group.width, norm_parameters(group.norm, group.width)
    steps = signal[:-1]
    before, after = (norm, 0) if group.order == "pre" else (0, norm)
    slope = activation_parameters(group)
    scalar = 1 if group.shortcut == "rezero" else 0
    made: Made = []
    if signal[-1] != width:
        made.append((".input", "input", signal[-1] * width + width, (*steps, width)))
    for suffix, size, wide, extra in (
        (".qkv", width, 3 * width, before),
        (".out", width, width, after),
        (".mlp1", width, HIDDEN * width, before + slope),
        (".mlp2", HIDDEN * width, width, after + scalar),
    ):
        made.append((suffix, "attention", size * wide + wide + extra, (*steps, wide)))
    return made


def _size(group: Group, signal: Shape) -> int:
    return signal[0] if group.block == "conv" else signal[-1]


def _weights(group: Group, size: int) -> int:
    width = group.width
    if group.block == "conv":
        return size * width * group.kernel**2 + width
    if group.block in GATES:
        return GATES[group.block] * width * (size + width + 2)
    return size * width + width


def output_of(group: Group, signal: Shape, stride: int) -> Shape:
    """What a block that reads ``signal`` gives on."""
    if group.block == "conv":
        _, height, width = signal
        # Padding keeps the size at stride 1, so a stride rounds up.
        return group.width, -(-height // stride), -(-width // stride)
    return (*signal[:-1], group.width)
