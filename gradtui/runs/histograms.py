"""Store histograms of the sizes of gradients in the rows of a table, and read one layer of them over time.

Sizes are counted by powers of two, which the bits of a float32 hold, so that no logarithm is needed: a number belongs
to the power p with 2^p <= |g| < 2^(p+1). There are 277 powers with those of the subnormal numbers. A layer covers few
of them at a step and many during a training, so a row stores its highest power and the shares of BINS powers from there
down.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gradtui.ordinary_files import open_to_read
from gradtui.runs.folder import HEADER_BYTES, record_size, table_path
from gradtui.runs.summary import Floats, Steps

TABLE = "grad_histogram"

LOWEST, HIGHEST = -149, 127
"""The lowest and highest power of two of float32 numbers; those below -126 belong to subnormal numbers."""
POWERS = HIGHEST - LOWEST + 1
BINS = 29
PARTS = ("power", "zeros", "nonfinite", *(str(-below) for below in range(BINS)))
"""The columns of each layer, described in folder.py."""

Counts = npt.NDArray[np.int64] | npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Histogram:
    """A Histogram holds the sizes of one layer's gradient at some of the recorded steps, on one common axis.

    Shares are shares of all numbers of the layer, so a row of `shares` with its `zeros` and `nonfinite` adds up to 1.
    """

    layer: str
    steps: Steps
    """The steps, (n,)."""
    powers: npt.NDArray[np.int64]
    """The powers of two that occur at any of the steps, ascending without a gap, (bins,); bin k holds the sizes from
    2^powers[k] up to twice that."""
    shares: Floats
    """The shares, (n, bins). The lowest power that a row stores, 28 below its highest, also holds all smaller sizes."""
    zeros: Floats
    """The shares of numbers that are exactly 0, (n,); NaN where the layer has no gradient of its own."""
    nonfinite: Floats
    """The shares of NaN and infinity, (n,); NaN as above."""

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        """Return log10 of the limits of the bins, (bins + 1,); empty if there is no bin."""
        ends: npt.NDArray[np.float64] = np.append(self.powers, self.powers[-1:] + 1) * np.log10(2)
        return ends


def columns_of(layers: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns of the table, as in run.json."""
    return tuple(f"{layer}/{part}" for layer in layers for part in PARTS)


def to_row(counts: Counts) -> Floats:
    """Return a row of the table from how many numbers of each layer (layers, 1 + POWERS + 1) are zero, of each power
    of two from LOWEST upward, and not finite. A layer without numbers is NaN throughout.
    """
    descending = counts[:, -2:0:-1]
    first = (descending > 0).argmax(axis=1)
    room = np.pad(descending, ((0, 0), (0, BINS)))
    bins = np.take_along_axis(room, first[:, None] + np.arange(BINS), axis=1)
    bins[:, -1] += descending.sum(axis=1) - bins.sum(axis=1)
    rows = np.empty((len(counts), len(PARTS)), np.float32)
    with np.errstate(invalid="ignore"):
        rows[:, 1:] = np.column_stack([counts[:, 0], counts[:, -1], bins]) / counts.sum(axis=1, keepdims=True)
    rows[:, 0] = np.where(descending.any(axis=1), HIGHEST - first, np.nan)
    return rows.reshape(-1)


def of_rows(layer: str, steps: Steps, rows: Floats) -> Histogram:
    """Return the histogram of one layer from its part of the rows of the table, (n, PARTS)."""
    highest = rows[:, 0]
    # NaN is neither, because no number of such a row has a size.
    sized = (highest >= LOWEST) & (highest <= HIGHEST)
    places = np.where(sized, highest, 0).astype(np.int64)[:, None] - LOWEST - np.arange(BINS)
    row, column = np.nonzero(sized[:, None] & (places >= 0))
    shares = np.zeros((len(rows), POWERS), np.float32)
    shares[row, places[row, column]] = rows[row, 3 + column]
    used = np.flatnonzero(shares.any(axis=0))
    part = slice(used[0], used[-1] + 1) if len(used) else slice(0)
    return Histogram(
        layer=layer,
        steps=steps,
        powers=np.arange(LOWEST, HIGHEST + 1)[part],
        shares=shares[:, part],
        zeros=rows[:, 1],
        nonfinite=rows[:, 2],
    )


def empty(layer: str) -> Histogram:
    """Return the empty histogram of a run that recorded none."""
    return of_rows(layer, np.zeros(0, np.int64), np.zeros((0, len(PARTS)), np.float32))


def read_histogram(folder: Path, columns: Sequence[str], layer: str, most: int) -> Histogram:
    """Read the histogram of one layer at up to `most` recorded steps, evenly spaced from the first to the last.

    Only the part of that layer is read of each row. Raises ValueError if the table has no such layer.
    """
    place = HEADER_BYTES + 4 * columns.index(f"{layer}/{PARTS[0]}")
    size = record_size(len(columns))
    steps, rows = [], []
    try:
        with os.fdopen(open_to_read(table_path(folder, TABLE)), "rb", buffering=0) as file:
            number = file.fileno()
            for row in chosen_rows(os.fstat(number).st_size // size, most):
                step = os.pread(number, 4, row * size)
                values = os.pread(number, 4 * len(PARTS), row * size + place)
                if len(values) < 4 * len(PARTS):
                    # The table was shortened while it was read.
                    break
                steps.append(step)
                rows.append(values)
    except OSError:
        pass
    found = np.frombuffer(b"".join(rows), "<f4").astype(np.float32).reshape(-1, len(PARTS))
    return of_rows(layer, np.frombuffer(b"".join(steps), "<u4").astype(np.int64), found)


def chosen_rows(rows: int, most: int) -> list[int]:
    """Return up to `most` indices of rows, evenly spaced from the first to the last; a single one is the last."""
    count = min(rows, most)
    if count <= 1:
        return [rows - 1] * count
    return [index * (rows - 1) // (count - 1) for index in range(count)]
