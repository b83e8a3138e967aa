"""How the gradient runs through depth or time: its shape, whatever its size.

An absolute norm misjudges everything (the total norm of nets that starve is 0.1 to 0.6), and a slope alone
misjudges shallow nets; what tells them apart is the drop from the last hidden layer to the first (SCIENCE.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gradtui.diagnosis.evidence import Evidence, Floats, Series, Steps
from gradtui.diagnosis.onset import onset

EARLY_SAMPLES, EARLY_STEPS = 5, 100
"""Where the output layer starts at 0 (fixup), the first step's gradient is 0 by design: look at the next samples, as
long as they still tell of the start."""
RECENT_SAMPLES = 3
"""A state that holds is judged by the median of so many samples, so that one odd batch says nothing."""
EVEN = 1.0
"""Decades, either way, within which first and last are even (SCIENCE.md: healthy nets stay within 0.9)."""
STAND_IN_ENDS = 8
"""Without output gradients, each end is the median of one in so many layers (3 at most): the layers of
somebody's own model differ in kind, and a single one says little."""


@dataclass(frozen=True, eq=False)
class Profile:
    """log10 of the gradient along a path, relative to the end from which it comes (there 0).

    `levels` (samples, places): places are hidden layers from input to output, or time lags from the longest
    to 0. NaN where nothing comes in at the end either.
    """

    steps: Steps
    levels: Floats
    indices: tuple[int, ...]
    """Of the places: indices of layers, or lags."""
    ends: int = 1
    """How many places an end is the median of."""
    depths: tuple[int, ...] = ()
    """Of the places: which layer from the input it is, where layers between them are left out; empty where none is."""

    def __len__(self) -> int:
        return len(self.steps)

    @cached_property
    def drop(self) -> Floats:
        """D of every sample: log10 of first ÷ last. −7 means ten million times weaker at the input."""
        if self.levels.shape[1] < 2:
            return np.zeros(len(self))
        with np.errstate(invalid="ignore"):
            return np.asarray(np.median(self.levels[:, : self.ends], axis=1))

    @property
    def _early(self) -> Floats:
        count = (
            int(np.count_nonzero(self.steps[:EARLY_SAMPLES] <= self.steps[0] + EARLY_STEPS))
            if len(self)
            else 0
        )
        return self.drop[:count]

    @cached_property
    def start(self) -> float:
        """D at the first step (D0), or at the first sample after it in which the gradient arrives at all."""
        early = self._early
        finite = early[np.isfinite(early)]
        if len(finite):
            return float(finite[0])
        infinite = early[np.isneginf(early)]
        return float(infinite[0]) if len(infinite) else float("nan")

    @cached_property
    def now(self) -> float:
        """D at present."""
        return middle(self.drop[-RECENT_SAMPLES:])

    @cached_property
    def start_sample(self) -> int:
        """Which sample `start` is."""
        finite = np.flatnonzero(np.isfinite(self._early))
        return int(finite[0]) if len(finite) else 0

    def slope(self, sample: int) -> float:
        """Decades a layer (or lag), by least squares: + falls towards the input."""
        levels = self.levels[sample]
        places = np.asarray(self.depths or range(len(levels)), np.float64)
        use = np.isfinite(levels)
        if use.sum() < 2:
            return float("nan")
        return float(np.polyfit(places[use], levels[use], 1)[0])

    def since(self, sick: NDArray[np.bool_]) -> int:
        """The step from which on samples are sick."""
        return int(self.steps[onset(sick)])


def middle(values: Floats) -> float:
    """The median without NaN; NaN where there is nothing else."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def over_depth(evidence: Evidence) -> Profile:
    """Along the hidden layers. From the gradient of their outputs, or, where that was not recorded, from the
    gradient of their parameters per square root of their number."""
    path = evidence.path()
    series, ends = evidence.output_grad_rms, 1
    values = series.values
    if not len(series):
        series = evidence.grad_norm
        sizes = np.sqrt(np.maximum(np.asarray(evidence.parameters, np.float64), 1.0))
        values = series.values / sizes if len(series) else series.values
        ends = max(1, min(3, len(path) // STAND_IN_ENDS))
    if not len(series) or not path:
        return Profile(series.steps[:0], np.zeros((0, len(path))), tuple(path))
    levels = _log(values[:, path])
    if evidence.positions:
        _level_jumps(levels, [evidence.positions[index] for index in path])
    with np.errstate(invalid="ignore"):
        relative = levels - np.median(levels[:, -ends:], axis=1, keepdims=True)
    depth_of = {index: depth for depth, index in enumerate(evidence.hidden())}
    return Profile(series.steps, relative, tuple(path), ends, tuple(depth_of[index] for index in path))


def over_lags(hidden_grad: Series) -> Profile:
    """Along time: from the first step of the sequence (the longest lag) to the last (lag 0)."""
    if not len(hidden_grad) or hidden_grad.values.shape[1] < 2:
        return Profile(hidden_grad.steps[:0], np.zeros((0, 0)), ())
    levels = _log(hidden_grad.values)
    with np.errstate(invalid="ignore"):
        relative = (levels - levels[:, :1])[:, ::-1]
    return Profile(hidden_grad.steps, relative, tuple(range(relative.shape[1] - 1, -1, -1)))


def _log(values: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log10(values))


def _level_jumps(levels: Floats, positions: list[int]) -> None:
    """Takes out, in place, the steps between layers of different geometry.

    Where an average over 64 places or a sequence's last step is read, the gradient per number falls by that
    geometry alone, in the healthiest of nets.
    """
    for place in range(len(positions) - 1, 0, -1):
        if positions[place - 1] != positions[place]:
            with np.errstate(invalid="ignore"):
                jump = levels[:, place] - levels[:, place - 1]
            levels[:, :place] += np.where(np.isfinite(jump), jump, 0.0)[:, None]
