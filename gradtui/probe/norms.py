"""L2 norms that are right over the whole range of float32.

A float32 sum of squares reads 0 below about 1e-23 and infinity above 1e18, exactly where this tool must see.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

LEAST_SQUARE = 1.2e-38
"""A sum of n float32 squares of at least n times this is as exact as float32 is: the squares that fell below
the normal range were each rounded by 7e-46 at most, together by less than 1e-7 of the sum."""


def scaled_row_norms(rows: Tensor) -> Tensor:
    """L2 norms of a float32 matrix's rows in float32 alone: each row is divided by its largest size first."""
    largest = rows.abs().amax(dim=1, keepdim=True)
    usable = (largest > 0) & largest.isfinite()
    scale = torch.where(usable, largest, torch.ones_like(largest))
    norms: Tensor = torch.linalg.vector_norm(rows / scale, dim=1) * scale.squeeze(1)
    return norms


def tensor_norms(tensors: list[Tensor]) -> Tensor:
    """L2 norm (tensors,) of each tensor, accumulated in float64, on their device, without waiting for it.

    For gradients that are not views of a buffer of ours: one fused call over all of them, of any
    floating-point types. `fold_by_layer` makes norms of layers of them on the host.
    """
    if tensors[0].device.type == "mps":
        return torch.cat([scaled_row_norms(tensor.float().reshape(1, -1)) for tensor in tensors])
    return torch.stack(torch._foreach_norm(tensors, 2, dtype=torch.float64))


def fold_by_layer(norms: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """L2 norm (layers,) of layers that own the next `sizes` of the given norms each.

    A layer of no tensors is NaN: it has no gradient, which is not a gradient of zero.
    """
    counts = np.asarray(sizes, np.intp)
    squares = np.square(norms, dtype=np.float64)
    folded = np.full(len(counts), np.nan)
    some = counts > 0
    if some.any():
        starts = np.cumsum(counts) - counts
        folded[some] = np.sqrt(np.add.reduceat(squares, starts[some]))
    return folded


def wide_norms(tensors: list[Tensor]) -> np.ndarray:
    """L2 norm (tensors,) of each tensor in float64, on the host: waits for the device.

    On the CPU summed in float32, and again in float64 where that is out of range: that is three times as quick.
    """
    if {(tensor.is_cpu, tensor.dtype) for tensor in tensors} != {(True, torch.float32)}:
        return tensor_norms(tensors).cpu().numpy().astype(np.float64)
    norms = torch.stack(torch._foreach_norm(tensors)).double().numpy()
    doubtful = _doubtful(norms, np.array([tensor.numel() for tensor in tensors]))
    if len(doubtful):
        norms[doubtful] = tensor_norms([tensors[at] for at in doubtful]).numpy()
    return norms


def wide_row_norms(rows: Tensor) -> np.ndarray:
    """L2 norm (rows,) of each row of a float32 matrix in float64, on the host, as `wide_norms` of the rows."""
    if rows.device.type == "mps":
        return scaled_row_norms(rows).cpu().numpy().astype(np.float64)
    wide = None if rows.device.type == "cpu" else torch.float64
    norms: np.ndarray = torch.linalg.vector_norm(rows, dim=1, dtype=wide).cpu().double().numpy()
    if wide is None and len(doubtful := _doubtful(norms, rows.shape[1])):
        norms[doubtful] = torch.linalg.vector_norm(rows[doubtful], dim=1, dtype=torch.float64).numpy()
    return norms


def _doubtful(norms: np.ndarray, counts: np.ndarray | int) -> np.ndarray:
    """Which float32 norms of so many numbers are out of range or not finite."""
    return np.flatnonzero(~((np.square(norms) >= counts * LEAST_SQUARE) & (norms < np.inf)))
