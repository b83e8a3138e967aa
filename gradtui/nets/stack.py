"""Blocks of equal weight layers: dense and conv.

With order "post" a layer is weights, norm, activation; beside an identity shortcut the last activation
follows the addition (He et al. 2016, "Deep residual learning"), beside rezero and highway it stays in the
branch, as published. With order "pre" a layer is norm, activation, weights (He et al. 2016, "Identity
mappings"), also the first of a net: it then acts on what it is given, so a net on raw inputs wants a stem,
a group of its own with order "post". Where it is the last group, its norm and activation come once more
before the output layer (build.py); another group after it reads the bare sum.
"""

from __future__ import annotations

from torch import nn

from gradtui.experiment.block_shapes import LayerKind
from gradtui.experiment.spec import Group
from gradtui.nets.activations import make_activation, make_norm
from gradtui.nets.blocks import Block, Highway, Residual, ReZero, Steps
from gradtui.nets.init import GATE_BIAS, Start, negative_slope
from gradtui.nets.layer import Conv2d, Layer, Linear, ScaledConv2d, make_linear

Shape = tuple[int, ...]


class Stack:
    """Builds one block that reads ``signal`` and gives ``output`` (shapes of one example).

    Call ``block`` once; ``layers`` then holds its layers in forward order.
    """

    def __init__(
        self, group: Group, name: str, signal: Shape, output: Shape, stride: int, start: Start
    ) -> None:
        self.group, self.name, self.start = group, name, start
        self.signal, self.output, self.stride = signal, output, stride
        self.size = signal[0] if group.block == "conv" else signal[-1]
        self.layers: list[Layer] = []

    def block(self) -> Block:
        """The block; its weights are drawn in forward order, then gate and projection."""
        group = self.group
        steps: Steps = []
        for number in range(1, group.layers + 1):
            steps += self._layer(number)
        if group.shortcut == "none":
            return Block(steps)
        if group.shortcut == "identity":
            after = steps.pop()[1] if group.order == "post" else None
            return Residual(steps, self._projection(), after)
        if group.shortcut == "rezero":
            block = ReZero(steps, self._projection())
            self.layers[group.layers - 1].parameters.append(block.alpha)
            return block
        gate = self._gate()
        return Highway(steps, self._projection(), gate)

    def _layer(self, number: int) -> Steps:
        group, first = self.group, number == 1
        size, post = self.size if first else group.width, group.order == "post"
        last = number == group.layers
        scale = self.start.scale(group, last=last)
        weights = self._weights(size, group.kernel, self.stride if first else 1, scale=scale)
        factor = self.start.factor(group, last=last, length=group.layers)
        self.start.weight(weights.weight, group.init, factor, negative_slope(group))
        assert weights.bias is not None
        self.start.bias(weights.bias, group, scale)
        norm = make_norm(group.norm, group.width if post else size, len(self.signal))
        activation = make_activation(group.activation, group.slope)
        around: Steps = [] if norm is None else [(f"norm{number}", norm)]
        around.append((f"activation{number}", activation))
        core: Steps = [(f"weights{number}", weights)]
        suffix = f".{number}" if group.layers > 1 else ""
        self._add(group.block, suffix, weights, [module for _, module in around])
        return core + around if post else around + core

    def _add(self, kind: LayerKind, suffix: str, weights: nn.Module, around: list[nn.Module]) -> None:
        activation = around[-1] if around else None
        parameters = [p for module in (weights, *around) for p in module.parameters()]
        function = self.group.activation if around else "identity"
        self.layers.append(Layer(self.name + suffix, kind, parameters, weights, activation, function))

    def _gate(self) -> nn.Module:
        gate = self._weights(self.size, self.group.kernel, self.stride)
        self.start.weight(gate.weight, self.group.init, self.group.gain, negative_slope(self.group))
        assert gate.bias is not None
        nn.init.constant_(gate.bias, GATE_BIAS)
        self._add("gate", ".gate", gate, [])
        return gate

    def _projection(self) -> nn.Module | None:
        """Where shapes differ: 1×1, without bias, keeping the variance whatever the group's ``init``."""
        if self.signal == self.output:
            return None
        projection = self._weights(self.size, 1, self.stride, bias=False)
        self.start.weight(projection.weight, "lecun", 1.0)
        self._add("shortcut", ".shortcut", projection, [])
        return projection

    def _weights(
        self, size: int, kernel: int, stride: int, *, bias: bool = True, scale: float = 1.0
    ) -> Linear | Conv2d:
        width = self.group.width
        if self.group.block != "conv":
            return make_linear(size, width, bias=bias, scale=scale)
        if scale == 1.0:
            return Conv2d(size, width, kernel, stride=stride, padding=kernel // 2, bias=bias)
        scaled = ScaledConv2d(size, width, kernel, stride=stride, padding=kernel // 2, bias=bias)
        scaled.scale = scale
        return scaled
