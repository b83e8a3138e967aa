"""Clipping of the gradient: each number first, then the norm of all together."""

from __future__ import annotations

from torch import Tensor

from gradtui.experiment import Cures
from gradtui.probe.gradients import FlatGradients


def clip(flat: FlatGradients, total: Tensor, cures: Cures) -> Tensor:
    """Clip the gradients in place; `total` () is their norm. Returns the norm () afterwards, on the device.

    By norm as torch.nn.utils.clip_grad_norm_ (Pascanu, Mikolov, Bengio 2013), but with the norm taken wide
    and without the 1e-6 that torch adds to it: so a norm of 1e25 is clipped rightly, and a NaN stays a NaN.
    """
    if cures.clip_value:
        flat.gradients.clamp_(-cures.clip_value, cures.clip_value)
        total = flat.total(flat.measure(flat.gradients))
    if cures.clip_norm:
        shrink = (cures.clip_norm / total).clamp(max=1.0)
        # Looking at the number costs nothing on the CPU and a wait elsewhere; multiplying by 1 costs a pass.
        if shrink.device.type != "cpu" or shrink.item() != 1.0:
            flat.gradients.mul_(shrink)
            total = total * shrink
    return total
