"""What a source hands over: examples and answers as it stores them, already split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradtui.data.seeds import rng

TEST_SHARE = 5
"""One example in so many is kept for the test where the source has no test set of its own."""


@dataclass(frozen=True)
class Arrays:
    """Training and test examples and answers, first axis the examples."""

    train_x: NDArray[np.generic]
    train_y: NDArray[np.generic]
    test_x: NDArray[np.generic]
    test_y: NDArray[np.generic]


def split(x: NDArray[np.generic], y: NDArray[np.generic], seed: int, test: int | None = None) -> Arrays:
    """A seeded choice of ``test`` examples (a fifth where it is not said, at least one) for the test, the
    rest to train on, both in random order."""
    held = max(1, len(x) // TEST_SHARE) if test is None else test
    order = rng(seed, "split").permutation(len(x))
    return Arrays(x[order[held:]], y[order[held:]], x[order[:held]], y[order[:held]])
