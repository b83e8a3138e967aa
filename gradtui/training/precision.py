"""Half precision: forward and backward in bf16 or fp16, weights and optimizer in float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from gradtui.experiment import Run

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(run: Run, device: torch.device) -> AbstractContextManager[Any]:
    """Within it, the forward pass computes in the experiment's number format."""
    if run.precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, TYPES[run.precision])


class LossScale:
    """What the loss of fp16 is multiplied by, so that small gradients do not fall below 6e-8 and read 0.

    With `run.loss_scale` 0 it adapts as torch's GradScaler does by default (Micikevicius et al. 2018): it
    starts at 65,536; a step whose gradient is not finite is left out and halves it; 2,000 good steps double
    it. A fixed scale never leaves out a step.
    """

    START = 65536.0
    PATIENCE = 2000

    def __init__(self, run: Run) -> None:
        self.adapts = run.precision == "fp16" and run.loss_scale == 0
        fixed = run.loss_scale if run.precision == "fp16" else 1.0
        self.value = self.START if self.adapts else fixed
        self._good = 0

    def accept(self, finite: bool) -> bool:
        """Whether to take a step with such a gradient; adapts the scale of the next one."""
        if not self.adapts:
            return True
        if not finite:
            self.value, self._good = max(self.value / 2, 2.0**-126), 0
            return False
        self._good += 1
        if self._good == self.PATIENCE:
            self.value, self._good = min(self.value * 2, 2.0**126), 0
        return True

    def state(self) -> dict[str, float]:
        """What a checkpoint must hold."""
        return {"value": self.value, "good": self._good}

    def restore(self, state: dict[str, float]) -> None:
        """Go on where `state` was taken."""
        self.value, self._good = state["value"], int(state["good"])
