"""The optimizers: torch's own rules, over all weights as one tensor.

All four move each weight by itself, so one tensor of all weights moves exactly like many tensors; and one
fused call takes the place of several calls for each of 2,000 parameters.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gradtui.experiment import Optimizer
from gradtui.experiment.optimizers import OPTIMIZERS

FUSED = ("cpu", "cuda", "mps")


def build(spec: Optimizer, weights: Tensor, gradients: Tensor) -> torch.optim.Optimizer:
    """torch's optimizer of that kind over one flat tensor of weights and the gradients beside it.

    Momentum is of sgd and rmsprop, decay of adamw; everything else is torch's default.
    """
    whole = nn.Parameter(weights)
    whole.grad = gradients
    fused = weights.device.type in FUSED
    return FACTORIES[spec.kind]([whole], spec, fused)


Factory = Callable[[list[nn.Parameter], Optimizer, bool], torch.optim.Optimizer]
"""Makes an optimizer over these weights, fused where the last argument says that the device can."""

FACTORIES: dict[str, Factory] = {
    "sgd": lambda weights, spec, fused: torch.optim.SGD(
        weights, spec.lr, momentum=spec.momentum, fused=fused
    ),
    "adam": lambda weights, spec, fused: torch.optim.Adam(weights, spec.lr, fused=fused),
    "adamw": lambda weights, spec, fused: torch.optim.AdamW(
        weights, spec.lr, weight_decay=spec.weight_decay, fused=fused
    ),
    "rmsprop": lambda weights, spec, _: torch.optim.RMSprop(weights, spec.lr, momentum=spec.momentum),
}


def register(name: str, factory: Factory) -> None:
    """Say how a registered optimizer is made. Raises KeyError where the table has no such name."""
    FACTORIES[OPTIMIZERS[name].name] = factory


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
