"""Compute the shape of the gradient over depth or time, without its size, and the healthy range that follows from it.

An absolute norm misjudges everything (the total norm of vanishing nets is 0.1 to 0.6), and a slope alone misjudges
shallow nets; what tells unhealthy nets from healthy ones is the drop from the last hidden layer to the first
(RECIPES.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradtui import metrics
from gradtui.absent import log10_of
from gradtui.diagnosis.evidence import Evidence, Floats, Series, Steps
from gradtui.runs.summary import Summary

START_SAMPLES, START_STEPS = 5, 100
"""Where the output layer starts at 0 (fixup), the first step's gradient is 0 by design. Then the start is read from the
next samples, of which these are the most, within the most steps."""
RECENT_SAMPLES = 3
"""The present is the median of this many samples, so that one odd batch has no influence."""
STAND_IN_LAYERS = 8
"""Each end is the median of one in so many layers (3 at most) where there are no output gradients: the layers of a
script's model differ in kind, and a single one says little."""
LASTING_SHARE = 0.9
"""A state lasts from a sample on if this share of the later samples has it, so that one odd batch does not end it."""


@dataclass(frozen=True, eq=False)
class Profile:
    """A Profile is log10 of the gradient along a path, relative to the end that the gradient comes from (0 there).

    `levels` is (samples, places): places are hidden layers from input to output, or time lags from the longest to 0.
    It is NaN in samples that have no gradient even at that end.
    """

    steps: Steps
    levels: Floats
    indices: tuple[int, ...]
    """The index of the layer, or the lag, of each place."""
    ends: int = 1
    """The number of places whose median is the level of an end."""
    depths: tuple[int, ...] = ()
    """The position of each place among all hidden layers; empty where no layer is left out."""

    def __len__(self) -> int:
        return len(self.steps)

    @cached_property
    def drop(self) -> Floats:
        """Return log10 of first over last place for every sample (D); -7 is ten million times weaker at the input."""
        if self.levels.shape[1] < 2:
            return np.zeros(len(self))
        with np.errstate(invalid="ignore"):
            return np.asarray(np.median(self.levels[:, : self.ends], axis=1))

    @property
    def _early(self) -> Floats:
        if not len(self):
            return self.drop[:0]
        return self.drop[: np.count_nonzero(self.steps[:START_SAMPLES] <= self.steps[0] + START_STEPS)]

    @cached_property
    def start(self) -> float:
        """Return the drop at the first step (D0), or at the first sample after it that has any gradient."""
        early = self._early
        finite = early[np.isfinite(early)]
        if len(finite):
            return float(finite[0])
        infinite = early[np.isneginf(early)]
        return float(infinite[0]) if len(infinite) else float("nan")

    @cached_property
    def now(self) -> float:
        """Return the drop at present."""
        return median_of_known(self.drop[-RECENT_SAMPLES:])

    @cached_property
    def start_sample(self) -> int:
        """Return the index of the sample that `start` is taken from."""
        finite = np.flatnonzero(np.isfinite(self._early))
        return int(finite[0]) if len(finite) else 0

    def slope(self, sample: int) -> float:
        """Return the slope in decades per layer (or lag) by least squares; positive if it falls towards the input."""
        levels = self.levels[sample]
        places = np.asarray(self.depths or range(len(levels)), np.float64)
        use = np.isfinite(levels)
        if use.sum() < 2:
            return float("nan")
        return float(np.polyfit(places[use], levels[use], 1)[0])


EVEN_HEADS = 1.0
"""Heads whose weights' gradients differ by fewer decades share the body's gradient."""


def over_depth(evidence: Evidence) -> Profile:
    """Return the profile along the hidden layers; in a script, that of the path with the least even start.

    Layers of different towers, heads or models are not compared with one another: the loss of each is another. Where
    no path of a script is known, the profile is empty. Where one of two heads gives the body nearly all of its
    gradient, the body is compared with that one only: with the other it would seem to explode.
    """
    kept = evidence.all_paths()
    if evidence.experiment is None:
        strengths = head_strengths(evidence)
        weak = {head for head, size in strengths.items() if size < max(strengths.values()) - EVEN_HEADS}
        kept = [
            hidden
            for hidden, path in zip(kept, evidence.paths, strict=True)
            if not path or path[-1] not in weak
        ]
    profiles = [_along(evidence, path) for path in kept or [[]]]

    def unevenness(profile: Profile) -> float:
        return abs(profile.start) if profile.start == profile.start else -1.0

    return max(profiles, key=unevenness)


def head_strengths(evidence: Evidence) -> dict[int, float]:
    """Return log10 of the usual gradient of a weight in each head of a script's body, by the head's last layer.

    Heads are the last layers of paths that share layers. Empty where there is one head, or none that had a gradient.
    """
    # A pass that used no layer has an empty path.
    paths = [path for path in evidence.paths if path]
    sharing = [
        path for path in paths if any(one[-1] != path[-1] and set(one[:-1]) & set(path[:-1]) for one in paths)
    ]
    sizes: dict[int, float] = {}
    for head in {path[-1] for path in sharing} if len(evidence.grad_norm) else ():
        norms = evidence.grad_norm.values[:, head]
        with np.errstate(invalid="ignore"):
            usual = median_of_known(norms[np.isfinite(norms)])
        if usual > 0:
            sizes[head] = math.log10(usual) - 0.5 * math.log10(max(evidence.parameters[head], 1))
    return sizes if len(sizes) > 1 else {}


def _along(evidence: Evidence, path: list[int]) -> Profile:
    """Return the profile along one path.

    It is taken from the gradient of the layers' outputs, or, where that was not recorded, from the gradient of their
    parameters per square root of their number.
    """
    series, ends = evidence.output_grad_rms, 1
    values = series.values
    if not len(series):
        series = evidence.grad_norm
        sizes = np.sqrt(np.maximum(np.asarray(evidence.parameters, np.float64), 1.0))
        values = series.values / sizes if len(series) else series.values
        ends = max(1, min(3, len(path) // STAND_IN_LAYERS))
    if not len(series) or not path:
        return Profile(series.steps[:0], np.zeros((0, len(path))), tuple(path))
    levels = log10_of(values[:, path])
    if evidence.experiment is None:
        places, forms = evidence.positions, evidence.forms
        _level_forms(
            levels, [(places[index] if places else 1.0, forms[index] if forms else "") for index in path]
        )
    elif evidence.positions:
        _level_geometry(levels, [evidence.positions[index] for index in path])
    with np.errstate(invalid="ignore"):
        relative = levels - np.median(levels[:, -ends:], axis=1, keepdims=True)
    depth_of = {index: depth for depth, index in enumerate(evidence.hidden())}
    return Profile(series.steps, relative, tuple(path), ends, tuple(depth_of[index] for index in path))


def over_lags(hidden_grad: Series) -> Profile:
    """Return the profile along time, from the first step of the sequence (the longest lag) to the last (lag 0)."""
    if not len(hidden_grad) or hidden_grad.values.shape[1] < 2:
        return Profile(hidden_grad.steps[:0], np.zeros((0, 0)), ())
    levels = log10_of(hidden_grad.values)
    with np.errstate(invalid="ignore"):
        relative = (levels - levels[:, :1])[:, ::-1]
    return Profile(hidden_grad.steps, relative, tuple(range(relative.shape[1] - 1, -1, -1)))


HEALTHY_GROWTH = 100.0
"""The growth of the whole gradient since the first step beyond which no profile over depth is healthy."""


def growth(norms: Summary | None, step: int | None = None) -> float:
    """Return the norm of the whole gradient at a step over that of the first step that has one; 1 if unknown.

    Args:
        norms: the recorded norms; None where a run has none.
        step: the step; None is the newest.
    """
    if norms is None or not len(norms):
        return 1.0
    first = norms.min[np.isfinite(norms.min) & (norms.min > 0)]
    at = len(norms) if step is None else int(np.searchsorted(norms.step, step, side="right"))
    now = float(norms.mean[max(0, at - 1)])
    return now / float(first[0]) if len(first) and math.isfinite(now) else 1.0


def healthy_range(
    metric: str, values: ArrayLike, parameters: Sequence[int], level: int, grown: float = 1.0
) -> tuple[Floats, Floats] | None:
    """Return the lowest and highest healthy value of each layer, (layers,) both; None for a metric without a range.

    Gradients have no healthy size, only a healthy shape: within `headlines.EVEN_DECADES` of the last hidden layer's. A
    layer's norm also grows with the root of its number of parameters, which is healthy. A gradient that has grown
    beyond `HEALTHY_GROWTH` is healthy in no shape.

    Args:
        metric: the table's name.
        values: (layers,), at one step.
        parameters: how many each layer has.
        level: index of the last hidden layer, with which the others are compared.
        grown: the growth of the whole gradient since the first step.
    """
    numbers = np.asarray(values, np.float64)
    known = metrics.find(metric)
    if known is None or known.healthy is None:
        return None
    lowest, highest = known.healthy
    if known.baseline is None:
        return np.full(numbers.shape, lowest), np.full(numbers.shape, highest)
    if grown > HEALTHY_GROWTH or not 0 <= level < len(numbers) or len(parameters) != len(numbers):
        return None
    size = float(numbers[level])
    if not (math.isfinite(size) and size > 0):
        return None
    shares = np.ones(numbers.shape)
    if known.grows_with_parameters:
        counts = np.maximum(np.asarray(parameters, np.float64), 1.0)
        shares = np.sqrt(counts / counts[level])
    return size * shares * lowest, size * shares * highest


def median_of_known(values: Floats) -> float:
    """Return the median of the values that are not NaN; NaN if there are none."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def lasting_from(state: NDArray[np.bool_]) -> int:
    """Return the index of the first sample from which on a state lasts; the last index if no sample has the state.

    `state` is (samples,).
    """
    if not len(state):
        return 0
    share_after = np.cumsum(state[::-1])[::-1] / np.arange(len(state), 0, -1)
    begins = np.flatnonzero(state & (share_after >= LASTING_SHARE))
    return int(begins[0]) if len(begins) else len(state) - 1


def _level_forms(levels: Floats, forms: list[tuple[float, str]]) -> None:
    """Remove from the levels, in place, the effect of the form of the weights and of the number of places.

    A weight that is used at a thousand places gets the sum of a thousand gradients, and a depthwise kernel of nine
    numbers gets another share than a matrix. So a layer is compared with the next layer of its own form towards the
    output; the first of a form is set to the level of the layer behind it. If every layer has a form of its own,
    nothing is left to compare.
    """
    raw = levels.copy()
    last_of: dict[tuple[float, str], int] = {}
    for place in range(levels.shape[1] - 1, -1, -1):
        same = last_of.get(forms[place])
        if same is not None:
            with np.errstate(invalid="ignore"):
                levels[:, place] = levels[:, same] + raw[:, place] - raw[:, same]
        elif place + 1 < levels.shape[1]:
            levels[:, place] = np.where(np.isfinite(raw[:, place]), levels[:, place + 1], raw[:, place])
        last_of[forms[place]] = place


def _level_geometry(levels: Floats, positions: list[float]) -> None:
    """Remove from the levels, in place, the jumps between layers of different geometry.

    Behind an average over 64 places, or where only the last step of a sequence is read, the gradient per number falls
    for that reason alone, in healthy nets too.
    """
    for place in range(len(positions) - 1, 0, -1):
        if positions[place - 1] != positions[place]:
            with np.errstate(invalid="ignore"):
                jump = levels[:, place] - levels[:, place - 1]
            levels[:, :place] += np.where(np.isfinite(jump), jump, 0.0)[:, None]
