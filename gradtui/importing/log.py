"""Hold the entries that another program logged during one training."""

from __future__ import annotations

import math
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gradtui.runs.event_check import LARGEST_STEP, LATEST_TIME


class ImportFailed(ValueError):
    """An ImportFailed says, in one line that names the file, why a log cannot become a run."""


MOST_FILES = 100_000
"""The most files among which logs are looked for: a whole disk takes minutes, and is never meant."""


def files_under(path: Path, belongs: Callable[[str], bool]) -> Iterator[Path]:
    """Yield the ordinary files in a folder and its folders whose names belong to logs.

    Raises ImportFailed where there are too many files to look through.
    """
    seen = 0
    for folder, _, names in os.walk(path):
        seen += len(names)
        if seen > MOST_FILES:
            raise ImportFailed(
                f"{path}: contains more than {MOST_FILES:,} files; name the folder of the logs"
            )
        # A FIFO or a device with such a name is not a log.
        yield from (file for name in names if belongs(name) and (file := Path(folder, name)).is_file())


Floats = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int64]


class LogColumn:
    """A LogColumn is one number over the steps, as it was logged.

    An entry takes 24 bytes, so a log of a million steps and fifty layers fits into memory.
    """

    def __init__(self) -> None:
        self._steps, self._times, self._values = array("q"), array("d"), array("d")

    def add(self, step: int, time: float, value: float) -> None:
        """Add the next entry; `time` is in seconds since the epoch."""
        # All three are converted before any is stored, so that a bad value leaves no half of an entry.
        step, time, value = int(step), float(time), float(value)
        self._steps.append(step)
        self._times.append(time)
        self._values.append(value)

    def __len__(self) -> int:
        return len(self._steps)

    def ascending(self) -> tuple[Steps, Floats, Floats]:
        """Return steps, times and values, each (n,), with ascending steps.

        If a step was logged twice, because the training was resumed before it, the last entry counts.
        """
        steps = np.frombuffer(self._steps, np.int64) if len(self) else np.zeros(0, np.int64)
        unique, last = np.unique(steps[::-1], return_index=True)
        chosen = len(steps) - 1 - last
        return unique, np.array(self._times)[chosen], np.array(self._values)[chosen]


@dataclass
class Log:
    """A Log holds the entries of one training."""

    name: str
    program: str
    """The program that wrote it: TensorBoard or W&B."""
    path: Path
    ordered: bool
    """This is true if names are in the order in which the script logged them."""
    scalars: dict[str, LogColumn] = field(default_factory=dict)
    norms: dict[str, LogColumn] = field(default_factory=dict)
    """L2 norms that were computed from histograms of gradients, by the histogram's name."""
    sizes: dict[str, int] = field(default_factory=dict)
    """The number of values that each of those histograms counts."""
    estimated: int = 0
    """The number of these norms that were only estimated, from the bins of a histogram."""
    left: Counter[str] = field(default_factory=Counter)
    """The number of entries that were left out, by their kind."""

    def add(self, tag: str, step: int, time: float, value: float) -> None:
        """Add an entry of a scalar. Raises ValueError where its step or time is impossible."""
        _check(step, time)
        self.scalars.setdefault(tag, LogColumn()).add(step, time, value)

    def add_norm(self, tag: str, step: int, time: float, norm: float, *, size: int, estimated: bool) -> None:
        """Add the norm of a gradient whose histogram was logged. Raises ValueError like `add`."""
        _check(step, time)
        if not 0 <= size <= LARGEST_STEP:
            raise ValueError(f"a histogram of {size} numbers")
        self.norms.setdefault(tag, LogColumn()).add(step, time, norm)
        self.sizes[tag] = size
        self.estimated += estimated


DAMAGED = "damaged entries"
"""The kind under which unreadable entries are counted."""
ODD_ENTRY = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""The exceptions that reading a malformed entry may raise."""


def _check(step: int, time: float) -> None:
    if not abs(step) <= LARGEST_STEP or not abs(time) <= LATEST_TIME:
        raise ValueError(f"step {step} at the time {time}")


SMALLEST_TRUSTED_SUM = 1e-36
"""A sum of float32 squares below this has lost some or all of its digits to underflow."""


def norm_from_bins(edges: npt.ArrayLike, counts: npt.ArrayLike) -> float:
    """Return the L2 norm of the numbers in a histogram, as if they lay evenly in each bin.

    The mean square of numbers that lie evenly between a and b is (a² + ab + b²) / 3.

    `edges` (bins + 1,), `counts` (bins,). The norm is right to a few percent where bins are much narrower than the
    numbers' spread, and too large where most numbers lie in the middle of one bin around 0.
    """
    ends = np.asarray(edges, np.float64)
    left, right = ends[:-1], ends[1:]
    squares = (left * left + left * right + right * right) / 3
    numbers = np.asarray(counts, np.float64)
    filled = numbers > 0
    return math.sqrt(float((numbers[filled] * squares[filled]).sum()))


def norm_from_squares(sum_squares: float, edges: npt.ArrayLike, counts: npt.ArrayLike) -> tuple[float, bool]:
    """Return the norm and whether it is only an estimate.

    It is computed from the sum of the squares if that is accurate, else from the bins.
    """
    if sum_squares >= SMALLEST_TRUSTED_SUM or math.isnan(sum_squares):
        return math.sqrt(sum_squares), False
    norm = norm_from_bins(edges, counts)
    return norm, norm > 0
