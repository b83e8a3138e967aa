"""Blocks: a path of weight layers, alone or with a shortcut around it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

Steps = list[tuple[str, nn.Module]]
"""Modules in the order in which they are called, each with its name in the state dict."""


class Block(nn.Module):
    """A plain block: its modules one after another."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        for name, module in steps:
            self.add_module(name, module)
        self.path = [module for _, module in steps]
        """A list beside torch's own registry: quicker to walk, and gate and projection are not on it."""

    def forward(self, x: Tensor) -> Tensor:
        for step in self.path:
            x = step(x)
        return x


class Shortcut(Block):
    """A block with a path around it, which is the input itself or a projection to another shape."""

    def __init__(self, steps: Steps, projection: nn.Module | None) -> None:
        super().__init__(steps)
        self.shortcut = projection

    def around(self, x: Tensor) -> Tensor:
        """The input in the shape of the block's output."""
        return x if self.shortcut is None else self.shortcut(x)


class Residual(Shortcut):
    """x + F(x) (He et al. 2016), then the last activation where order is "post"."""

    def __init__(self, steps: Steps, projection: nn.Module | None, after: nn.Module | None = None) -> None:
        super().__init__(steps, projection)
        self.after = after

    def forward(self, x: Tensor) -> Tensor:
        total = self.around(x) + super().forward(x)
        return total if self.after is None else self.after(total)


class ScaledResidual(Residual):
    """x + scale · F(x)."""

    def __init__(self, steps: Steps, projection: nn.Module | None, scale: float) -> None:
        super().__init__(steps, projection)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(self.around(x), Block.forward(self, x), alpha=self.scale)


class ReZero(Shortcut):
    """x + α·F(x) with a learned number α that starts at 0; F ends in its activation (Bachlechner et al.
    2020)."""

    def __init__(self, steps: Steps, projection: nn.Module | None) -> None:
        super().__init__(steps, projection)
        self.alpha = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.around(x) + self.alpha * super().forward(x)


class Highway(Shortcut):
    """t·F(x) + (1 − t)·x, t = sigmoid(gate(x)); F ends in its activation (Srivastava, Greff, Schmidhuber
    2015)."""

    def __init__(self, steps: Steps, projection: nn.Module | None, gate: nn.Module) -> None:
        super().__init__(steps, projection)
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        return torch.lerp(self.around(x), super().forward(x), torch.sigmoid(self.gate(x)))
