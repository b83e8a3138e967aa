"""The optimizers: torch's own rules, over all weights as one tensor.

All four move each weight by itself, so one tensor of all weights moves exactly like many tensors; and one
fused call takes the place of several calls for each of 2,000 parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gradtui.experiment import Optimizer

FUSED = ("cpu", "cuda", "mps")


def build(spec: Optimizer, weights: Tensor, gradients: Tensor) -> torch.optim.Optimizer:
    """torch's optimizer of that kind over one flat tensor of weights and the gradients beside it.

    Momentum is of sgd and rmsprop, decay of adamw; everything else is torch's default.
    """
    whole = nn.Parameter(weights)
    whole.grad = gradients
    fused = weights.device.type in FUSED
    match spec.kind:
        case "sgd":
            return torch.optim.SGD([whole], spec.lr, momentum=spec.momentum, fused=fused)
        case "adam":
            return torch.optim.Adam([whole], spec.lr, fused=fused)
        case "adamw":
            return torch.optim.AdamW([whole], spec.lr, weight_decay=spec.weight_decay, fused=fused)
        case "rmsprop":
            return torch.optim.RMSprop([whole], spec.lr, momentum=spec.momentum)


def set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """The learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def set_momentum(optimizer: torch.optim.Optimizer, momentum: float) -> None:
    """The momentum of the next step; of optimizers without one, nothing."""
    for group in optimizer.param_groups:
        if "momentum" not in group:
            continue
        group["momentum"] = momentum
        if isinstance(optimizer, torch.optim.RMSprop):
            # It makes this buffer at its first step or never, and a momentum set later would miss it.
            for p in group["params"]:
                if optimizer.state[p]:
                    optimizer.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
