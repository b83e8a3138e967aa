"""Handwritten digits: 1,797 images of 8×8 from the UCI repository, shipped with gradtui (see files/)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gradtui.data.arrays import Arrays, split

FILE = Path(__file__).parent / "files" / "digits.npz"
TEST = 360
"""Images kept for the test; 1,437 are trained on."""
BRIGHTEST = 16.0


def digits(seed: int) -> Arrays:
    """Images (n, 8, 8) of whole numbers from 0 to 16, and the digits."""
    with np.load(FILE, allow_pickle=False) as file:
        return split(file["x"], file["y"], seed, TEST)
