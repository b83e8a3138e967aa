"""Clipping of the gradient: each number first, then the norm of all together."""

from __future__ import annotations

from torch import Tensor

from gradtui.experiment import Cures
from gradtui.probe.gradients import FlatGradients


def clip(flat: FlatGradients, total: float | Tensor, cures: Cures) -> float | Tensor:
    """Clip the gradients in place; `total` is their norm. Returns their norm afterwards, as little waited for.

    By norm as torch.nn.utils.clip_grad_norm_ (Pascanu, Mikolov, Bengio 2013), but with the norm taken wide
    and without the 1e-6 that torch adds to it: a norm of 1e25 is clipped rightly. As there, a norm that is
    infinite or NaN makes the gradients that were so NaN.
    """
    if cures.clip_value:
        flat.gradients.clamp_(-cures.clip_value, cures.clip_value)
        total = flat.total(flat.measure())
    if cures.clip_norm and isinstance(total, Tensor):
        shrink = (cures.clip_norm / total).clamp(max=1.0)
        flat.gradients.mul_(shrink)
        total = total * shrink
    elif cures.clip_norm and not total <= cures.clip_norm:
        # On the CPU the number is known, and a pass over all gradients that changes none is spared.
        flat.gradients.mul_(cures.clip_norm / total)
        total = total * (cures.clip_norm / total)
    return total
