"""What the picture of a net consists of: its input, its groups and its output, with shapes and counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from gradtui.experiment import DataShape, Experiment, Group, LayerShape, NetShape, data_shape, net_shape
from gradtui.experiment.block_shapes import Shape, output_of
from gradtui.experiment.data_shapes import TOKEN_SOURCES
from gradtui.experiment.shapes import first_input, summarised

Kind = Literal["input", "embedding", "group", "output"]


@dataclass(frozen=True)
class Station:
    """One box of the picture."""

    kind: Kind
    title: str
    details: tuple[str, ...]
    """What is said of it, the most important first."""
    aside: str = ""
    """What is said of it where there is room."""
    reads: Shape = ()
    gives: Shape = ()
    parameters: int = 0
    way: str = ""
    """How it reads what the station before gives, where that is not as it is."""
    index: int = -1
    """Of a group: its place in the net."""


class Outline:
    """The stations of an experiment's net, and the layers of each group's first two blocks.

    Raises ExperimentError where the data cannot be read or do not suit the first group.
    """

    def __init__(self, exp: Experiment) -> None:
        self.exp = exp
        self.data: DataShape = data_shape(exp.data)
        self.shape: NetShape = net_shape(exp, self.data)
        self.tokens = exp.data.source in TOKEN_SOURCES
        self._count = [0] * len(exp.net)
        self._blocks: list[dict[int, list[LayerShape]]] = [{} for _ in exp.net]
        for layer in self.shape.layers:
            if layer.group >= 0:
                self._count[layer.group] += layer.parameters
                blocks = self._blocks[layer.group]
                if layer.block in blocks or len(blocks) < 2:
                    blocks.setdefault(layer.block, []).append(layer)

    def block(self, index: int, number: int = 0) -> list[LayerShape]:
        """The layers of a group's first block (number 0), or of its second, which is like all that follow."""
        blocks = list(self._blocks[index].values())
        return blocks[min(number, len(blocks) - 1)]

    @cached_property
    def stations(self) -> tuple[Station, ...]:
        """From input to output."""
        exp, data = self.exp, self.data
        found = [Station("input", exp.data.source, *_example(self), data.input, data.input)]
        signal = data.input
        if self.tokens:
            first = self.shape.layers[0]
            signal = first.output
            found.append(
                Station("embedding", f"embedding {signal[-1]}", (), "", data.input, signal, first.parameters)
            )
        for index, group in enumerate(exp.net):
            way, reads = self._way(index, group, signal)
            signal = output_of(group, reads, group.stride)
            count = self._count[index]
            found.append(
                Station("group", title(group), details(group), start(group), reads, signal, count, way, index)
            )
        last = self.shape.layers[-1]
        way, reads = _summary(signal, self.tokens)
        found.append(
            Station(
                "output",
                f"output {last.output[-1]}",
                _answer(self),
                "",
                reads,
                last.output,
                last.parameters,
                way,
            )
        )
        return tuple(found)

    def _way(self, index: int, group: Group, signal: Shape) -> tuple[str, Shape]:
        if index or self.tokens:
            return _summary(signal, self.tokens) if group.block == "dense" and index else ("", signal)
        reads = first_input(self.exp, self.data)
        if reads == signal:
            return "", reads
        if group.block == "dense":
            return "flattened", reads
        return {"rows": "by rows", "pixels": "by pixels"}.get(self.exp.data.sequence, ""), reads


def title(group: Group) -> str:
    """``conv 16``."""
    return f"{group.block} {group.width:,}"


def details(group: Group) -> tuple[str, ...]:
    """How a group is wired, the most important first."""
    found = []
    if group.block == "conv":
        found.append(f"{group.kernel}×{group.kernel}" + (f"/{group.stride}" if group.stride > 1 else ""))
    if group.block == "attention":
        found.append(f"{group.heads} head{'s' if group.heads > 1 else ''}")
    if group.block not in ("lstm", "gru"):
        found.append(group.activation)
    if group.norm != "none":
        found.append(f"{group.norm} norm")
    if group.shortcut != "none":
        found.append("shortcut" if group.shortcut == "identity" else group.shortcut)
    if group.order == "pre":
        found.append("pre")
    if group.layers > 1:
        found.append(f"{group.layers} layers")
    return tuple(found)


def start(group: Group) -> str:
    """How its weights start: ``he × 1.4``."""
    return group.init if group.gain == 1 else f"{group.init} × {group.gain:g}"


def shape_in_words(shape: Shape) -> str:
    """``16 × 8 × 8`` of an image, ``30 steps × 24`` of a sequence, ``64`` of a row of numbers."""
    if len(shape) == 2:
        return f"{shape[0]:,} step{'s' if shape[0] != 1 else ''} × {shape[1]:,}"
    return " × ".join(f"{size:,}" for size in shape)


def _summary(signal: Shape, tokens: bool) -> tuple[str, Shape]:
    reads = summarised(signal, tokens)
    if reads == signal:
        return "", reads
    return ("averaged" if len(signal) == 3 else "last step"), reads


def _example(outline: Outline) -> tuple[tuple[str], str]:
    shape = outline.data.input
    if outline.tokens:
        what = f"{shape[0]:,} tokens of {outline.data.outputs:,}"
    else:
        what = shape_in_words(shape) + {1: " numbers", 2: "", 3: " image"}[len(shape)]
    return (what,), f"batches of {outline.exp.data.batch_size:,}"


def _answer(outline: Outline) -> tuple[str, ...]:
    count, last = outline.data.outputs, outline.exp.net[-1]
    what = "number" if outline.data.task == "regress" else "class"
    found = [
        f"{count:,} {what}" if count == 1 else f"{count:,} {'numbers' if what == 'number' else 'classes'}"
    ]
    if outline.data.task == "sequence":
        found[0] += " at every step"
    if last.order == "pre":
        closing = [f"{last.norm} norm"] if last.norm != "none" else []
        closing += [last.activation] if last.block in ("dense", "conv") else []
        if closing:
            found.append("after " + ", ".join(closing))
    return tuple(found)
