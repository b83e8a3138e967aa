"""Build torch's optimizers over all weights as one tensor, and say how their learning rate and loss scale change.

All four optimizers update each weight independently, so one tensor of all weights gives the same result as many
tensors, and one fused call replaces several calls for each of 2,000 parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from gradtui.experiment import Optimizer, RunSettings
from gradtui.experiment.optimizers import OPTIMIZERS

FUSED_DEVICES = ("cpu", "cuda", "mps")


def build(spec: Optimizer, weights: Tensor, gradients: Tensor) -> torch.optim.Optimizer:
    """Return torch's optimizer of that kind over one flat tensor of weights and the gradients beside it.

    sgd and rmsprop use momentum, and adamw uses weight decay; everything else is torch's default.
    """
    whole = nn.Parameter(weights)
    whole.grad = gradients
    fused = weights.device.type in FUSED_DEVICES
    return FACTORIES[spec.kind]([whole], spec, fused)


Factory = Callable[[list[nn.Parameter], Optimizer, bool], torch.optim.Optimizer]
"""A function that makes an optimizer over weights, fused if its last argument is true."""

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
    """Set how a registered optimizer is made. Raises KeyError where the table has no such name."""
    FACTORIES[OPTIMIZERS[name].name] = factory


def set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def set_momentum(optimizer: torch.optim.Optimizer, momentum: float) -> None:
    """Set the momentum of the next step, for optimizers that have one."""
    for group in optimizer.param_groups:
        if "momentum" not in group:
            continue
        group["momentum"] = momentum
        if isinstance(optimizer, torch.optim.RMSprop):
            # The optimizer makes this buffer only at its first step, so a momentum that is set later would lack it.
            for p in group["params"]:
                if optimizer.state[p]:
                    optimizer.state[p].setdefault("momentum_buffer", torch.zeros_like(p))


def rate_factor(optimizer: Optimizer, step: int, steps: int) -> float:
    """Return the factor of the base learning rate at `step` (from 1) of `steps`.

    The warm-up rises linearly and reaches 1 at its last step. cosine falls, over the steps after the warm-up, from 1
    towards 0, which it would reach one step after the last (like torch's CosineAnnealingLR), because a step with the
    rate 0 would be wasted. step divides by 10 after half and again after three quarters of all steps.
    """
    warmup = optimizer.warmup_steps
    climbing = min(1.0, step / warmup) if warmup else 1.0
    if optimizer.schedule == "cosine":
        done = max(0, step - 1 - warmup) / max(1, steps - warmup)
        return climbing * 0.5 * (1 + math.cos(math.pi * done))
    if optimizer.schedule == "step":
        return climbing * (0.01 if 4 * step > 3 * steps else 0.1 if 2 * step > steps else 1.0)
    return climbing


class LossScale:
    """A LossScale is the factor of the loss in fp16, which keeps small gradients from becoming 0 below 6e-8.

    With `run.loss_scale` 0 it adapts like torch's GradScaler with its defaults (Micikevicius et al. 2018): it starts at
    65,536; a step whose gradient is not finite is skipped and halves it; 2,000 good steps double it. A fixed scale
    never skips a step.
    """

    START = 65536.0
    GROWTH_STEPS = 2000

    def __init__(self, run: RunSettings) -> None:
        self.adapts = run.precision == "fp16" and run.loss_scale == 0
        fixed = run.loss_scale if run.precision == "fp16" else 1.0
        self.value = self.START if self.adapts else fixed
        self._good = 0

    def accept(self, finite: bool) -> bool:
        """Return whether to take the step, and adapt the scale of the next one."""
        if not self.adapts:
            return True
        if not finite:
            self.value, self._good = max(self.value / 2, 2.0**-126), 0
            return False
        self._good += 1
        if self._good == self.GROWTH_STEPS:
            self.value, self._good = min(self.value * 2, 2.0**126), 0
        return True

    def state(self) -> dict[str, float]:
        """Return the state for a checkpoint."""
        return {"value": self.value, "good": self._good}

    def restore(self, state: dict[str, float]) -> None:
        """Restore a state that `state` returned."""
        self.value, self._good = state["value"], int(state["good"])
