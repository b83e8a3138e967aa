"""Compute L2 norms of tensors of any kind that are right over the whole range of float32.

A float32 sum of squares is 0 for norms below about 1e-23 and infinite above 1e18, which is where vanishing and
exploding gradients lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

LEAST_SQUARE = 1.2e-38
"""A sum of n float32 squares is as exact as float32 allows if it is at least n times this: squares below the normal
range are each rounded by at most 7e-46, together by less than 1e-7 of the sum."""
SAFE_NORM = (LEAST_SQUARE * 2**40) ** 0.5
"""A norm of at least this size is exact for any tensor, since none has more than 2^40 numbers."""

FAST_MEAN_SQUARE = 1e-34
"""Of numbers whose mean square is this, few have squares below the normal range, with which the processor is slow."""
LARGEST_NORM = 1.8e19
"""The square of a larger one is infinite in float32."""

_PLAIN = {Tensor, nn.Parameter}
_kind = attrgetter("dtype", "layout", "is_cpu")
_USUAL = {(torch.float32, torch.strided, True)}
_WIDE = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def scaled_row_norms(rows: Tensor) -> Tensor:
    """Return L2 norms of a float32 matrix's rows without float64, by dividing each row by its largest size first."""
    largest = rows.abs().amax(dim=1, keepdim=True)
    usable = (largest > 0) & largest.isfinite()
    scale = torch.where(usable, largest, torch.ones_like(largest))
    norms: Tensor = torch.linalg.vector_norm(rows / scale, dim=1) * scale.squeeze(1)
    return norms


def tensor_norms(tensors: list[Tensor]) -> Tensor:
    """Return the L2 norm (tensors,) of each tensor, accumulated in float64, on their device, without waiting for it.

    It is for gradients that are not views of one buffer, of any floating-point types, and makes one fused call.
    """
    if tensors[0].device.type == "mps":
        return torch.cat([scaled_row_norms(tensor.float().reshape(1, -1)) for tensor in tensors])
    return torch.stack(torch._foreach_norm(tensors, 2, dtype=torch.float64))


def wide_norms(tensors: list[Tensor]) -> np.ndarray:
    """Return the L2 norm (tensors,) of each tensor in float64, on the host. It waits for the device.

    On the CPU it sums in float32, and again in float64 where float32 is out of range, which is three times as fast.
    """
    if {(tensor.is_cpu, tensor.dtype) for tensor in tensors} != {(True, torch.float32)}:
        return tensor_norms(tensors).cpu().numpy().astype(np.float64)
    return host_norms(tensors)


def host_norms(tensors: list[Tensor], wide: set[int] | None = None) -> np.ndarray:
    """Return the `wide_norms` of float32 tensors on the CPU, as fast as possible, because a watched script waits.

    `wide` holds the places of tensors to sum in float64 at once, and is changed to those for which that is best next
    time. Squares of vanishing gradients are so small that the processor takes ten times as long for them in float32,
    and then they must be summed again.
    """
    # One by one, in Python: between two steps nothing is in the processor's caches, and to stack the norms and to look
    # at the stack takes several times as long.
    if not wide:
        found = [norm.item() for norm in torch._foreach_norm(tensors)]
        doubtful = _doubtful(tensors, found, LEAST_SQUARE)
    else:
        places = [at for at in range(len(tensors)) if at not in wide]
        narrow = [tensors[at] for at in places]
        sums = [norm.item() for norm in torch._foreach_norm(narrow)] if narrow else []
        doubtful = [places[at] for at in _doubtful(narrow, sums, LEAST_SQUARE)]
        doubtful += [at for at in wide if at < len(tensors)]
        found = [0.0] * len(tensors)
        for at, norm in zip(places, sums, strict=True):
            found[at] = norm
    if doubtful:
        again = torch._foreach_norm([tensors[at] for at in doubtful], 2, dtype=torch.float64)
        for at, one in zip(doubtful, again, strict=True):
            found[at] = one.item()
    if wide is not None:
        wide.clear()
        wide.update(_doubtful(tensors, found, FAST_MEAN_SQUARE))
    return np.array(found, np.float64)


def _doubtful(tensors: list[Tensor], norms: list[float], least_square: float) -> list[int]:
    """Return the places of norms that are too large for float32, or whose mean square is below the least one."""
    return [
        at
        for at, norm in enumerate(norms)
        if not (SAFE_NORM <= norm < LARGEST_NORM or _in_range(norm, tensors[at].numel(), least_square))
    ]


def wide_row_norms(rows: Tensor) -> np.ndarray:
    """Return the L2 norm (rows,) of each row of a float32 matrix in float64, on the host, as `wide_norms` does."""
    if rows.device.type == "mps":
        return scaled_row_norms(rows).cpu().numpy().astype(np.float64)
    wide = None if rows.device.type == "cpu" else torch.float64
    norms: np.ndarray = torch.linalg.vector_norm(rows, dim=1, dtype=wide).cpu().double().numpy()
    if wide is None and len(doubtful := np.flatnonzero(~_in_range(norms, rows.shape[1]))):
        norms[doubtful] = torch.linalg.vector_norm(rows[doubtful], dim=1, dtype=torch.float64).numpy()
    return norms


def _in_range(norm: Any, count: int, least_square: float = LEAST_SQUARE) -> Any:
    """Return whether the float32 norm of `count` numbers is exact and finite, for a float or an array of norms."""
    return (norm * norm >= count * least_square) & (norm < LARGEST_NORM)


def dense(gradient: Tensor) -> Tensor:
    """Return the numbers of a gradient as a dense real tensor of a type that has norms.

    Call it without gradients being recorded. A sparse gradient gives its values with duplicates added up, which on CUDA
    waits for the device; a complex one gives real and imaginary parts; a sharded one (DTensor) this process's shard.
    """
    if type(gradient) in _PLAIN and gradient.layout is torch.strided and gradient.dtype in _WIDE:
        return gradient
    to_local = getattr(gradient, "to_local", None)
    if to_local is not None:
        gradient = to_local()
    if gradient.is_sparse:
        gradient = gradient.coalesce().values()
    elif gradient.layout != torch.strided:
        gradient = gradient.values()
    if gradient.is_complex():
        gradient = torch.view_as_real(gradient.resolve_conj())
    return gradient if gradient.dtype in _WIDE else gradient.float()


def gradient_norms(gradients: Sequence[Tensor], wide: set[int] | None = None) -> np.ndarray | Tensor:
    """Return the L2 norm (gradients,) of each, in float64, without waiting for a device.

    The result is on the host if all gradients are on the CPU, else on the device of the first that is not. `wide` is
    the same as in `host_norms`; a caller keeps it from one call to the next.
    """
    if not gradients:
        return np.zeros(0)
    with torch.no_grad():
        # Both checks run in C, because a Python loop over a hundred tensors takes as long as the norms themselves.
        if _PLAIN.issuperset(map(type, gradients)) and set(map(_kind, gradients)) == _USUAL:
            return host_norms(list(gradients), wide)
        return _norms(gradients)


def _norms(gradients: Sequence[Tensor]) -> np.ndarray | Tensor:
    ready = [dense(gradient) for gradient in gradients]
    devices = {tensor.device for tensor in ready}
    if devices == {torch.device("cpu")}:
        return wide_norms(ready)
    if len(devices) == 1:
        return tensor_norms(ready)
    first = next(tensor.device for tensor in ready if tensor.device.type != "cpu")
    norms = torch.zeros(len(ready), dtype=torch.float64, device=first)
    for device in devices:
        places = [place for place, tensor in enumerate(ready) if tensor.device == device]
        part = tensor_norms([ready[place] for place in places])
        index = torch.tensor(places).to(first, non_blocking=True)
        norms[index] = part.to(first, non_blocking=True)
    return norms
