"""Names, shapes and parameter counts of all layers, without torch: the one source of layer names.

A net reads as follows. Tokens (copy, text) go through ``embedding``, as wide as the first group. A dense
group that comes first reads the whole example flattened (tokens: step by step). A dense group after conv
reads the average over the image; after recurrent or attention groups the last step (tokens: every step).
The output layer reads like a dense group. A last group of order "pre" is closed before that by its norm and
its activation, which belong to the output layer, the one that they feed (He et al. 2016, "Identity
mappings"; in transformers the norm alone).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from gradtui.experiment.block_shapes import Blocks, LayerShape, closing_parameters
from gradtui.experiment.data_shapes import TOKEN_SOURCES, DataShape, data_shape, sequence_of
from gradtui.experiment.flow import RECURRENT, check_flow

if TYPE_CHECKING:
    from gradtui.experiment.spec import Experiment

__all__ = ["DataShape", "LayerShape", "NetShape", "data_shape", "net_shape"]

BESIDE_THE_PATH = frozenset({"shortcut", "gate", "input"})
"""Kinds of layers that do not make a net deeper: projections and gates."""


class NetShape(NamedTuple):
    """All layers in forward order, all parameters, and the depth: layers without projections and gates, the
    output layer counted."""

    layers: tuple[LayerShape, ...]
    parameters: int
    depth: int


def net_shape(exp: Experiment, data: DataShape | None = None) -> NetShape:
    """The layers of the experiment's net. ``data`` spares the look at files where the shape is known already.

    Raises ExperimentError where the data cannot be read or does not suit the first group.
    """
    data = data or data_shape(exp.data)
    check_flow(exp, rank=len(data.input))
    layers: list[LayerShape] = []
    tokens = exp.data.source in TOKEN_SOURCES
    if tokens:
        width = exp.net[0].width
        signal: tuple[int, ...] = (data.input[0], width)
        layers.append(LayerShape("embedding", "embedding", data.outputs * width, 0, -1, signal))
    else:
        signal = first_input(exp, data)
    blocks = Blocks()
    for number, group in enumerate(exp.net):
        if group.block == "dense" and number > 0:
            signal = summarised(signal, tokens)
        signal = blocks.add(layers, group, number, signal)
    signal = summarised(signal, tokens)
    parameters = signal[-1] * data.outputs + data.outputs + closing_parameters(exp.net[-1])
    layers.append(LayerShape("output", "output", parameters, 0, -1, (*signal[:-1], data.outputs)))
    total = sum(layer.parameters for layer in layers)
    return NetShape(tuple(layers), total, sum(layer.kind not in BESIDE_THE_PATH for layer in layers))


def first_input(exp: Experiment, data: DataShape) -> tuple[int, ...]:
    """What the first group reads where the data are no tokens: an image, a sequence, or all numbers in a row."""
    block = exp.net[0].block
    if block == "conv":
        return data.input
    if block in RECURRENT or block == "attention":
        # check_flow has refused what cannot be read as a sequence.
        return sequence_of(exp.data, data) or data.input
    return (prod(data.input),)


def summarised(signal: tuple[int, ...], tokens: bool) -> tuple[int, ...]:
    """What a dense layer reads: an image's channel means, a sequence's last step, or all its steps."""
    if len(signal) == 3:
        return signal[:1]
    return signal if tokens else signal[-1:]
