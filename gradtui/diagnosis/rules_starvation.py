"""Gradients that die on their way: over depth, over time, below the smallest number, or cut off."""

from __future__ import annotations

import numpy as np

from gradtui.diagnosis import cures
from gradtui.diagnosis.case import MIN_STEPS, Case, number, times
from gradtui.diagnosis.findings import Finding, Severity
from gradtui.diagnosis.profile import EVEN, Profile, middle
from gradtui.diagnosis.rules_units import wholly_dead
from gradtui.diagnosis.updates import STILL, nothing_moves, update_of

VANISHING_DROP = -2.0
"""Decades from the last hidden layer to the first (SCIENCE.md, rule 6; healthy nets stay above −0.9)."""
VANISHING_LAGS = -3.0
"""The same over time lags (SCIENCE.md, rule 6)."""
CERTAIN_DROP = -3.3
"""What vanishing nets begin at (SCIENCE.md): a run that has not had the time to show whether it learns is judged by
this."""
FP16_FLOOR = 6e-8
"""The smallest number of fp16."""
NEAR_FLOOR = 1e3
"""Times that: where the last layer that has a gradient stands this close to it, the next ones fell below."""
LARGEST_SCALE = 2.0**24
"""Of a loss: a number far below fp16's smallest over this was lost by float32, not by fp16."""
ROWS = 20
"""Steps in which a gradient must have been exactly 0 to count as cut off; of a run that is over, ROWS_AT_END."""
ROWS_AT_END = 3
MOSTLY = 0.5
"""Of the steps: so often a gradient must have been exactly 0 to have fallen below fp16's floor. Large steps of other
layers lift it above now and then (ACCURACY.md)."""


def vanishing(case: Case) -> Finding | None:
    """A gradient that dies on its way to the input, or back through time, in a net that does not learn."""
    return _over_depth(case) or _over_time(case)


def held_vanishing(case: Case) -> Finding | None:
    """A profile that vanishes, in a net that learns all the same: worth a word, not an alarm."""
    profile = case.depth
    if not (case.learned or _recovered(case)) or not len(profile) or not profile.start <= VANISHING_DROP:
        return None
    first, last = case.ends()
    words = (
        f"At its start the gradient of {first} was {times(profile.start)} that of {last}, but it learns: "
        f"{case.progress()}."
    )
    return Finding("vanishing", "info", int(profile.steps[profile.start_sample]), (), words)


def _recovered(case: Case) -> bool:
    """Whether it has begun to learn, and its first layers starve no more."""
    return case.begun and case.depth.now > -EVEN


def _over_depth(case: Case) -> Finding | None:
    profile = case.depth
    if not len(profile) or not case.ripe or wholly_dead(case, at_start=True) or _recovered(case):
        return None
    sample, step = _sick_sample(case, profile)
    if sample is None:
        return None
    levels = profile.levels[sample]
    starved = np.flatnonzero(levels <= VANISHING_DROP)
    layers = case.names([profile.indices[index] for index in starved])
    drop = float(profile.drop[sample])
    first, last = case.ends()
    size = (
        "exactly 0, while that of " + last + " is not"
        if np.isneginf(drop)
        else f"{times(drop)} that of {last}"
    )
    words = f"The gradient of {first} is {size}"
    slope = profile.slope(sample)
    if np.isfinite(slope):
        words += f", {slope:.2g} decades a layer"
    moved = update_of(case, profile.indices[0])
    if np.isfinite(moved):
        words += f"; a step moves {first} by {number(moved)} of its size"
    severity: Severity = "warning" if case.begun or np.isnan(case.relative_loss) else "critical"
    late = not profile.start <= VANISHING_DROP
    offers = (cures.for_late_vanishing if late else cures.for_vanishing)(case.evidence.experiment)
    return Finding("vanishing", severity, step, layers, f"{words}; {case.progress()}.", offers)


def _sick_sample(case: Case, profile: Profile) -> tuple[int | None, int]:
    """The sample to show and the step at which it began; (None, 0) where nothing vanishes."""
    start = profile.start
    if start > CERTAIN_DROP and not case.developed:
        return None, 0
    if start <= (CERTAIN_DROP if case.brief else VANISHING_DROP):
        if _may_yet_learn(case) or (start > CERTAIN_DROP and nothing_moves(case)):
            return None, 0
        return profile.start_sample, int(profile.steps[profile.start_sample])
    # It began well and starves now: a penalty that eats the weights, say. Not where units died on the way,
    # nor where the loss has moved.
    if case.begun or case.evidence.step < MIN_STEPS or not profile.now <= VANISHING_DROP or not start < EVEN:
        return None, 0
    if wholly_dead(case, at_start=False):
        return None, 0
    with np.errstate(invalid="ignore"):
        return len(profile) - 1, profile.since(profile.drop <= VANISHING_DROP)


def _may_yet_learn(case: Case) -> bool:
    """Whether the first layer moves, for all that its gradient is small.

    Adaptive rates make it so, and such nets learn after a plateau, or not at all. What a penalty moves learns nothing,
    and SGD's steps are as small as the gradient.
    """
    experiment = case.evidence.experiment
    if case.nearly_done or (experiment and (experiment.cures.l1 or experiment.cures.l2)):
        return False
    if experiment and experiment.optimizer.kind == "sgd" and case.depth.start <= CERTAIN_DROP:
        return False
    return update_of(case, case.depth.indices[0]) >= STILL


def _over_time(case: Case) -> Finding | None:
    profile = case.lags
    if not len(profile) or not case.ripe or not profile.start <= VANISHING_LAGS:
        return None
    if case.held or (case.begun and profile.now > VANISHING_LAGS):
        return None
    if wholly_dead(case, at_start=True) or wholly_dead(case, at_start=False):
        return None
    # Gated cells begin with a gradient that dies over time too, and learn to open their gates after a long plateau.
    gated = bool({"lstm", "gru"} & set(case.evidence.kinds))
    if not case.evidence.finished and (case.begun or not (case.nearly_done if gated else case.developed)):
        return None
    lag = profile.levels.shape[1] - 1
    words = f"The gradient at lag {lag} is {times(profile.start)} that at lag 0"
    slope = profile.slope(profile.start_sample)
    if np.isfinite(slope):
        words += f", {slope:.2g} decades a step back in time"
    if np.isfinite(profile.now) and len(profile) > 1:
        words += f" (now {times(profile.now)})"
    recurrent = [index for index, kind in enumerate(case.evidence.kinds) if kind in ("rnn", "lstm", "gru")]
    severity: Severity = "warning" if case.begun else "critical"
    return Finding(
        "vanishing",
        severity,
        int(profile.steps[profile.start_sample]),
        case.names(recurrent),
        f"{words}; {case.progress()}.",
        cures.for_vanishing_over_time(case.evidence.experiment),
    )


def underflow(case: Case) -> Finding | None:
    """The first layers' gradient is exactly 0 because it is smaller than the number format's smallest number."""
    if case.learned or not case.ripe:
        return None
    silent = _silent(case, MOSTLY)
    path = case.evidence.path()
    below = [index for index in path if index in silent]
    if not below or below != path[: len(below)] or len(below) == len(path) or not _half_precision(case):
        return None
    following = path[len(below)]
    size = _size_of(case, following)
    if not FP16_FLOOR / LARGEST_SCALE <= size <= FP16_FLOOR * NEAR_FLOOR / _scale(case):
        return None
    words = (
        f"The gradient of {case.evidence.layers[below[0]]} to {case.evidence.layers[below[-1]]} is exactly 0: that of "
        f"{case.evidence.layers[following]} is {number(size)}, and the smallest number of fp16 is {FP16_FLOOR:g}; "
        f"{case.progress()}."
    )
    step = int(
        case.evidence.grad_norm.steps[np.flatnonzero(case.evidence.grad_norm.highest[:, below[0]] == 0.0)[0]]
    )
    offers = cures.for_underflow(case.evidence.experiment)
    return Finding("underflow", "critical", step, case.names(below), words, offers)


def no_gradient(case: Case) -> Finding | None:
    """Layers that never got any gradient, though others beside them do: cut off, detached, unused."""
    silent = _silent(case, 1.0) - _frozen(case)
    if not silent or wholly_dead(case, at_start=True) or wholly_dead(case, at_start=False):
        return None
    path = case.evidence.path()
    starved = [index for index in path if index in silent]
    if (
        starved == path[: len(starved)]
        and len(starved) < len(path)
        and _starves_before(case, path[len(starved)])
    ):
        silent -= set(starved)
        # Projections and first layers of branches lie between them.
        silent = {index for index in silent if index > path[len(starved)]}
    if not silent:
        return None
    names = case.names(sorted(silent))
    everything = len(silent) == len(case.evidence.layers)
    words = (
        "No layer has ever received a gradient: the loss does not depend on the parameters."
        if everything
        else f"{_listed(names)} never received a gradient in {case.evidence.step} steps, while other layers did."
    )
    return Finding("no-gradient", "critical", int(case.evidence.grad_norm.steps[0]), names, words)


def _silent(case: Case, share: float) -> set[int]:
    """Layers whose gradient was exactly 0 in that share of the rows; empty while there are too few rows."""
    series = case.evidence.grad_norm
    if len(series) < (ROWS_AT_END if case.evidence.finished else ROWS):
        return set()
    return set(np.flatnonzero((series.highest == 0.0).mean(axis=0) >= share).tolist())


def _frozen(case: Case) -> set[int]:
    experiment = case.evidence.experiment
    return set(range(experiment.cures.pretrain.freeze)) if experiment else set()


def _starves_before(case: Case, index: int) -> bool:
    """Whether the layers before this one may have starved: its own gradient is next to nothing already."""
    levels = case.depth.levels
    if not len(levels) or index not in case.depth.indices:
        return False
    return middle(levels[:, case.depth.indices.index(index)]) <= VANISHING_DROP


def _half_precision(case: Case) -> bool:
    experiment = case.evidence.experiment
    return experiment is None or experiment.run.precision == "fp16"


def _scale(case: Case) -> float:
    experiment = case.evidence.experiment
    return (experiment.run.loss_scale or 65_536.0) if experiment else 1.0


def _size_of(case: Case, index: int) -> float:
    """RMS gradient of a layer's output, or else of its parameters."""
    series = case.evidence.output_grad_rms
    if len(series):
        return middle(series.values[:, index])
    size = max(case.evidence.parameters[index], 1) ** 0.5
    return middle(case.evidence.grad_norm.values[:, index] / size)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]}, {names[1]} and {len(names) - 2} more layers"
