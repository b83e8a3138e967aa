"""Name what is compared. This module imports neither torch nor any of the libraries."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple


class Kind(NamedTuple):
    """A way to record the gradients of a training."""

    text: str
    needs: str = ""
    """The library that it needs beside torch."""


BARE = "bare"
KINDS = {
    BARE: Kind("nothing recorded"),
    "every-step": Kind("gradtui, every step"),
    "budget": Kind("gradtui, budget 1 %"),
    "item-loop": Kind("norm().item() of each parameter, into a list"),
    "wandb-norms": Kind("wandb offline, norms as scalars", "wandb"),
    "wandb-watch": Kind("wandb.watch offline, every step", "wandb"),
    "tensorboard-norms": Kind("TensorBoard, norms as scalars", "tensorboard"),
    "tensorboard-histograms": Kind("TensorBoard, histograms", "tensorboard"),
}
MODELS = {"mlp": "50 × 128", "transformer": "transformer", "residual": "1,000 × 64"}
"""The models by name, and their names in the table."""


def installed() -> list[str]:
    """Return the kinds whose library is installed."""
    return [name for name, kind in KINDS.items() if not kind.needs or find_spec(kind.needs)]


def missing() -> list[str]:
    """Return the libraries that are not installed."""
    return [
        needed
        for needed in dict.fromkeys(k.needs for k in KINDS.values())
        if needed and not find_spec(needed)
    ]
