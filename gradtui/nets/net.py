"""The net: a path of modules, and its weight layers in forward order."""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn

from gradtui.nets.blocks import Block
from gradtui.nets.layer import Layer
from gradtui.nets.recurrent import Recurrent


class Net(nn.Module):
    """The net of an experiment; ``build`` makes it.

    Takes what ``data.load`` gives: images (batch, channels, height, width), points (batch, features),
    sequences (batch, steps, features) or tokens (batch, steps). Gives (batch, outputs), or (batch, steps,
    outputs) for tokens.
    """

    def __init__(self, parts: list[tuple[str, nn.Module]], layers: list[Layer]) -> None:
        super().__init__()
        self.layers = layers
        """Weight layers in forward order, as ``experiment.shapes.net_shape`` names them."""
        self.path: list[nn.Module] = []
        """What the input goes through. Plain blocks are unpacked: a call less for each."""
        self.frozen: list[nn.Module] = []
        """What stays in evaluation mode: the batch norms of layers that training leaves as they are."""
        for name, part in parts:
            self.add_module(name, part)
            self.path.extend(part.path if type(part) is Block else [part])

    def forward(self, x: Tensor) -> Tensor:
        for step in self.path:
            x = step(x)
        return x

    def freeze(self, layers: int) -> None:
        """From now on, batch norms of the first layers neither normalise by the batch nor learn from it."""
        fixed = {id(parameter) for layer in self.layers[:layers] for parameter in layer.parameters}
        norms = [module for module in self.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        self.frozen = [norm for norm in norms if id(norm.weight) in fixed]
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """As torch's, but for what is frozen."""
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self

    def record_hidden(self, on: bool) -> None:
        """Whether recurrent layers keep the hidden states of their last pass; off also lets go of those
        kept."""
        for layer in self._recurrent().values():
            layer.recording = on
            if not on:
                layer.states = []

    @property
    def hidden_states(self) -> dict[str, list[Tensor]]:
        """Of each recurrent layer, by name, the hidden states (batch, width) of the last recorded pass, one
        a step.

        They are parts of the graph: after ``state.retain_grad()`` and backward, ``state.grad`` is the total
        derivative of the loss, through all later steps and layers. Empty lists where none was recorded.
        """
        return {name: layer.states for name, layer in self._recurrent().items()}

    def _recurrent(self) -> dict[str, Recurrent]:
        return {layer.name: layer.module for layer in self.layers if isinstance(layer.module, Recurrent)}
