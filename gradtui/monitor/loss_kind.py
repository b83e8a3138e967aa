"""Find out from the graph behind a loss whether 0 is its least value, and what the losses of guessing and of the best
constant answer are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

ERRORS = frozenset(
    {
        "MseLossBackward0",
        "SmoothL1LossBackward0",
        "HuberLossBackward0",
        "BinaryCrossEntropyBackward0",
        "BinaryCrossEntropyWithLogitsBackward0",
        "AbsBackward0",
    }
)
"""The operations whose result is an error that cannot fall below 0."""
CLASS_ERRORS = frozenset({"NllLossBackward0", "NllLoss2DBackward0"})
MEAN_OF_BATCH = 1
"""The number that torch gives to the reduction "mean"."""
MOST_TARGETS = 2**16
"""Targets of a batch that are looked at, at most: more would cost more than the rest of a step's record."""
FEWEST_OF_A_CLASS = 10
"""Examples for each class that occurs, on average: with fewer, their shares say less than the true ones."""
MOST_FACTORS = 8
"""The most means and constant factors between the root and the operation."""


@dataclass(frozen=True)
class KnownLoss:
    """A KnownLoss holds what is known of a loss from its graph."""

    kind: Literal["", "bounded", "free"] = ""
    """The kind of the loss, as in `diagnosis.evidence.Evidence.loss_kind`."""
    chance: float = math.nan
    """The loss of guessing, with the constant factors of the root; NaN where it is not known."""
    constant: Tensor | None = None
    """The least loss that answers reach which are the same for all examples: of a squared error the variance of the
    targets, of a class the entropy of their shares. On a device it was not waited for; None where it is not known."""
    examples: int = 0
    """Examples from which that was taken."""


def known_loss(root: Tensor) -> KnownLoss:
    """Return what the graph behind a root says; to be called before the backward pass, which frees it.

    It looks through means, and through factors that are numbers on the host. Where anything else stands between, and
    for sums of several losses, nothing is known.
    """
    node, factor = root.grad_fn, 1.0
    for _ in range(MOST_FACTORS):
        name = type(node).__name__
        if name == "MeanBackward0":
            pass
        elif name in ("MulBackward0", "DivBackward0"):
            constant = _constant(node, first_only=name == "DivBackward0")
            if constant is None or constant == 0:
                return KnownLoss()
            factor = factor / constant if name == "DivBackward0" else factor * constant
        else:
            break
        node = next((following for following, _ in node.next_functions if following is not None), None)  # type: ignore[union-attr]
    return _known(node, factor)


def _known(node: Any, factor: float) -> KnownLoss:
    name = type(node).__name__
    even_power = name == "PowBackward0" and _saved(node, "_saved_exponent") == 2
    if name not in ERRORS | CLASS_ERRORS and not even_power:
        return KnownLoss()
    if name in CLASS_ERRORS and type(node.next_functions[0][0]).__name__ != "LogSoftmaxBackward0":
        # The operation's input may be anything.
        return KnownLoss()
    if factor < 0:
        return KnownLoss("free")
    if _saved(node, "_saved_reduction") != MEAN_OF_BATCH:
        return KnownLoss("bounded")
    constant, examples = _constant_answer(node, name)
    best = None if constant is None else constant * factor
    if name not in CLASS_ERRORS:
        return KnownLoss("bounded", constant=best, examples=examples)
    # The saved tensor is not used: in a checkpoint, unpacking it would run the forward pass again.
    shape = node.next_functions[0][0]._input_metadata[0].shape
    classes = shape[1] if len(shape) > 1 else shape[0]
    return KnownLoss("bounded", factor * math.log(classes) if classes > 1 else math.nan, best, examples)


def _constant_answer(node: Any, name: str) -> tuple[Tensor | None, int]:
    """Return the loss of the best constant answer to this batch and the number of its examples; None where the targets
    are too few or too many, have weights, or are not at hand."""
    target = getattr(getattr(node, "_raw_saved_target", None), "data", None)
    # Anything but a plain tensor (one that is spread over processes, a wrapper) may do more than count.
    if type(target) is not Tensor or target.is_complex() or _has_weights(node):
        return None, 0
    target = target.detach()
    if not 1 < target.numel() <= MOST_TARGETS or target.ndim == 0 or len(target) < 2:
        return None, 0
    if name == "MseLossBackward0":
        return target.float().var(0).mean(), len(target)
    if name not in CLASS_ERRORS or target.device.type != "cpu":
        # To count classes would wait for a device.
        return None, 0
    counts = torch.unique(target[target >= 0], return_counts=True)[1].double()
    examples = int(counts.sum())
    if examples < FEWEST_OF_A_CLASS * max(1, len(counts)):
        return None, 0
    shares = counts / examples
    # Shares of few examples have too little entropy, by this much (Miller and Madow 1955).
    return -(shares * shares.log()).sum() + (len(counts) - 1) / (2 * examples), examples


def _constant(node: Any, *, first_only: bool) -> float | None:
    """Return the other operand of a product, or the divisor; None if it has a gradient or is no number on the host."""
    following = [one for one, _ in node.next_functions]
    if sum(one is not None for one in following) != 1 or (first_only and following[0] is None):
        return None
    value = _saved(node, "_saved_other" if following[0] is not None else "_saved_self")
    if not isinstance(value, Tensor):
        return float(value) if isinstance(value, int | float) else None
    return float(value.item()) if value.device.type == "cpu" and value.numel() == 1 else None


def _saved(node: Any, name: str) -> Any:
    try:
        return getattr(node, name, None)
    except RuntimeError:
        return None


def _has_weights(node: Any) -> bool:
    """Whether examples or classes count differently; a saved tensor that was None unpacks to nothing."""
    return isinstance(getattr(getattr(node, "_raw_saved_weight", None), "data", None), Tensor)
