"""The gradient norm of every layer, from one flat buffer, right over the whole range of float32.

The weights and the gradients of a net of ours become views of two flat buffers in which the layers stand one
after another, each padded with zeros to whole rows of a common length. The norms of all rows are then *one*
reduction, whatever the layers' shapes, and the optimizer may move all weights as *one* tensor.

Sums in float32 are trusted only where norms.py says that they may be; layers outside that range are summed
again in float64. A device that answers late (CUDA) accumulates in float64 at once: looking at a value would
wait for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gradtui.probe.norms import LEAST_SQUARE, scaled_row_norms

ALIGNMENT = 16
"""Parameters start at multiples of this many numbers (64 bytes), as freshly allocated tensors do."""
ROW_LENGTHS = (1024, 512, 256, 128, 64)
"""Tried from the longest; the first whose padding is under 5 % is taken."""
BLOCK = 65_536
"""Numbers converted to float64 at a time: the copy stays in the processor's cache, however large a layer."""


class Norms(NamedTuple):
    """L2 norms of a buffer, as they were measured; `FlatGradients.fold` makes norms of layers of them."""

    values: np.ndarray | Tensor
    """Of rows or layers; on the host from the CPU, else on their device."""
    folded: bool
    """Whether they are the layers'."""


class FlatGradients:
    """The parameters of a net and their gradients as two flat buffers, layers one after another.

    `layers` names the parameters of each layer in forward order. A parameter that occurs twice belongs to the
    first layer that names it. From here on each `parameter.data` and `parameter.grad` is a view of a buffer:
    clear gradients with `zero_()`, never by setting them to None.

    Raises ValueError when the parameters are not all float32 on one device.
    """

    def __init__(self, layers: Sequence[Sequence[nn.Parameter]]) -> None:
        owned = _first_owners(layers)
        kinds = {(p.dtype, p.device) for layer in owned for p in layer}
        if len(kinds) > 1 or any(dtype != torch.float32 for dtype, _ in kinds):
            raise ValueError(
                f"flat gradients need float32 parameters on one device, not {sorted(map(str, kinds))}"
            )
        device = next(iter(kinds))[1] if kinds else torch.device("cpu")
        sizes = [sum(_aligned(p.numel()) for p in layer) for layer in owned]
        self.row_length = _row_length(sizes)
        rows = np.array([max(1, -(-size // self.row_length)) for size in sizes], dtype=np.intp)
        ends = np.cumsum(rows, dtype=np.intp)
        self.rows = ends - rows
        """First row of each layer."""
        self.counts = np.array([sum(p.numel() for p in layer) for layer in owned])
        """Parameters of each layer."""
        self.ends = ends
        total = int(ends[-1]) * self.row_length if owned else 0
        self.weights = torch.zeros(total, device=device)
        self.gradients = torch.zeros(total, device=device)
        self.parameters = [p for layer in owned for p in layer]
        self._views: list[Tensor] = []
        for first, layer in zip(self.rows, owned, strict=True):
            offset = int(first) * self.row_length
            for p in layer:
                here = slice(offset, offset + p.numel())
                self.weights[here].view(p.shape).copy_(p.data)
                p.data = self.weights[here].view(p.shape)
                self._views.append(self.gradients[here].view(p.shape))
                offset += _aligned(p.numel())
        self._least = float(self.counts.max(initial=0)) * LEAST_SQUARE
        self._least_row = math.sqrt(self.row_length * LEAST_SQUARE)
        self._gradient_rows = self.gradients.view(-1, self.row_length)
        self.attach()

    def attach(self) -> None:
        """Make every `parameter.grad` the view of the buffer again."""
        for p, view in zip(self.parameters, self._views, strict=True):
            p.grad = view

    def zero_(self) -> None:
        """Clear all gradients."""
        self.gradients.zero_()

    def start_of(self, layer: int) -> int:
        """Offset in the buffers at which `layer` begins; that of the layer after the last is their length."""
        return (int(self.rows[layer]) if layer < len(self.rows) else int(self.ends[-1])) * self.row_length

    def marked(self, chosen: Callable[[nn.Parameter], bool]) -> Tensor:
        """A buffer laid out like ours with 1 where a chosen parameter lies and 0 elsewhere."""
        marks = torch.zeros_like(self.weights)
        for p in self.parameters:
            if chosen(p):
                marks[p.storage_offset() : p.storage_offset() + p.numel()] = 1.0
        return marks

    def measure(self, flat: Tensor | None = None) -> Norms:
        """Norms of the gradients, or of another buffer laid out alike, without waiting for a device.

        Does as little as it can: what need not see the gradients themselves is left to `fold`, for later.
        """
        rows = self._gradient_rows if flat is None else flat.view(-1, self.row_length)
        if rows.device.type == "cpu":
            values = torch.linalg.vector_norm(rows, dim=1).numpy()
            # Not values.min(), which takes a detour through Python. Comparisons with NaN are false.
            if np.minimum.reduce(values) >= self._least_row and np.maximum.reduce(values) < np.inf:
                return Norms(values, False)
            squares = self._squares(values)
            self._widen(squares, rows)
            return Norms(np.sqrt(squares), True)
        if rows.device.type == "mps":  # has no float64
            return Norms(scaled_row_norms(rows), False)
        return Norms(torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64), False)

    def fold(self, values: np.ndarray, folded: bool) -> np.ndarray:
        """L2 norm (layers,) of each layer in float64, from what `measure` gave, on the host."""
        if folded:
            return values
        result: np.ndarray = np.sqrt(self._squares(values))
        return result

    def total(self, norms: Norms) -> float | Tensor:
        """L2 norm of the whole buffer: on the CPU a number, else a tensor () that nobody has waited for."""
        values = norms.values
        if isinstance(values, np.ndarray):
            return math.sqrt(np.square(values, dtype=np.float64).sum())
        if values.dtype == torch.float32:
            return scaled_row_norms(values.unsqueeze(0)).squeeze(0)
        norm: Tensor = torch.linalg.vector_norm(values)
        return norm

    def layer_norms(self, flat: Tensor | None = None) -> np.ndarray:
        """As `measure`, but the layers' norms (layers,) on the host: waits for the device."""
        values, folded = self.measure(flat)
        return self.fold(values if isinstance(values, np.ndarray) else values.cpu().numpy(), folded)

    def _squares(self, row_norms: np.ndarray) -> np.ndarray:
        return np.add.reduceat(np.square(row_norms, dtype=np.float64), self.rows)

    def _widen(self, squares: np.ndarray, rows: Tensor) -> None:
        """Sum the layers again whose square is out of what float32 holds."""
        # A NaN stays one however wide the sum.
        outside = np.flatnonzero((squares < self._least) | np.isinf(squares))
        step = BLOCK // self.row_length
        for first, last in _runs(outside):
            start, stop = int(self.rows[first]), int(self.ends[last])
            wide = [
                torch.linalg.vector_norm(rows[at : min(at + step, stop)], dim=1, dtype=torch.float64)
                for at in range(start, stop, step)
            ]
            fresh = torch.cat(wide).square_().numpy()
            squares[first : last + 1] = np.add.reduceat(fresh, self.rows[first : last + 1] - start)


def _first_owners(layers: Sequence[Sequence[nn.Parameter]]) -> list[list[nn.Parameter]]:
    seen: dict[int, int] = {}
    for number, layer in enumerate(layers):
        for p in layer:
            seen.setdefault(id(p), number)
    return [[p for p in dict.fromkeys(layer) if seen[id(p)] == number] for number, layer in enumerate(layers)]


def _aligned(count: int) -> int:
    return -(-count // ALIGNMENT) * ALIGNMENT


def _row_length(sizes: Sequence[int]) -> int:
    total = sum(sizes)
    for length in ROW_LENGTHS:
        if sum(max(1, -(-size // length)) * length for size in sizes) <= 1.05 * total:
            return length
    return ROW_LENGTHS[-1]


def _runs(indices: np.ndarray) -> list[tuple[int, int]]:
    """First and last of each run of consecutive numbers."""
    if not len(indices):
        return []
    breaks = np.flatnonzero(np.diff(indices) > 1)
    firsts = indices[np.concatenate([[0], breaks + 1])]
    lasts = indices[np.concatenate([breaks, [len(indices) - 1]])]
    return [(int(a), int(b)) for a, b in zip(firsts, lasts, strict=True)]
