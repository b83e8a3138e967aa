"""The hidden layers of a plain net, each with what follows its weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gradtui.nets import Net

CHUNK = 4096
"""Examples at a time where a whole training set goes through a layer."""


@dataclass(frozen=True)
class HiddenLayer:
    """A weight layer with its norm and activation: everything up to the next layer's weights."""

    name: str
    weights: nn.Linear
    after: list[nn.Module]
    parameters: list[nn.Parameter]
    """Of the weights and of what follows them."""

    def __call__(self, x: Tensor) -> Tensor:
        """Inputs (batch, features) to outputs (batch, width)."""
        x = self.weights(x)
        for module in self.after:
            x = module(x)
        return x

    def train(self, mode: bool) -> None:
        """Whether batch norm normalises by the batch at hand (and learns from it), or by what it has learned."""
        for module in self.after:
            module.train(mode)


def hidden_layers(net: Net) -> tuple[list[nn.Module], list[HiddenLayer]]:
    """What stands before the first layer of a net of dense layers without shortcuts, and its hidden layers."""
    of_weights = {id(layer.module): layer for layer in net.layers}
    before: list[nn.Module] = []
    layers: list[HiddenLayer] = []
    for module in net.path:
        layer = of_weights.get(id(module))
        if layer is not None:
            assert isinstance(module, nn.Linear)
            layers.append(HiddenLayer(layer.name, module, [], layer.parameters))
        elif layers:
            layers[-1].after.append(module)
        else:
            before.append(module)
    return before, layers[:-1]


def through(modules: list[nn.Module] | list[HiddenLayer], examples: Tensor) -> Tensor:
    """All examples (examples, …) through some modules, a part at a time, without a graph."""
    with torch.no_grad():
        parts = []
        for part in torch.split(examples, CHUNK):
            for module in modules:
                part = module(part)
            parts.append(part)
        return torch.cat(parts)
