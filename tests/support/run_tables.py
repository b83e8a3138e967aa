"""Draw random numbers as in trainings: of any size that float32 holds, and NaN."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

AWKWARD = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 1.1e-38, 3.4e38, -3.4e38, 1.0], np.float32
)


@st.composite
def matrices(draw: st.DrawFn, most_rows: int = 700, columns: int = 2) -> np.ndarray:
    """Draw (rows, columns) in float32 with random exponents and some special numbers."""
    rows = draw(st.integers(0, most_rows))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = np.float32(rng.normal(size=(rows, columns)) * 10.0 ** rng.integers(-30, 30, (rows, columns)))
    share = draw(st.sampled_from([0.0, 0.01, 0.3, 1.0]))
    awkward = rng.random((rows, columns)) < share
    values[awkward] = rng.choice(AWKWARD, int(awkward.sum()))
    return values


@st.composite
def cuts(draw: st.DrawFn, length: int) -> list[int]:
    """Draw where to cut `length` rows into pieces: 0 first, the length last."""
    inner = draw(st.lists(st.integers(0, length), max_size=6))
    return [0, *sorted(inner), length]
