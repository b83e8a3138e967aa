"""Measure the gradient of every layer from one flat buffer: the norm and the sizes of the numbers.

The weights and the gradients of a net become views of two flat buffers that hold the layers one after another, each
padded with zeros to whole rows of a common length. The norms of all rows are then *one* reduction, whatever the layers'
shapes, and the optimizer may update all weights as *one* tensor.

Sums in float32 are used only in the range that norms.py allows; layers outside that range are summed again in float64.
An asynchronous device (CUDA) always accumulates in float64, because checking a value would mean waiting for it.

Histograms count numbers by powers of two (`size_places`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from gradtui.probe.gradient_sizes import HISTOGRAM_PLACES, size_places
from gradtui.probe.norms import LEAST_SQUARE, scaled_row_norms

ALIGNMENT = 16
"""Parameters start at multiples of this many numbers (64 bytes), like newly allocated tensors."""
ROW_LENGTHS = (1024, 512, 256, 128, 64)
"""The lengths of rows, tried from the longest; the first with less than 5 % of padding is taken."""
BLOCK = 65_536
"""The numbers that are converted to float64 at a time, so that the copy fits into the processor's cache."""
DEVICE_PIECE = 1 << 24
"""The numbers that a device other than the CPU counts at a time, which limits the memory that this takes."""


RowNorms = np.ndarray | Tensor
"""L2 norms (rows,) of a buffer's rows in float32 or float64: on the host from the CPU, else on their device."""


class FlatGradients:
    """A FlatGradients holds the parameters of a net and their gradients as two flat buffers, layer by layer.

    `layers` names the parameters of each layer in forward order. A parameter that occurs twice belongs to the
    first layer that names it. Each `parameter.data` and `parameter.grad` becomes a view of a buffer: clear gradients
    with `zero_()`, never by setting them to None.

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
        """The first row of each layer."""
        self.counts = np.array([sum(p.numel() for p in layer) for layer in owned])
        """Parameters of each layer."""
        self.ends = ends
        total = int(ends[-1]) * self.row_length if owned else 0
        self.weights = torch.zeros(total, device=device)
        self.gradients = torch.zeros(total, device=device)
        self.parameters = [p for layer in owned for p in layer]
        self._views: list[Tensor] = []
        self.pieces: list[list[Tensor]] = []
        """By layer, its gradients: as few views as have no padding between them, since each takes time to measure."""
        for first, layer in zip(self.rows, owned, strict=True):
            offset = int(first) * self.row_length
            places: list[slice] = []
            for p in layer:
                here = slice(offset, offset + p.numel())
                joined = bool(places) and places[-1].stop == offset
                places.append(slice(places.pop().start, here.stop) if joined else here)
                self.weights[here].view(p.shape).copy_(p.data)
                p.data = self.weights[here].view(p.shape)
                self._views.append(self.gradients[here].view(p.shape))
                offset += _aligned(p.numel())
            self.pieces.append([self.gradients[place] for place in places])
        self._least = float(self.counts.max(initial=0)) * LEAST_SQUARE
        self._least_row = math.sqrt(self.row_length * LEAST_SQUARE)
        self._gradient_rows = self.gradients.view(-1, self.row_length)
        self.attach()

    def attach(self) -> None:
        """Make every `parameter.grad` a view of the buffer again."""
        for p, view in zip(self.parameters, self._views, strict=True):
            p.grad = view

    def zero_(self) -> None:
        """Clear all gradients."""
        self.gradients.zero_()

    def start_of(self, layer: int) -> int:
        """Return the offset in the buffers at which `layer` begins; for the layer after the last, their length."""
        return (int(self.rows[layer]) if layer < len(self.rows) else int(self.ends[-1])) * self.row_length

    def marked(self, chosen: Callable[[nn.Parameter], bool]) -> Tensor:
        """Return a buffer with the layout of the weights, with 1 for chosen parameters and 0 elsewhere."""
        marks = torch.zeros_like(self.weights)
        for p in self.parameters:
            if chosen(p):
                marks[p.storage_offset() : p.storage_offset() + p.numel()] = 1.0
        return marks

    def row_norms(self, flat: Tensor | None = None) -> RowNorms:
        """Return the norms of the rows of the gradients, or of a buffer with the same layout, without waiting.

        It does little, because it runs in every step; `fold` later turns the norms of rows into those of layers. On the
        CPU, the norms of rows are computed in float64 for layers whose norm is outside the range of float32.
        """
        rows = self._gradient_rows if flat is None else flat.view(-1, self.row_length)
        if rows.device.type == "cpu":
            values: np.ndarray = torch.linalg.vector_norm(rows, dim=1).numpy()
            # values.min() would be slower, as it calls Python code. Comparisons with NaN are false.
            if np.minimum.reduce(values) >= self._least_row and np.maximum.reduce(values) < np.inf:
                return values
            return self._widened(values, rows)
        if rows.device.type == "mps":  # has no float64
            return scaled_row_norms(rows)
        norms: Tensor = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
        return norms

    def fold(self, row_norms: np.ndarray) -> np.ndarray:
        """Return the L2 norm (layers,) of each layer in float64, from the result of `row_norms` on the host.

        From those of several steps, (steps, rows), it returns (steps, layers).
        """
        result: np.ndarray = np.sqrt(self._squares(row_norms))
        return result

    def total(self, row_norms: RowNorms) -> float | Tensor:
        """Return the L2 norm of the whole buffer: on the CPU a number, else a tensor (), without waiting."""
        if isinstance(row_norms, np.ndarray):
            return math.sqrt(np.square(row_norms, dtype=np.float64).sum())
        if row_norms.dtype == torch.float32:
            return scaled_row_norms(row_norms.unsqueeze(0)).squeeze(0)
        norm: Tensor = torch.linalg.vector_norm(row_norms)
        return norm

    def layer_norms(self, flat: Tensor | None = None) -> np.ndarray:
        """Return the L2 norm (layers,) of each layer on the host. Waits for the device."""
        norms = self.row_norms(flat)
        return self.fold(norms if isinstance(norms, np.ndarray) else norms.cpu().numpy())

    def _squares(self, row_norms: np.ndarray) -> np.ndarray:
        return np.add.reduceat(np.square(row_norms, dtype=np.float64), self.rows, axis=-1)

    def _widened(self, row_norms: np.ndarray, rows: Tensor) -> np.ndarray:
        """Return the row norms in float64, summed again for the layers whose square is outside the range of float32."""
        # Layers with a NaN are not summed again, since the result would be NaN too.
        squares = self._squares(row_norms)
        outside = np.flatnonzero((squares < self._least) | np.isinf(squares))
        wide: np.ndarray = row_norms.astype(np.float64)
        step = BLOCK // self.row_length
        for first, last in _runs(outside):
            stop = int(self.ends[last])
            for at in range(int(self.rows[first]), stop, step):
                block = rows[at : min(at + step, stop)]
                wide[at : at + len(block)] = torch.linalg.vector_norm(
                    block, dim=1, dtype=torch.float64
                ).numpy()
        return wide


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
    """Return the first and the last of each sequence of consecutive numbers."""
    if not len(indices):
        return []
    breaks = np.flatnonzero(np.diff(indices) > 1)
    firsts = indices[np.concatenate([[0], breaks + 1])]
    lasts = indices[np.concatenate([breaks, [len(indices) - 1]])]
    return [(int(a), int(b)) for a, b in zip(firsts, lasts, strict=True)]


class GradientHistograms:
    """A GradientHistograms counts the numbers of a net's flat gradients by powers of two."""

    def __init__(self, flat: FlatGradients) -> None:
        self._flat = flat
        rows = flat.ends - flat.rows
        self._layer_of_row = np.repeat(np.arange(len(rows)), rows)
        self._offsets = torch.from_numpy(self._layer_of_row * HISTOGRAM_PLACES).int().unsqueeze(1)
        self._offsets = self._offsets.to(flat.gradients.device)
        self._padding = rows * flat.row_length - flat.counts

    def count(self) -> np.ndarray:
        """Return how many numbers of each layer lie in each place (layers, HISTOGRAM_PLACES). Waits for the device."""
        rows = self._flat.gradients.view(-1, self._flat.row_length)
        counts = np.zeros((len(self._flat.counts), HISTOGRAM_PLACES), np.int64)
        # On the CPU intermediate results stay in the processor's cache.
        step = (BLOCK if rows.device.type == "cpu" else DEVICE_PIECE) // self._flat.row_length
        for start in range(0, len(rows), step):
            layers = self._layer_of_row[start : start + step]
            first, last = int(layers[0]), int(layers[-1])
            places = size_places(rows[start : start + step])
            places += self._offsets[start : start + step] - first * HISTOGRAM_PLACES
            found = torch.bincount(places.view(-1), minlength=(last - first + 1) * HISTOGRAM_PLACES)
            counts[first : last + 1] += found.view(-1, HISTOGRAM_PLACES).cpu().numpy()
        counts[:, 0] -= self._padding
        # After clipping by a norm of NaN the padding may be NaN too, where a penalty adds the weights.
        lacking = np.minimum(counts[:, 0], 0)
        counts[:, 0] -= lacking
        counts[:, -1] += lacking
        return counts
