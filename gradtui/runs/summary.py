"""Hold rows, or buckets of rows, in memory, and merge neighbours into one.

Every level on disk, every row of a history and every point of a curve is made by the functions here, so all
of them show the same numbers for the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gradtui.absent import ABSENT, absent_in
from gradtui.runs.folder import level_dtype

Floats = npt.NDArray[np.float32]
Times = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]


@dataclass(frozen=True, eq=False)
class Summary:
    """A Summary is a sequence of buckets of rows.

    `step` and `time` (n,) are those of each bucket's first row; `min`, `mean`, `max` are (n, columns), or
    (n,) for a single column. min and max leave NaN out, mean carries it on. Rows that have no number (`gradtui.absent`)
    are left out of all three.
    """

    step: Steps
    time: Times
    min: Floats
    mean: Floats
    max: Floats

    def __len__(self) -> int:
        return len(self.step)

    def __getitem__(self, part: slice) -> Summary:
        return Summary(self.step[part], self.time[part], self.min[part], self.mean[part], self.max[part])

    def column(self, index: int) -> Summary:
        """Return one column alone, with statistics of the shape (n,)."""
        return Summary(self.step, self.time, self.min[:, index], self.mean[:, index], self.max[:, index])


def empty(columns: int) -> Summary:
    """Return a Summary without buckets."""
    none = np.zeros((0, columns), np.float32)
    return Summary(np.zeros(0, np.int64), np.zeros(0), none, none, none)


def of_rows(rows: Records) -> Summary:
    """Return each row of a table as a bucket of its own, copied, so that the rows' memory may be reused."""
    values = np.array(rows["values"], np.float32)
    # Steps leave the file's unsigned 32 bits here, in which a difference of two steps may wrap around.
    return Summary(rows["step"].astype(np.int64), np.array(rows["time"]), values, values, values)


def of_level(records: Records) -> Summary:
    """Return the records of a level as buckets."""
    time, *statistics = (np.array(records[name]) for name in ("time", "min", "mean", "max"))
    return Summary(records["step"].astype(np.int64), time, *statistics)


def to_level(summary: Summary) -> Records:
    """Return buckets as the records of a level."""
    records = np.empty(len(summary), level_dtype(summary.mean.shape[1]))
    for name in ("step", "time", "min", "mean", "max"):
        records[name] = getattr(summary, name)
    return records


def concatenate(parts: Sequence[Summary]) -> Summary:
    """Join buckets end to end; there must be at least one part."""
    if len(parts) == 1:
        return parts[0]
    names = ("step", "time", "min", "mean", "max")
    return Summary(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def halve(summary: Summary) -> Summary:
    """Merge neighbours two by two. The number of buckets must be even."""
    low, high = summary.min, summary.max
    return Summary(
        summary.step[0::2],
        summary.time[0::2],
        np.fmin(low[0::2], low[1::2]),
        mean_of_two(summary.mean[0::2], summary.mean[1::2]),
        np.fmax(high[0::2], high[1::2]),
    )


def mean_of_two(one: Floats, other: Floats) -> Floats:
    """Return the mean of two arrays, rounded once: in float32 the sum of two large numbers would be infinite."""
    with np.errstate(invalid="ignore"):
        total = np.add(one, other, dtype=np.float64)
        total *= 0.5
        mean = total.astype(np.float32)
    missing, also = absent_in(one), absent_in(other)
    if missing.any() or also.any():
        mean[missing] = other[missing]
        mean[also] = one[also]
    return mean


def fold(summary: Summary, factor: int) -> Summary:
    """Merge each `factor` neighbours (a power of two) into one. It must divide the number of buckets."""
    while factor > 1:
        summary = halve(summary)
        factor //= 2
    return summary


def merge(summary: Summary, weights: Times, starts: npt.NDArray[np.intp]) -> Summary:
    """Merge consecutive buckets from each index in `starts` on into one; `weights` are the rows of each bucket."""
    if not len(starts):
        return summary[:0]
    absent = absent_in(summary.mean)
    rows = np.where(absent, 0.0, weights[:, None]) if absent.any() else weights[:, None]
    values = np.where(absent, 0.0, summary.mean) if absent.any() else summary.mean
    with np.errstate(invalid="ignore"):
        count = np.add.reduceat(rows, starts, axis=0)
        mean = (np.add.reduceat(values * rows, starts, axis=0) / count).astype(np.float32)
    if absent.any():
        mean[count == 0] = ABSENT
    return Summary(
        summary.step[starts],
        summary.time[starts],
        np.fmin.reduceat(summary.min, starts, axis=0),
        mean,
        np.fmax.reduceat(summary.max, starts, axis=0),
    )
