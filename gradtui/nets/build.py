"""From an experiment to its net."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import torch
from torch import nn

from gradtui.experiment.data_shapes import TOKEN_SOURCES
from gradtui.experiment.flow import RECURRENT
from gradtui.experiment.shapes import DataShape
from gradtui.experiment.spec import Experiment, Group
from gradtui.nets.activations import make_activation, make_norm
from gradtui.nets.attention import Positions, attention_block
from gradtui.nets.init import Start
from gradtui.nets.layer import Embedding, Layer, Linear
from gradtui.nets.net import Net
from gradtui.nets.recurrent import recurrent_block
from gradtui.nets.reshape import GlobalAverage, LastStep, Pixels, Rows
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
        closing = self._close(self.exp.net[-1])
        self._summarise()
        self._output(closing)
        return Net(self.parts, self.layers)

    def _read(self) -> None:
        """To what the first group reads: tokens embedded, an image as a sequence, or all numbers in a row."""
        first, sequence = self.exp.net[0], self.exp.data.sequence
        if self.tokens:
            self._embed(first.width)
        elif first.block == "dense":
            if len(self.signal) > 1:
                self._step("flatten", nn.Flatten(), (prod(self.signal),))
        elif first.block != "conv" and len(self.signal) == 3:
            channels, height, width = self.signal
            if sequence == "rows":
                self._step("rows", Rows(), (height, channels * width))
            else:
                self._step("pixels", Pixels(), (height * width, channels))

    def _step(self, name: str, module: nn.Module, signal: Shape) -> None:
        self.parts.append((name, module))
        self.signal = signal

    def _embed(self, width: int) -> None:
        """Standard normal vectors, as torch's, whatever the group's ``init``: an embedding has no fan-in."""
        embedding = Embedding(self.shape.outputs, width)
        with torch.no_grad():
            embedding.weight.normal_(0.0, 1.0, generator=self.start.generator)
        self._step("embedding", embedding, (self.signal[0], width))
        self.layers.append(
            Layer("embedding", "embedding", list(embedding.parameters()), embedding, None, "identity")
        )

    def _block(self, group: Group, stride: int) -> None:
        self.blocks += 1
        name = f"{group.block}{self.blocks}"
        block: nn.Module
        if group.block == "attention":
            block, layers = self._attention(group, name)
            output: Shape = self.signal
        elif group.block in RECURRENT:
            block, layers = recurrent_block(group, name, self.signal, self.start)
            output = (self.signal[0], group.width)
        else:
            output = _after(group, self.signal, stride)
            stack = Stack(group, name, self.signal, output, stride, self.start)
            block, layers = stack.block(), stack.layers
        self.layers += layers
        self._step(name, block, output)

    def _attention(self, group: Group, name: str) -> tuple[nn.Module, list[Layer]]:
        """The block, before it a projection to its width where it is given another, and before the first
        block the positions."""
        steps, size = self.signal
        if size != group.width:
            projection = Linear(size, group.width)
            self.start.weight(projection.weight, "lecun", 1.0)
            nn.init.zeros_(projection.bias)
            self._step(f"{name}_input", projection, (steps, group.width))
            parameters = list(projection.parameters())
            self.layers.append(Layer(f"{name}.input", "input", parameters, projection, None, "identity"))
        if not any(isinstance(part, Positions) for _, part in self.parts):
            self._step("positions", Positions(steps, group.width), self.signal)
        return attention_block(group, name, self.start, causal=self.tokens)

    def _summarise(self) -> None:
        """To what a dense layer reads: an image's channel means, a sequence's last step, or all steps of
        tokens."""
        if len(self.signal) == 3:
            self._step(f"average{self.blocks}", GlobalAverage(), self.signal[:1])
        elif len(self.signal) == 2 and not self.tokens:
            self._step(f"last{self.blocks}", LastStep(), self.signal[1:])

    def _close(self, last: Group) -> list[nn.Module]:
        """After a last group of order "pre" its norm and, of dense and conv, its activation: the sum of
        hundreds of branches is too large for the output layer to read (He et al. 2016, "Identity mappings";
        Xiong et al. 2020).
        """
        if last.order == "post":
            return []
        norm = make_norm(last.norm, last.width, len(self.signal))
        activation = make_activation(last.activation, last.slope) if last.block in ("dense", "conv") else None
        named = (("closing_norm", norm), ("closing_activation", activation))
        closing = [(name, module) for name, module in named if module is not None]
        self.parts += closing
        return [module for _, module in closing]

    def _output(self, closing: list[nn.Module]) -> None:
        """torch's default start, whatever the groups' ``init`` (of fixup: zeros), biases 0: He's would make the
        scores of a healthy net 2.4 times too large, and the first loss tell of nothing else. What closes the
        stack belongs to it."""
        last = self.exp.net[-1]
        output = Linear(self.signal[-1], self.shape.outputs)
        if last.init == "fixup":
            nn.init.zeros_(output.weight)
        else:
            self.start.weight(output.weight, "torch", 1.0, 0.0)
        nn.init.zeros_(output.bias)
        self._step("output", output, (*self.signal[:-1], self.shape.outputs))
        parameters = [p for module in (output, *closing) for p in module.parameters()]
        layer = Layer("output", "output", parameters, output, None, "identity")
        if closing and last.block in ("dense", "conv"):
            layer = replace(layer, activation=closing[-1], function=last.activation)
        self.layers.append(layer)


def _after(group: Group, signal: Shape, stride: int) -> Shape:
    if group.block == "conv":
        _, height, width = signal
        return group.width, -(-height // stride), -(-width // stride)
    return (*signal[:-1], group.width)
