"""The transformer block (Vaswani et al. 2017), its norm after (as published) or before (Xiong et al. 2020).

order "post": x ← norm(x + attention(x)), x ← norm(x + mlp(x)). order "pre": x ← x + attention(norm(x)), x ←
x + mlp(norm(x)); no norm closes the stack. Without a shortcut the additions are left out; with rezero both
branches are scaled by one learned number (Bachlechner et al. 2020).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradtui.experiment.spec import Group
from gradtui.nets.activations import make_activation, make_norm
from gradtui.nets.init import Start, negative_slope
from gradtui.nets.layer import Layer, Linear, make_linear

HIDDEN = 4
"""The hidden layer is so many times as wide as the model."""


class Attention(nn.Module):
    """Scaled dot-product attention of (batch, steps, 3 · width), queries, keys, values; (batch, steps,
    width)."""

    def __init__(self, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal

    def forward(self, qkv: Tensor) -> Tensor:
        batch, steps, wide = qkv.shape
        split = qkv.view(batch, steps, 3, self.heads, wide // 3 // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return mixed.transpose(1, 2).reshape(batch, steps, wide // 3)


class AttentionBlock(nn.Module):
    """Attention, then a hidden layer at each step: (batch, steps, width) to the same shape."""

    def __init__(self, group: Group, scale: float, causal: bool) -> None:
        super().__init__()
        width = group.width
        self.qkv = Linear(width, 3 * width)
        self.attention = Attention(group.heads, causal)
        self.out = make_linear(width, width, scale=scale)
        self.mlp1 = Linear(width, HIDDEN * width)
        self.activation = make_activation(group.activation, group.slope)
        self.mlp2 = make_linear(HIDDEN * width, width, scale=scale)
        self.norm1 = make_norm(group.norm, width, rank=2) or nn.Identity()
        self.norm2 = make_norm(group.norm, width, rank=2) or nn.Identity()
        self.alpha = nn.Parameter(torch.zeros(())) if group.shortcut == "rezero" else None
        self.post, self.around = group.order == "post", group.shortcut != "none"

    def forward(self, x: Tensor) -> Tensor:
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
    """Adds sines and cosines of the step's number, of wavelengths 2π to 10,000 · 2π (Vaswani et al. 2017)."""

    def __init__(self, steps: int, width: int) -> None:
        super().__init__()
        rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
        angle = torch.arange(steps)[:, None] * rate
        table = torch.stack([angle.sin(), angle.cos()], 2).flatten(1)[:, :width].contiguous()
        self.table: Tensor
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table


def attention_block(
    group: Group, name: str, start: Start, *, causal: bool
) -> tuple[AttentionBlock, list[Layer]]:
    """One block on sequences ``group.width`` wide, and its four layers. ``causal``: no step sees a later
    one."""
    block = AttentionBlock(group, start.scale(group, last=True), causal)
    norms = ("out", "mlp2") if group.order == "post" else ("qkv", "mlp1")
    owned = dict(zip(norms, (block.norm1, block.norm2), strict=True))
    layers: list[Layer] = []
    for suffix in ("qkv", "out", "mlp1", "mlp2"):
        weights: Linear = getattr(block, suffix)
        last = suffix in ("out", "mlp2")
        factor = start.factor(group, last=last, length=2)
        # Queries, keys and values are matrices of their own, each with its own fan-out.
        for matrix in weights.weight.chunk(3) if suffix == "qkv" else (weights.weight,):
            start.weight(matrix, group.init, factor, negative_slope(group))
        assert weights.bias is not None
        start.bias(weights.bias, group, start.scale(group, last=last))
        parameters = [*weights.parameters(), *(owned[suffix].parameters() if suffix in owned else ())]
        if suffix == "mlp1":
            parameters += block.activation.parameters()
            layer = Layer(
                f"{name}.mlp1", "attention", parameters, weights, block.activation, group.activation
            )
        else:
            layer = Layer(f"{name}.{suffix}", "attention", parameters, weights, None, "identity")
        layers.append(layer)
    if block.alpha is not None:
        layers[-1].parameters.append(block.alpha)
    return block, layers
