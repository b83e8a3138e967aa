"""From when on something was so."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOSTLY = 0.9
"""Of the samples from there on: one batch in which it was not does not make it begin anew."""


def onset(state: NDArray[np.bool_]) -> int:
    """Index of the first sample that shows it and from which on most do; the last index where there is none."""
    if not len(state):
        return 0
    after = np.cumsum(state[::-1])[::-1] / np.arange(len(state), 0, -1)
    begins = np.flatnonzero(state & (after >= MOSTLY))
    return int(begins[0]) if len(begins) else len(state) - 1
