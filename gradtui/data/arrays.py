"""Hold the examples and answers of a source in its own number format, split into training and test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gradtui.experiment.errors import ExperimentError


class DataError(ExperimentError):
    """A data file is missing, cut short or of another format: ``str()`` is one line that names it.

    It is an ExperimentError of the field ``data.path``, so that faults of headers, which experiment/data_shapes.py
    reads without torch, and faults of contents, which are read here, are reported in the same way.
    """

    def __init__(self, path: Path, problem: str, expected: str = "") -> None:
        super().__init__("data.path", str(path), expected, problem=f"{path} {problem}")
        self.path = path


def reason(error: OSError) -> str:
    """Return the operating system's message, without the number and the path that Python adds."""
    return error.strerror or str(error)


Purpose = Literal["split", "examples", "shuffle", "pretraining"]
PURPOSES = get_args(Purpose)


def rng(seed: int, purpose: Purpose, number: int = 0) -> np.random.Generator:
    """Return a random generator that depends only on the seed, the purpose and a number, such as the epoch.

    Each purpose has its own generator, so drawing one more number for one purpose does not change the others.
    """
    return np.random.default_rng([seed, PURPOSES.index(purpose), number])


TEST_SHARE = 5
"""One example in this many is kept for the test if the source has no test set."""


@dataclass(frozen=True)
class Arrays:
    """Arrays are training and test examples and answers; the first axis counts the examples."""

    train_x: NDArray[np.generic]
    train_y: NDArray[np.generic]
    test_x: NDArray[np.generic]
    test_y: NDArray[np.generic]


def split(x: NDArray[np.generic], y: NDArray[np.generic], seed: int, test: int | None = None) -> Arrays:
    """Split examples at random, by the seed, into ``test`` examples for the test and the others for training.

    Without ``test``, a fifth is used for the test, and at least one example.
    """
    held = max(1, len(x) // TEST_SHARE) if test is None else test
    order = rng(seed, "split").permutation(len(x))
    return Arrays(x[order[held:]], y[order[held:]], x[order[:held]], y[order[:held]])
