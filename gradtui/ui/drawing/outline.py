"""Describe the boxes of the picture of a net: its input, its groups and its output, with shapes and counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from gradtui.experiment import Experiment, Group
from gradtui.experiment.layers import Activate, NetPlan, NetShape, Norm, Shape, View
from gradtui.experiment.net_plan import net_plan
from gradtui.words import several

Kind = Literal["input", "embedding", "group", "output"]
VIEW_WORDS = {
    "flatten": "flattened",
    "rows": "by rows",
    "pixels": "by pixels",
    "average": "averaged",
    "last": "last step",
}
"""The words for the ways in which a layer reads a signal."""


@dataclass(frozen=True)
class NetBox:
    """A NetBox is one box of the picture."""

    kind: Kind
    title: str
    details: tuple[str, ...]
    """The words in the box, the most important first."""
    aside: str = ""
    """A further word, if there is room."""
    reads: Shape = ()
    gives: Shape = ()
    parameters: int = 0
    way: str = ""
    """The way in which it reads the signal of the station before, if the shape changes."""
    index: int = -1
    """The index of the group in the net; -1 for input and output."""


class Outline:
    """An Outline holds the plan of an experiment's net, and the stations of its picture.

    Raises ExperimentError if the data cannot be read or do not fit the first group.
    """

    def __init__(self, exp: Experiment) -> None:
        self.exp = exp
        self.plan: NetPlan = net_plan(exp)
        self.shape: NetShape = self.plan.shape()

    @cached_property
    def stations(self) -> tuple[NetBox, ...]:
        """Return the stations from input to output."""
        exp, plan = self.exp, self.plan
        signal = plan.data.input
        found = [NetBox("input", exp.data.source, *_example(self), signal, signal)]
        if plan.embedding:
            gives = plan.embedding.weights.gives
            count = plan.embedding.parameters
            found.append(NetBox("embedding", f"embedding {gives[-1]}", (), "", signal, gives, count))
        for index, group in enumerate(plan.groups):
            found.append(
                NetBox(
                    "group",
                    title(group.group),
                    details(group.group),
                    start(group.group),
                    group.first.reads,
                    group.first.gives,
                    group.parameters,
                    VIEW_WORDS[group.view.kind] if group.view else "",
                    index,
                )
            )
        weights = plan.output.weights
        way = next((VIEW_WORDS[o.kind] for o in plan.output.operations if isinstance(o, View)), "")
        name, count = f"output {weights.outputs}", plan.output.parameters
        found.append(NetBox("output", name, _answer(self), "", weights.reads, weights.gives, count, way))
        return tuple(found)


def title(group: Group) -> str:
    """Return a group's title: ``conv 16``."""
    return f"{group.block} {group.width:,}"


def details(group: Group) -> tuple[str, ...]:
    """Return how a group is wired, the most important first."""
    found = []
    if group.block == "conv":
        found.append(f"{group.kernel}×{group.kernel}" + (f"/{group.stride}" if group.stride > 1 else ""))
    if group.block == "attention":
        found.append(several(group.heads, "head"))
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
    """Return how a group's weights start: ``he × 1.4``."""
    return group.init if group.gain == 1 else f"{group.init} × {group.gain:g}"


def shape_in_words(shape: Shape) -> str:
    """Return a shape in words: ``16 × 8 × 8`` for an image, ``30 steps × 24`` for a sequence, ``64`` for numbers."""
    if len(shape) == 2:
        return f"{several(shape[0], 'step')} × {shape[1]:,}"
    return " × ".join(f"{size:,}" for size in shape)


def _example(outline: Outline) -> tuple[tuple[str], str]:
    shape = outline.plan.data.input
    if outline.plan.tokens:
        what = f"{shape[0]:,} tokens of {outline.plan.data.outputs:,}"
    else:
        what = shape_in_words(shape) + {1: " numbers", 2: "", 3: " image"}[len(shape)]
    return (what,), f"batches of {outline.exp.data.batch_size:,}"


def _answer(outline: Outline) -> tuple[str, ...]:
    count = outline.plan.data.outputs
    what = "number" if outline.plan.data.task == "regress" else "class"
    found = [
        f"{count:,} {what}" if count == 1 else f"{count:,} {'numbers' if what == 'number' else 'classes'}"
    ]
    if outline.plan.data.task == "sequence":
        found[0] += " at every step"
    closing = [f"{each.kind} norm" for each in outline.plan.output.operations if isinstance(each, Norm)]
    closing += [each.name for each in outline.plan.output.operations if isinstance(each, Activate)]
    if closing:
        found.append("after " + ", ".join(closing))
    return tuple(found)
