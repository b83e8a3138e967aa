"""Find out whether weights were trained before they are watched: then the first loss is not that of guessing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

Weights = Literal["fresh", "trained"]

MANY_WRITES = 20
"""A parameter that was written to more often than this was trained in this process: its initialisation takes a few
writes, and every optimizer step is one write."""
MOST_MOVED = 0.5
"""Weights are trained if more than this share of the layers that can show it have moved."""
MOST_NUMBERS = 1 << 16
"""The most numbers of a parameter that is examined: biases and the parameters of norms are that small."""


def weights_of(models: Iterable[nn.Module], optimizers: Iterable[Optimizer]) -> Weights:
    """Return "trained" if there is any sign that the weights have been trained, else "fresh".

    The signs are: an optimizer with a state, also a loaded one; norms that have seen many batches; parameters that were
    written to many times; norms and biases with values that no usual initialisation gives; and a model of which less
    than half is trained now, as in transfer learning and with adapters, unless the frozen part looks fresh.
    """
    try:
        if any(_has_state(optimizer) for optimizer in optimizers):
            return "trained"
        trained = any(map(_was_trained, models))
    except (RuntimeError, NotImplementedError):
        # Sharded, quantised and other unusual tensors cannot always be asked.
        return "fresh"
    return "trained" if trained else "fresh"


def _has_state(optimizer: Optimizer) -> bool:
    """Return whether the optimizer has taken a step; some create their state, of zeros, beforehand."""
    return any(
        bool((_own(value) != 0).any()) if isinstance(value, Tensor) else bool(value)
        for state in optimizer.state.values()
        if isinstance(state, dict)
        for name, value in state.items()
        if name in ("step", "exp_avg", "momentum_buffer", "square_avg", "sum")
        if value is not None and not (name == "sum" and _is_constant(value))
    )


def _is_constant(value: object) -> bool:
    """Return whether all numbers of a tensor are equal, as in Adagrad's state at the start."""
    if not isinstance(value, Tensor):
        return False
    numbers = _own(value).flatten()
    return bool((numbers == numbers[:1]).all())


def _own(tensor: Tensor) -> Tensor:
    """Return the part of a tensor in this process, since reading a sharded tensor would involve all processes."""
    to_local = getattr(tensor, "to_local", None)
    return tensor if to_local is None else to_local()


def _was_trained(model: nn.Module) -> bool:
    batches = [buffer for name, buffer in model.named_buffers() if name.endswith("num_batches_tracked")]
    if any(int(count) > MANY_WRITES for count in batches):
        return True
    if _was_written(model) or _moved_share(model) > MOST_MOVED:
        return True
    # The share is NaN if no layer can show it; NaN is not equal to 0.
    return _mostly_frozen(model) and _moved_share(model, frozen_only=True) != 0


def _mostly_frozen(model: nn.Module) -> bool:
    counts = [(p.numel(), p.requires_grad) for p in model.parameters() if not is_lazy(p)]
    return 2 * sum(count for count, moves in counts if moves) < sum(count for count, _ in counts)


def _was_written(model: nn.Module) -> bool:
    versions = [p._version for p in model.parameters() if p.requires_grad and not is_lazy(p)]
    return 2 * sum(version > MANY_WRITES for version in versions) > len(versions)


@torch.no_grad()
def _moved_share(model: nn.Module, *, frozen_only: bool = False) -> float:
    """Return the share of layers with values that no usual initialisation gives; NaN if no layer can show that.

    A fresh norm's weights are all equal, and so are its biases. Fresh biases of other layers are all equal too, or are
    torch's default and within 1/sqrt(inputs).
    """
    signs = []
    for module in model.modules():
        # Not as attributes: a parametrised weight is computed anew at each access, and a spectral norm moves on by it.
        own = dict(module.named_parameters(recurse=False))
        weight, bias = own.get("weight"), own.get("bias")
        if not isinstance(weight, nn.Parameter) or is_lazy(weight) or not weight.is_floating_point():
            continue
        if frozen_only and weight.requires_grad:
            continue
        if weight.dim() == 1 and 1 < weight.numel() <= MOST_NUMBERS:
            signs.append(not _is_constant(weight) and (bias is None or not _is_constant(bias)))
        elif (
            isinstance(module, nn.Linear | _ConvNd) and bias is not None and 1 < bias.numel() <= MOST_NUMBERS
        ):
            bound = 1.01 * weight.shape[1:].numel() ** -0.5
            signs.append(not _is_constant(bias) and bool((_own(bias).abs() > bound).any()))
    return sum(signs) / len(signs) if signs else math.nan
