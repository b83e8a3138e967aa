"""The operations of one block as rows of its drawing: weights, norms, nonlinearities, cells.

Their counts are those of ``experiment/block_shapes.py``, taken from the layers as they were counted.
"""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.block_shapes import (
    GATES,
    Shape,
    activation_parameters,
    norm_groups,
    norm_parameters,
    output_of,
)
from gradtui.experiment.flow import RECURRENT
from gradtui.ui.drawing.curve import curve
from gradtui.ui.drawing.outline import Outline, start
from gradtui.ui.drawing.steps import Row


class Operations:
    """Those of a group's first block, which reads signals of the shape `reads`."""

    def __init__(self, outline: Outline, index: int, reads: Shape) -> None:
        self.outline, self.group, self.reads = outline, outline.exp.net[index], reads
        self.gives = output_of(self.group, reads, self.group.stride)
        self.layers = {layer.name.rpartition(".")[2]: layer for layer in outline.block(index)}
        self.size = reads[0] if self.group.block == "conv" else reads[-1]
        self._main = [
            layer for layer in outline.block(index) if layer.kind not in ("gate", "shortcut", "input")
        ]

    @property
    def learned(self) -> int:
        """Parameters of a nonlinearity: prelu's slope."""
        return activation_parameters(self.group)

    def stride(self, number: int) -> str:
        """``/2`` of the first layer of a block that makes an image smaller."""
        return f"/{self.group.stride}" if number == 1 and self.group.stride > 1 else ""

    def layer(self, number: int) -> list[Row]:
        """One of the equal layers of a block (from 1), in the group's order."""
        group, post = self.group, self.group.order == "post"
        size = self.size if number == 1 else group.width
        normed = group.width if post else size
        norm = norm_parameters(group.norm, normed)
        alpha = int(group.shortcut == "rezero" and number == group.layers)
        weights = self._main[number - 1].parameters - norm - self.learned - alpha
        if group.block in RECURRENT:
            core = self._cell(size, weights)
            around: list[Row] = []
        else:
            core = [self._weights(number, size, weights)]
            if number == group.layers and (gain := self.gain()):
                core.append(gain)
            around = [self.activation()]
        if group.norm != "none":
            around.insert(0, self.norm(normed, norm))
        return core + around if post else around + core

    def _weights(self, number: int, size: int, parameters: int) -> Row:
        group = self.group
        text = f"{size:,} → {group.width:,}"
        if group.block == "conv":
            text = f"{group.kernel}×{group.kernel}{self.stride(number)} {text}"
        return Row(group.block, text, self.start(number == group.layers), parameters, weights=True)

    def start(self, last: bool) -> str:
        """How the weights and biases start."""
        group = self.group
        if last and (group.init == "fixup" or (group.shortcut != "none" and group.branch_gain == 0)):
            return "starts at 0" + self._biases()
        return start(group) + self._biases()

    def _biases(self) -> str:
        group = self.group
        if group.bias_std:
            return f", biases {group.bias_mean:g} ± {group.bias_std:g}"
        return f", biases {group.bias_mean:g}" if group.bias_mean else ""

    def gain(self) -> Row | None:
        """The factor that a branch keeps for good."""
        group = self.group
        if group.shortcut == "none" or group.branch_gain == 1:
            return None
        if group.branch_gain == "depth":
            blocks = sum(other.repeat for other in self.outline.exp.net if other.shortcut != "none")
            if blocks == 1:
                return None
            return Row(f"× {1 / sqrt(blocks):.3g}", "branch gain", f"1/√{blocks:,} blocks")
        if group.branch_gain == 0 and group.block not in RECURRENT:
            return None
        return Row(f"× {group.branch_gain:g}", "branch gain")

    def norm(self, width: int, parameters: int) -> Row:
        """Normalisation, and over what."""
        norm = self.group.norm
        over = {
            "batch": "each over the batch",
            "layer": "over all of an example" if len(self.reads) == 3 else "over the units",
            "group": f"over {norm_groups(width)} groups",
            "rms": "by the size, the mean stays",
        }[norm]
        return Row(f"{norm} norm", "", over, parameters)

    def activation(self) -> Row:
        """The nonlinearity with its curve."""
        group = self.group
        slope = f"slope {group.slope:g}" if ACTIVATIONS[group.activation].takes_slope else ""
        note = "learned" if self.learned else ""
        return Row(group.activation, slope, note, self.learned, curve(group.activation, group.slope))

    def _cell(self, size: int, weights: int) -> list[Row]:
        group = self.group
        gates = GATES[group.block]
        given = f"{size:,} + {group.width:,} → " + (f"{gates}×" if gates > 1 else "") + f"{group.width:,}"
        hidden = (
            group.recurrent_init
            if group.recurrent_gain == 1
            else f"{group.recurrent_init} × {group.recurrent_gain:g}"
        )
        rows = [
            Row(group.block, given, f"{self.start(False)}, state {hidden}", weights, weights=True),
        ]
        if group.block == "rnn":
            rows.append(self.activation())
        elif group.block == "lstm":
            bias = f"forget starts at {group.forget_bias:+g}" if group.forget_bias else ""
            rows.append(Row("sigmoid", "in, forget, out", bias, curve=curve("sigmoid", 0)))
            rows.append(Row("tanh", "cell, in and out", curve=curve("tanh", 0)))
        else:
            rows.append(Row("sigmoid", "reset, update", curve=curve("sigmoid", 0)))
            rows.append(Row("tanh", "the new state", curve=curve("tanh", 0)))
        carried = "state and cell go on" if group.block == "lstm" else "the state goes on"
        steps = self.reads[0]
        rows.append(Row("↻", f"{steps:,} step{'s' if steps != 1 else ''}", carried))
        return [replace(row, looped=True) for row in rows]
