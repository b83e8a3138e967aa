"""The gradient scaler (AMP) that calls an optimizer, found where it stands: in the stack of calls above."""

from __future__ import annotations

import sys
import weakref
from typing import Any

import torch
from torch import Tensor

LEVELS = 12
"""Frames looked through: the scaler's own two, and what schedulers and wrappers put between."""


class Scaler:
    """What is known of the scaler of one optimizer, without the script having to name it."""

    def __init__(self) -> None:
        self._found: weakref.ref[Any] | None = None

    @property
    def known(self) -> bool:
        """Whether one has been seen at work."""
        return self._found is not None and self._found() is not None

    def look(self) -> None:
        """To be called from within `optimizer.step()`: see whether a scaler called it."""
        if self._found is not None:
            return
        frame = sys._getframe(1)
        for _ in range(LEVELS):
            if frame.f_back is None:
                return
            frame = frame.f_back
            if frame.f_code.co_name in ("_maybe_opt_step", "step"):
                caller = frame.f_locals.get("self")
                if isinstance(caller, torch.amp.GradScaler):
                    self._found = weakref.ref(caller)
                    return

    def factor(self) -> Tensor | None:
        """What the loss was multiplied by, (), on its device; None without a scaler. Valid until its update."""
        scaler = None if self._found is None else self._found()
        scale = getattr(scaler, "_scale", None) if scaler is not None and scaler.is_enabled() else None
        # The scaler changes it in place.
        return scale.detach().clone() if isinstance(scale, Tensor) else None
