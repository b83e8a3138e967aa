"""The learning rate over the steps: warm-up, then a schedule, both as a factor of the base rate."""

from __future__ import annotations

import math

from gradtui.experiment import Optimizer


def factor(optimizer: Optimizer, step: int, steps: int) -> float:
    """What the base rate is multiplied by at `step` (from 1) of `steps`.

    Warm-up climbs linearly and reaches 1 at its last step. cosine falls, over the steps after the warm-up,
    from 1 towards 0, which it would reach one step after the last (as torch's CosineAnnealingLR; a last
    step of rate 0 would be none). step divides by 10 after half and again after three quarters of all
    steps.
    """
    warmup = optimizer.warmup_steps
    climbing = min(1.0, step / warmup) if warmup else 1.0
    if optimizer.schedule == "cosine":
        done = max(0, step - 1 - warmup) / max(1, steps - warmup)
        return climbing * 0.5 * (1 + math.cos(math.pi * done))
    if optimizer.schedule == "step":
        return climbing * (0.01 if 4 * step > 3 * steps else 0.1 if 2 * step > steps else 1.0)
    return climbing
