"""From an experiment to its net."""

from __future__ import annotations

from math import prod

import torch
from torch import nn

from gradtui.experiment.data_shapes import TOKEN_SOURCES
from gradtui.experiment.shapes import DataShape
from gradtui.experiment.spec import Experiment, Group
from gradtui.nets.init import Start, negative_slope
from gradtui.nets.layer import Layer, Linear
from gradtui.nets.net import Net
from gradtui.nets.reshape import GlobalAverage, LastStep
from gradtui.nets.stack import Shape, Stack


def build(exp: Experiment, shape: DataShape, *, generator_seed: int) -> Net:
    """The net of a valid experiment for examples of ``shape``, float32 on the CPU.

    The weights follow ``generator_seed`` alone; torch's global generator is neither read nor moved.
    """
    generator = torch.Generator().manual_seed(generator_seed)
    return _Builder(exp, shape, Start(exp, generator)).net()


class _Builder:
    """Walks the groups and keeps the shape of one example's signal, as ``experiment.shapes.net_shape``
    does."""

    def __init__(self, exp: Experiment, shape: DataShape, start: Start) -> None:
        self.exp, self.shape, self.start = exp, shape, start
        self.tokens = exp.data.source in TOKEN_SOURCES
        self.parts: list[tuple[str, nn.Module]] = []
        self.layers: list[Layer] = []
        self.signal: Shape = shape.input
        self.blocks = 0

    def net(self) -> Net:
        self._read()
        for number, group in enumerate(self.exp.net):
            if group.block == "dense" and number > 0:
                self._summarise()
            for repeat in range(group.repeat):
                self._block(group, group.stride if repeat == 0 else 1)
        self._summarise()
        self._output()
        return Net(self.parts, self.layers)

    def _read(self) -> None:
        if self.exp.net[0].block == "dense" and len(self.signal) > 1:
            self.parts.append(("flatten", nn.Flatten()))
            self.signal = (prod(self.signal),)

    def _block(self, group: Group, stride: int) -> None:
        self.blocks += 1
        name = f"{group.block}{self.blocks}"
        output = _after(group, self.signal, stride)
        stack = Stack(group, name, self.signal, output, stride, self.start)
        self.parts.append((name, stack.block()))
        self.layers += stack.layers
        self.signal = output

    def _summarise(self) -> None:
        """To what a dense layer reads: an image's channel means, a sequence's last step, or all steps of
        tokens."""
        if len(self.signal) == 3:
            self.parts.append((f"average{self.blocks}", GlobalAverage()))
            self.signal = self.signal[:1]
        elif len(self.signal) == 2 and not self.tokens:
            self.parts.append((f"last{self.blocks}", LastStep()))
            self.signal = self.signal[1:]

    def _output(self) -> None:
        """The last group's ``init`` with gain 1 (fixup: zeros), biases 0."""
        last = self.exp.net[-1]
        output = Linear(self.signal[-1], self.shape.outputs)
        gain = 0.0 if last.init == "fixup" else 1.0
        self.start.weight(output.weight, last.init, gain, negative_slope(last))
        nn.init.zeros_(output.bias)
        self.parts.append(("output", output))
        self.layers.append(Layer("output", "output", list(output.parameters()), output, None, "identity"))


def _after(group: Group, signal: Shape, stride: int) -> Shape:
    if group.block == "conv":
        _, height, width = signal
        return group.width, -(-height // stride), -(-width // stride)
    return (*signal[:-1], group.width)
