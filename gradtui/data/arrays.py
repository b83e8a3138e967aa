"""Arrays hold the examples and answers of a source as it stores them, already split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gradtui.experiment.errors import ExperimentError


class DataError(ExperimentError):
    """A data file is missing, cut short or of another format: ``str()`` is one line that names it.

    An ExperimentError of the field ``data.path``, so that both are reported alike: headers are
    read without torch (experiment/data_shapes.py), contents here.
    """

    def __init__(self, path: Path, problem: str, expected: str = "") -> None:
        super().__init__("data.path", str(path), expected, problem=f"{path} {problem}")
        self.path = path


def reason(error: OSError) -> str:
    """Return why the operating system refused, without the number and the path that Python adds."""
    return error.strerror or str(error)


Purpose = Literal["split", "examples", "shuffle", "pretraining"]
PURPOSES = get_args(Purpose)


def rng(seed: int, purpose: Purpose, number: int = 0) -> np.random.Generator:
    """Return a random stream that depends on the seed, the purpose and a number (such as the epoch) alone.

    Each purpose has its own stream, so one more draw for one does not shift what is drawn for another.
    """
    return np.random.default_rng([seed, PURPOSES.index(purpose), number])


TEST_SHARE = 5
"""One example in so many is kept for the test if the source has no test set of its own."""


@dataclass(frozen=True)
class Arrays:
    """Arrays are training and test examples and answers; the first axis counts the examples."""

    train_x: NDArray[np.generic]
    train_y: NDArray[np.generic]
    test_x: NDArray[np.generic]
    test_y: NDArray[np.generic]


def split(x: NDArray[np.generic], y: NDArray[np.generic], seed: int, test: int | None = None) -> Arrays:
    """Keep a seeded choice of ``test`` examples for the test, and the rest for training, both in random order.

    Without ``test``, a fifth is kept, and at least one.
    """
    held = max(1, len(x) // TEST_SHARE) if test is None else test
    order = rng(seed, "split").permutation(len(x))
    return Arrays(x[order[held:]], y[order[held:]], x[order[:held]], y[order[:held]])
