"""Build blocks of layers with their shortcuts, and the views of the signal between groups of different kinds."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Steps = list[tuple[str, nn.Module]]
"""The modules in the order in which they are called, each with its name in the state dict."""


class Block(nn.Module):
    """A Block calls its modules one after another."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        for name, module in steps:
            self.add_module(name, module)
        self.path = [module for _, module in steps]
        """A list beside torch's registry, which is faster to iterate and leaves out gate and projection."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        for step in self.path:
            x = step(x)
        return x


class Shortcut(Block):
    """A Shortcut is a block with a path around it: the input itself, or a projection to another shape."""

    def __init__(self, steps: Steps, projection: nn.Module | None) -> None:
        super().__init__(steps)
        self.shortcut = projection

    def around(self, x: Tensor) -> Tensor:
        """Return the input in the shape of the block's output."""
        return x if self.shortcut is None else self.shortcut(x)


class Residual(Shortcut):
    """A Residual computes x + scale · F(x) (He et al. 2016), then the activation `after` where there is one."""

    def __init__(
        self, steps: Steps, projection: nn.Module | None, after: nn.Module | None = None, scale: float = 1.0
    ) -> None:
        super().__init__(steps, projection)
        self.after, self.scale = after, scale

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        branch = super().forward(x)
        if self.scale == 1.0:
            total = self.around(x) + branch
        else:
            total = torch.add(self.around(x), branch, alpha=self.scale)
        return total if self.after is None else self.after(total)


class ReZero(Shortcut):
    """A ReZero computes x + α·F(x) with a learned number α that starts at 0; F ends in its activation (Bachlechner et
    al. 2020)."""

    def __init__(self, steps: Steps, projection: nn.Module | None) -> None:
        super().__init__(steps, projection)
        self.alpha = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        return self.around(x) + self.alpha * super().forward(x)


class Highway(Shortcut):
    """A Highway computes t·F(x) + (1 − t)·x, t = sigmoid(gate(x)); F ends in its activation (Srivastava, Greff,
    Schmidhuber 2015)."""

    def __init__(self, steps: Steps, projection: nn.Module | None, gate: nn.Module) -> None:
        super().__init__(steps, projection)
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        around, branch, share = self.around(x), super().forward(x), torch.sigmoid(self.gate(x))
        # In half precision one of them may be in float32, like a norm's output, but lerp needs equal formats.
        wide = torch.promote_types(torch.promote_types(around.dtype, branch.dtype), share.dtype)
        return torch.lerp(around.to(wide), branch.to(wide), share.to(wide))


class Attention(nn.Module):
    """An Attention is scaled dot-product attention.

    It takes queries, keys and values as one tensor (batch, steps, 3 · width) to (batch, steps, width).
    """

    def __init__(self, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal

    def forward(self, qkv: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        batch, steps, wide = qkv.shape
        split = qkv.view(batch, steps, 3, self.heads, wide // 3 // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return mixed.transpose(1, 2).reshape(batch, steps, wide // 3)


class AttentionBlock(nn.Module):
    """An AttentionBlock is the transformer block (Vaswani et al. 2017): attention, then a hidden layer at each step.

    It takes (batch, steps, width) to the same shape. Its norm comes after the addition (order "post", as published) or
    before the branch (order "pre", Xiong et al. 2020). post: x ← norm(x + attention(x)), x ← norm(x + mlp(x)). pre: x ←
    x + attention(norm(x)), x ← x + mlp(norm(x)); no norm closes the stack. Without a shortcut the additions are left
    out; with rezero both branches are scaled by one learned number (Bachlechner et al. 2020).

    Args:
        modules: by name qkv, attention, out, mlp1, activation, mlp2 and, where the group normalises, norm1 and norm2.
    """

    def __init__(self, modules: dict[str, nn.Module], *, post: bool, shortcut: str) -> None:
        super().__init__()
        self.qkv, self.attention, self.out = modules["qkv"], modules["attention"], modules["out"]
        self.mlp1, self.activation, self.mlp2 = modules["mlp1"], modules["activation"], modules["mlp2"]
        self.norm1 = modules.get("norm1") or nn.Identity()
        self.norm2 = modules.get("norm2") or nn.Identity()
        self.alpha = nn.Parameter(torch.zeros(())) if shortcut == "rezero" else None
        self.post, self.around = post, shortcut != "none"

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        if self.post:
            x = self.norm1(self._join(x, self._attend(x)))
            normed: Tensor = self.norm2(self._join(x, self._hidden(x)))
            return normed
        x = self._join(x, self._attend(self.norm1(x)))
        return self._join(x, self._hidden(self.norm2(x)))

    def _attend(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.out(self.attention(self.qkv(x)))
        return mixed

    def _hidden(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.mlp2(self.activation(self.mlp1(x)))
        return hidden

    def _join(self, x: Tensor, branch: Tensor) -> Tensor:
        if not self.around:
            return branch
        return x + branch if self.alpha is None else x + self.alpha * branch


class Positions(nn.Module):
    """A Positions adds sines and cosines of the step's number, of wavelengths 2π to 10,000 · 2π (Vaswani et al.
    2017)."""

    def __init__(self, steps: int, width: int) -> None:
        super().__init__()
        rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
        angle = torch.arange(steps)[:, None] * rate
        table = torch.stack([angle.sin(), angle.cos()], 2).flatten(1)[:, :width].contiguous()
        self.table: Tensor
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        return x + self.table


class Rows(nn.Module):
    """A Rows reads an image (batch, channels, height, width) as (batch, height, channels · width)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        return x.transpose(1, 2).flatten(2)


class Pixels(nn.Module):
    """A Pixels reads an image (batch, channels, height, width) as (batch, height · width, channels), row by row."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        return x.flatten(2).transpose(1, 2)


class GlobalAverage(nn.Module):
    """A GlobalAverage takes the mean of each channel over the image: (batch, channels)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        return x.mean((2, 3))


class LastStep(nn.Module):
    """A LastStep takes the last step of a sequence: (batch, features)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        return x[:, -1]
