"""Characters of a text, each to be told from those before it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gradtui.data.arrays import Arrays
from gradtui.data.errors import DataError
from gradtui.experiment.data_shapes import vocabulary
from gradtui.experiment.spec import Data

TEST_SHARE = 10
"""One character in so many, at the end of the text, is kept for the test."""


def text(path: Path, data: Data) -> Arrays:
    """x and y (n, length): token ids of successive pieces of the text, y one character on from x.

    Pieces do not overlap, so an epoch asks for every character once. The test is the text's end, not a
    random choice of pieces, or the net would have read both neighbours of what it is asked.
    """
    known = vocabulary(data)
    ids = np.searchsorted(_codes(known), _codes(path.read_text(encoding="utf-8"))).astype(np.int64)
    pieces = (len(ids) - 1) // data.length
    if pieces < 2:
        raise DataError(
            path,
            f"has {len(ids)} characters",
            f"at least {2 * data.length + 1}: two pieces of data.length {data.length}",
        )
    used = pieces * data.length
    x, y = ids[:used].reshape(pieces, -1), ids[1 : used + 1].reshape(pieces, -1)
    kept = pieces - max(1, pieces // TEST_SHARE)
    return Arrays(x[:kept], y[:kept], x[kept:], y[kept:])


def _codes(characters: str) -> np.ndarray:
    return np.frombuffer(characters.encode("utf-32-le"), "<u4")
