"""The net: a path of modules, and its weight layers in forward order."""

from __future__ import annotations

from torch import Tensor, nn

from gradtui.nets.blocks import Block
from gradtui.nets.layer import Layer


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
        for name, part in parts:
            self.add_module(name, part)
            self.path.extend(part.path if type(part) is Block else [part])

    def forward(self, x: Tensor) -> Tensor:
        for step in self.path:
            x = step(x)
        return x
