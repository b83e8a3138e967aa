"""How large the numbers of every layer's gradient are, counted by powers of two.

The bits of a float32 hold its power of two, so no logarithm is taken, and nothing is rounded: subnormal
numbers belong to powers of their own, and no device's habit of reading them as 0 plays a part.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gradtui.probe.gradients import BLOCK, FlatGradients
from gradtui.runs.histograms import POWERS

PLACES = 1 + POWERS + 1
"""Zeros, the powers of two from -149 to 127, and what is not finite."""
MANTISSA = 23
"""Bits behind the exponent's; as many powers of two are those of subnormal numbers."""
PIECE = 1 << 24
"""Numbers that a device other than the CPU counts at a time: some of its memory, however large a net."""


class GradientSizes:
    """Counts the numbers of a net's flat gradients."""

    def __init__(self, flat: FlatGradients) -> None:
        self._flat = flat
        rows = flat.ends - flat.rows
        self._layer_of_row = np.repeat(np.arange(len(rows)), rows)
        self._offsets = torch.from_numpy(self._layer_of_row * PLACES).int().unsqueeze(1)
        self._offsets = self._offsets.to(flat.gradients.device)
        self._padding = rows * flat.row_length - flat.counts

    def count(self) -> np.ndarray:
        """How many numbers of each layer lie in each place (layers, PLACES). Waits for the device."""
        rows = self._flat.gradients.view(-1, self._flat.row_length)
        counts = np.zeros((len(self._flat.counts), PLACES), np.int64)
        # On the CPU what is in between stays in the processor's cache.
        step = (BLOCK if rows.device.type == "cpu" else PIECE) // self._flat.row_length
        for start in range(0, len(rows), step):
            layers = self._layer_of_row[start : start + step]
            first, last = int(layers[0]), int(layers[-1])
            places = _places(rows[start : start + step])
            places += self._offsets[start : start + step] - first * PLACES
            found = torch.bincount(places.view(-1), minlength=(last - first + 1) * PLACES)
            counts[first : last + 1] += found.view(-1, PLACES).cpu().numpy()
        counts[:, 0] -= self._padding
        # A net that was clipped by a norm of NaN has NaN for padding too, where a penalty adds its weights.
        lacking = np.minimum(counts[:, 0], 0)
        counts[:, 0] -= lacking
        counts[:, -1] += lacking
        return counts


def _places(numbers: Tensor) -> Tensor:
    """The place of each float32, as int32."""
    sizes = numbers.view(torch.int32) & 0x7FFFFFFF
    # Read as a whole number, a subnormal's bits are its size in units of the least. As a float32 that is
    # exact, and its exponent is the power of two; what is not subnormal has passed them all.
    places = (sizes.float().view(torch.int32) >> MANTISSA).sub_(126).clamp_(0, MANTISSA)
    sizes >>= MANTISSA
    return places.add_(sizes)
