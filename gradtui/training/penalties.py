"""L1 and L2 as penalties in the loss, on weights and not on biases.

Unlike AdamW's decay they are part of the loss: their gradient is recorded, clipped, and goes through the
optimizer's rule like any other.
"""

from __future__ import annotations

from torch import Tensor, nn

from gradtui.experiment import Cures
from gradtui.probe.gradients import FlatGradients


def is_weight(parameter: nn.Parameter) -> bool:
    """Matrices and kernels; not biases, norms' scales and learned scalars."""
    return parameter.dim() > 1


class Penalties:
    """Adds to the gradients what the penalties l1 · Σ|w| and l2/2 · Σw² add."""

    def __init__(self, flat: FlatGradients) -> None:
        self._flat = flat
        self._mask: Tensor | None = None

    def add(self, cures: Cures) -> float | Tensor:
        """Add the gradients; returns the penalty's value () on the device, 0.0 where there is none."""
        if not cures.l1 and not cures.l2:
            return 0.0
        if self._mask is None:
            self._mask = self._flat.marked(is_weight)
        weights = self._flat.weights * self._mask
        value = weights.new_zeros(())
        if cures.l1:
            self._flat.gradients.add_(weights.sign(), alpha=cures.l1)
            value = value + cures.l1 * weights.abs().sum()
        if cures.l2:
            self._flat.gradients.add_(weights, alpha=cures.l2)
            value = value + 0.5 * cures.l2 * weights.square().sum()
        return value
