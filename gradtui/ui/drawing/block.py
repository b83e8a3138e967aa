"""Describe the inside of a block in words: its operations in the order of the signal, and the paths between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.layers import (
    Activate,
    Attend,
    Branch,
    GroupPlan,
    LayerPlan,
    NetPlan,
    Norm,
    Operation,
    Weights,
)
from gradtui.experiment.net_plan import RECURRENT
from gradtui.ui.drawing.outline import shape_in_words, start
from gradtui.words import several

CARRIED, GATED = 0, 1
"""The number of lanes beside the branch: the path around it, and within that a highway's gate."""
DRAWN_LAYERS = 4
"""The number of layers of a block above which the equal ones in its middle are drawn as one line."""


@dataclass(frozen=True)
class OperationRow:
    """An OperationRow is the line of one operation."""

    name: str
    text: str = ""
    note: str = ""
    parameters: int = 0
    curve: str = ""
    weights: bool = False
    """Whether it is a layer of weights."""
    looped: bool = False
    """Whether it is repeated at every step of a sequence."""


@dataclass(frozen=True)
class Wire:
    """A Wire is the signal between two steps."""

    text: str = ""


@dataclass(frozen=True)
class Chain:
    """A Chain is a box of consecutive operations, grouped by layers."""

    layers: tuple[tuple[OperationRow, ...], ...]


@dataclass(frozen=True)
class Split:
    """A Split is where a second path leaves."""

    lane: int
    text: str
    short: str
    """The text for narrow drawings."""
    parameters: int = 0


@dataclass(frozen=True)
class WireMark:
    """A WireMark is an operation on the signal that is drawn on its wire."""

    sign: str
    text: str
    parameters: int = 0


@dataclass(frozen=True)
class Join:
    """A Join is where the second path comes back."""

    lane: int
    sign: str
    text: str = ""


Step = Wire | Chain | Split | WireMark | Join


@dataclass(frozen=True)
class BlockSteps:
    """A BlockSteps is a group's first block, step by step, and how the others of the group differ."""

    steps: tuple[Step, ...]
    repeat: int
    """The number of blocks that are exactly like this one; 1 where the others differ."""
    others: str = ""
    """The words for how the others differ."""

    @property
    def parameters(self) -> int:
        """Return the parameters of the block, added up from what is drawn."""
        total = 0
        for step in self.steps:
            if isinstance(step, Chain):
                total += sum(row.parameters for layer in step.layers for row in layer)
            elif isinstance(step, Split | WireMark):
                total += step.parameters
        return total


def block_steps(plan: NetPlan, index: int) -> BlockSteps:
    """Return the first block of the group of this index. It may read another shape than those that follow."""
    group = plan.groups[index]
    steps = _BlockWords(plan, group).steps()
    repeat = group.group.repeat
    if repeat == 1 or group.first is group.again:
        return BlockSteps(steps, repeat)
    which = "the other block reads" if repeat == 2 else f"the other {repeat - 1:,} blocks read"
    each = f"{group.again.parameters:,} parameters{'' if repeat == 2 else ' each'}"
    # A shape is not broken across lines.
    reads = shape_in_words(group.again.reads).replace(" ", "\N{NO-BREAK SPACE}")
    return BlockSteps(steps, 1, f"{which} {reads}: {each}")


class _BlockWords:
    """A _BlockWords puts the operations of a group's first block into words."""

    def __init__(self, plan: NetPlan, plan_of_group: GroupPlan) -> None:
        self.plan, self.group, self.block = plan, plan_of_group.group, plan_of_group.first
        self.recurrent = self.group.block in RECURRENT

    def steps(self) -> tuple[Step, ...]:
        """Return the block in the order of the signal."""
        block, width = self.block, self.group.width
        found: list[Step] = [Wire(shape_in_words(block.reads))]
        if block.input:
            text = f"{block.reads[-1]:,} → {width:,}"
            row = OperationRow("input", text, "lecun", block.input.parameters, weights=True)
            found += [Chain(((row,),)), Wire(shape_in_words(block.gives))]
        if block.positions:
            found.append(WireMark("+", "positions, as sines"))
        for branch in block.branches:
            found += self._joined(branch)
            if branch.behind:
                found.append(Chain((tuple(self._row(operation) for operation in branch.behind),)))
        return *found, Wire(shape_in_words(block.gives))

    def _joined(self, branch: Branch) -> list[Step]:
        """Return a branch with its shortcut."""
        layers = [self._layer(layer, last=layer is branch.layers[-1]) for layer in branch.layers]
        if self.group.block == "attention":
            layers = [[row for layer in layers for row in layer]]
        found: list[Step] = [Chain(tuple(tuple(layer) for layer in _folded(layers)))]
        if self.recurrent and (gain := self._gain()):
            found.append(WireMark("×", f"{gain.name[2:]}  {gain.text}"))
        if branch.shortcut == "none":
            return found
        split = Split(CARRIED, "identity", "identity")
        if branch.projection:
            weights = branch.projection.weights
            kernel = f"1×1{_stride(weights)} " if self.group.block == "conv" else ""
            text = f"{kernel}{weights.inputs:,} → {weights.outputs:,}"
            split = Split(CARRIED, f"projection {text}", text, weights.parameters)
        if branch.shortcut == "rezero":
            # Both branches of a transformer block share one scalar, which is counted once.
            found.append(WireMark("×", "learned, starts at 0", branch.layers[-1].scalar))
        if branch.gate:
            gate = Split(GATED, "t = sigmoid(W x + b)", "gate t", branch.gate.parameters)
            return [split, gate, *found, Join(GATED, "×", "t"), Join(CARRIED, "⊕", "× (1 − t)")]
        return [split, *found, Join(CARRIED, "⊕")]

    def _layer(self, layer: LayerPlan, *, last: bool) -> list[OperationRow]:
        rows: list[OperationRow] = []
        for operation in layer.operations:
            if isinstance(operation, Weights):
                rows += self._weights(operation, layer.suffix, last=last)
            else:
                rows.append(self._row(operation))
        return rows

    def _row(self, operation: Operation) -> OperationRow:
        match operation:
            case Norm():
                over = {
                    "batch": "each over the batch",
                    "layer": "over all of an example" if operation.rank == 3 else "over the units",
                    "group": f"over {operation.groups} groups",
                    "rms": "by the size, the mean stays",
                }[operation.kind]
                return OperationRow(f"{operation.kind} norm", "", over, operation.parameters)
            case Attend():
                width, steps = self.group.width, self.block.reads[0]
                scores = f"{steps:,} × {steps:,} steps" + (", causal" if operation.causal else "")
                heads = several(operation.heads, "head")
                return OperationRow("attention", f"{heads} of {width // operation.heads:,}", scores)
            case Activate(name, slope):
                text = f"slope {slope:g}" if ACTIVATIONS[name].takes_slope else ""
                note = "learned" if operation.parameters else ""
                return OperationRow(name, text, note, operation.parameters, curve(name, slope))
        raise AssertionError(operation)

    def _weights(self, weights: Weights, suffix: str, *, last: bool) -> list[OperationRow]:
        """Return the rows of a layer of weights, and of the factor that the branch keeps for good."""
        if self.recurrent:
            return self._cell(weights)
        block = self.group.block
        times = f"{weights.matrices}×" if weights.matrices > 1 else ""
        text = f"{weights.inputs:,} → {times}{weights.outputs:,}"
        if block == "conv":
            text = f"{weights.kernel}×{weights.kernel}{_stride(weights)} {text}"
        name = suffix[1:] if block == "attention" else block
        row = OperationRow(name, text, self._start(last=last), weights.parameters, weights=True)
        gain = self._gain() if last else None
        return [row, gain] if gain else [row]

    def _start(self, *, last: bool) -> str:
        """Return how the weights and biases start."""
        group = self.group
        zero = last and (group.init == "fixup" or (group.shortcut != "none" and group.branch_gain == 0))
        biases = ""
        if group.bias_std:
            biases = f", biases {group.bias_mean:g} ± {group.bias_std:g}"
        elif group.bias_mean:
            biases = f", biases {group.bias_mean:g}"
        return ("starts at 0" if zero else start(group)) + biases

    def _gain(self) -> OperationRow | None:
        """Return the constant factor of a branch; None if it has none."""
        group = self.group
        if group.shortcut == "none" or group.branch_gain == 1:
            return None
        if group.branch_gain == "depth":
            blocks = self.plan.shortcut_blocks
            if blocks == 1:
                return None
            return OperationRow(f"× {1 / sqrt(blocks):.3g}", "branch gain", f"1/sqrt({blocks:,} blocks)")
        if group.branch_gain == 0 and not self.recurrent:
            return None
        return OperationRow(f"× {group.branch_gain:g}", "branch gain")

    def _cell(self, weights: Weights) -> list[OperationRow]:
        """Return the rows of a recurrent cell."""
        recurrence = weights.recurrence
        assert recurrence is not None
        times = f"{weights.matrices}×" if weights.matrices > 1 else ""
        given = f"{weights.inputs:,} + {weights.outputs:,} → {times}{weights.outputs:,}"
        gain = "" if recurrence.gain == 1 else f" × {recurrence.gain:g}"
        note = f"{self._start(last=False)}, state {recurrence.init}{gain}"
        own = recurrence.activation.parameters if recurrence.activation else 0
        rows = [OperationRow(recurrence.cell, given, note, weights.parameters - own, weights=True)]
        sigmoid, tanh = curve("sigmoid", 0), curve("tanh", 0)
        if recurrence.activation:
            rows.append(self._row(recurrence.activation))
        elif recurrence.cell == "lstm":
            bias = f"forget starts at {recurrence.forget_bias:+g}" if recurrence.forget_bias else ""
            rows.append(OperationRow("sigmoid", "in, forget, out", bias, curve=sigmoid))
            rows.append(OperationRow("tanh", "cell, in and out", curve=tanh))
        else:
            rows.append(OperationRow("sigmoid", "reset, update", curve=sigmoid))
            rows.append(OperationRow("tanh", "the new state", curve=tanh))
        carried = "keeps state and cell" if recurrence.cell == "lstm" else "keeps the state"
        steps = self.block.reads[0]
        rows.append(OperationRow("↻", several(steps, "step"), carried))
        return [replace(row, looped=True) for row in rows]


def _stride(weights: Weights) -> str:
    """Return ``/2`` for a layer that makes an image smaller."""
    return f"/{weights.stride}" if weights.stride > 1 else ""


def _folded(layers: list[list[OperationRow]]) -> list[list[OperationRow]]:
    """Return the rows of many layers folded: the first, the second, the number of equal ones, and the last."""
    if len(layers) <= DRAWN_LAYERS:
        return layers
    alike = layers[2:-1]
    total = sum(row.parameters for layer in alike for row in layer)
    return [*layers[:2], [OperationRow("⋮", f"{len(alike)} more like this", parameters=total)], layers[-1]]


CURVE_REACH = 3.0
"""An activation's curve is drawn from -CURVE_REACH to CURVE_REACH."""
_CURVE_ROWS = 4
_CURVE_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of a braille character: left column and right column, from above."""


def curve(kind: str, slope: float, cells: int = 5) -> str:
    """Return an activation as a small curve of braille dots, over its own range of values.

    Where the curve is flat, the activation passes no gradient.
    """
    count = 2 * cells
    function = ACTIVATIONS[kind].value
    values = [function(CURVE_REACH * (2 * k / (count - 1) - 1), slope) for k in range(count)]
    low, high = min(values), max(values)
    rows = [round((_CURVE_ROWS - 1) * (high - v) / ((high - low) or 1.0)) for v in values]
    return "".join(
        chr(0x2800 + _CURVE_DOTS[0][left] + _CURVE_DOTS[1][right])
        for left, right in zip(rows[::2], rows[1::2], strict=True)
    )
