"""Find gradients that fade on their way: over depth, over time, below the smallest number, or cut off."""

from __future__ import annotations

import numpy as np

from gradtui.diagnosis import cures
from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.profile import Profile, lasting_from, median_of_known
from gradtui.diagnosis.rules.case import Case, number, times
from gradtui.diagnosis.rules.units import dead_layers
from gradtui.diagnosis.rules.wiring import cut_off
from gradtui.diagnosis.thresholds import (
    CERTAINLY_VANISHING_DECADES,
    FEWEST_STEPS,
    FP16_SMALLEST,
    LARGEST_LOSS_SCALE,
    NEAR_FP16_SMALLEST,
    NOTHING_LEFT,
    ROUGHLY_EVEN_DECADES,
    SILENT_ROWS,
    SILENT_ROWS_AT_END,
    STANDSTILL_UPDATE,
    UNDERFLOW_SHARE,
    VANISHING_DECADES,
    VANISHING_LAG_DECADES,
)
from gradtui.experiment.net_plan import RECURRENT
from gradtui.experiment.optimizers import OPTIMIZERS
from gradtui.words import setting


def vanishing(case: Case) -> Finding | None:
    """Find a gradient that vanishes on its way to the input, or back through time, in a net that does not learn."""
    return _over_depth(case) or _over_time(case)


def harmless_vanishing(case: Case) -> Finding | None:
    """Remark on a profile that vanishes in a net that learns all the same."""
    profile = case.depth
    learns = case.learned or _has_recovered(case)
    if not learns or not len(profile) or not profile.start <= VANISHING_DECADES:
        return None
    first, last = case.end_layers()
    words = (
        f"At the start the {case.gradient_word} of {first} was {times(profile.start)} that of {last}, "
        f"but the net learns: {case.progress_text()}."
    )
    return Finding("vanishing", "info", int(profile.steps[profile.start_sample]), (), words)


def _has_recovered(case: Case) -> bool:
    """Return whether the net has begun to learn and the gradient reaches its first layers again."""
    return case.started_learning and case.depth.now > -ROUGHLY_EVEN_DECADES


def _over_depth(case: Case) -> Finding | None:
    profile = case.depth
    if not len(profile) or not case.has_enough_steps or _has_recovered(case):
        return None
    if dead_layers(case, at_start=True):
        return None
    sample, step = _vanishing_sample(case, profile)
    if sample is None:
        return None
    weak = np.flatnonzero(profile.levels[sample] <= VANISHING_DECADES)
    layers = case.names([profile.indices[index] for index in weak])
    drop = float(profile.drop[sample])
    first, last = case.end_layers()
    size = (
        "exactly 0, while that of " + last + " is not"
        if np.isneginf(drop)
        else f"{times(drop)} that of {last}"
    )
    words = f"The {case.gradient_word} of {first} is {size}"
    slope = profile.slope(sample)
    if np.isfinite(slope):
        words += f": each layer multiplies it by about {number(10**-slope)}"
    moved = case.usual_update(profile.indices[0])
    if np.isfinite(moved):
        words += (
            f". A step changes the weights of {first} by {number(moved)} of their size"
            if moved
            else f". No step changes the weights of {first}"
        )
    late = not profile.start <= VANISHING_DECADES
    offers = (cures.for_late_vanishing if late else cures.for_vanishing)(
        case.evidence.experiment, case.measured(layers)
    )
    # A profile of a script's weight gradients alone is never critical.
    mild = case.started_learning or case.by_weights or bool(np.isnan(case.relative_loss))
    return Finding.of("vanishing", step, layers, f"{words}; {case.progress_text()}.", offers, mild=mild)


def _vanishing_sample(case: Case, profile: Profile) -> tuple[int | None, int]:
    """Return the sample to show and the step at which it began; (None, 0) where nothing vanishes."""
    start = profile.start
    certain = start <= CERTAINLY_VANISHING_DECADES
    if case.by_weights and not certain and np.isnan(case.relative_loss):
        # Neither the outputs' gradients nor the loss are known, so only certain cases count.
        return None, 0
    if start > CERTAINLY_VANISHING_DECADES and not case.past_warmup:
        return None, 0
    if certain or (start <= VANISHING_DECADES and not case.too_short):
        if _may_yet_learn(case) or (not certain and case.nothing_moves):
            return None, 0
        return profile.start_sample, int(profile.steps[profile.start_sample])
    # The gradient was healthy and vanishes now, for example because a penalty shrinks the weights. Dead units or a
    # loss that has moved mean another cause.
    if case.started_learning or case.evidence.step < FEWEST_STEPS or dead_layers(case, at_start=False):
        return None, 0
    if not profile.now <= VANISHING_DECADES or not start < ROUGHLY_EVEN_DECADES:
        return None, 0
    with np.errstate(invalid="ignore"):
        return len(profile) - 1, int(profile.steps[lasting_from(profile.drop <= VANISHING_DECADES)])


def _may_yet_learn(case: Case) -> bool:
    """Return whether the first layer moves although its gradient is small.

    Adaptive rates make it move, and such nets learn after a plateau or not at all. A layer that only a penalty moves
    learns nothing, and SGD's steps are as small as the gradient.
    """
    experiment = case.evidence.experiment
    if case.nearly_done or (experiment and (experiment.cures.l1 or experiment.cures.l2)):
        return False
    adaptive = experiment is None or OPTIMIZERS[experiment.optimizer.kind].adaptive
    if not adaptive and case.depth.start <= CERTAINLY_VANISHING_DECADES:
        return False
    return case.usual_update(case.depth.indices[0]) >= STANDSTILL_UPDATE


def _over_time(case: Case) -> Finding | None:
    profile = case.lags
    if not len(profile) or not case.has_enough_steps or not profile.start <= VANISHING_LAG_DECADES:
        return None
    if case.learns_anyway or (case.started_learning and profile.now > VANISHING_LAG_DECADES):
        return None
    if dead_layers(case, at_start=True) or dead_layers(case, at_start=False):
        return None
    # Also in gated cells the gradient first vanishes over time; they learn to open their gates after a long plateau.
    gated = bool({"lstm", "gru"} & set(case.evidence.kinds))
    waited = case.nearly_done if gated else case.past_warmup
    if not case.evidence.finished and (case.started_learning or not waited):
        return None
    lag = profile.levels.shape[1] - 1
    then, now = times(profile.start), times(profile.now) if np.isfinite(profile.now) else ""
    step = int(profile.steps[profile.start_sample])
    words = f"At step {step:,} the gradient {lag} steps back in time was {then} that of the last time step"
    slope = profile.slope(profile.start_sample)
    if np.isfinite(slope):
        words += f": each step back multiplied it by about {number(10**-slope)}"
    if now and now != then:
        words += f". In the newest samples it is {now} (their median)"
    recurrent = [index for index, kind in enumerate(case.evidence.kinds) if kind in RECURRENT]
    return Finding.of(
        "vanishing",
        step,
        case.names(recurrent),
        f"{words}; {case.progress_text()}.",
        cures.for_vanishing_over_time(case.evidence.experiment, case.measured(case.names(recurrent))),
        mild=case.started_learning,
    )


def underflow(case: Case) -> Finding | None:
    """Find a gradient that is exactly 0 in the first layers because it is below its number format's smallest."""
    if case.learned or not case.has_enough_steps:
        return None
    silent = _silent_layers(case, UNDERFLOW_SHARE)
    path = case.evidence.path()
    below = [index for index in path if index in silent]
    half = "float16" in (case.evidence.number_format, case.evidence.computed_in)
    if half and len(silent) == len(case.evidence.layers):
        return _underflow_of_all(case)
    if not below or below != path[: len(below)] or len(below) == len(path):
        return None
    experiment = case.evidence.experiment
    if experiment is not None and experiment.run.precision != "fp16":
        return None
    if case.evidence.number_format and not half:
        return None
    following = path[len(below)]
    size = _output_gradient(case, following)
    scale = (experiment.run.loss_scale or 65_536.0) if experiment else 1.0
    if not FP16_SMALLEST / LARGEST_LOSS_SCALE <= size <= FP16_SMALLEST * NEAR_FP16_SMALLEST / scale:
        return None
    layers = case.evidence.layers
    words = (
        f"The gradient of {layers[below[0]]} to {layers[below[-1]]} is exactly 0. That of "
        f"{layers[following]} is {number(size)}, and the smallest number in fp16 is "
        f"{setting(FP16_SMALLEST)}; {case.progress_text()}."
    )
    norms = case.evidence.grad_norm
    step = int(norms.steps[np.flatnonzero(norms.highest[:, below[0]] == 0.0)[0]])
    return Finding.of(
        "underflow", step, case.names(below), words, cures.for_underflow(experiment, case.measured())
    )


def _underflow_of_all(case: Case) -> Finding:
    """Return the finding where the net is computed in float16 and the gradient is exactly 0 in all of its layers."""
    subject = "the parameters are" if case.evidence.number_format == "float16" else "the net is computed in"
    words = (
        f"The gradient of every layer is exactly 0: {subject} float16, whose smallest number is "
        f"{setting(FP16_SMALLEST)}, and the gradient of the loss lies below it; {case.progress_text()}."
    )
    norms = case.evidence.grad_norm
    step = int(norms.steps[np.flatnonzero((norms.highest == 0.0).all(axis=1))[0]])
    offers = cures.for_underflow(case.evidence.experiment, case.measured())
    return Finding.of("underflow", step, case.evidence.layers, words, offers)


def no_gradient(case: Case) -> Finding | None:
    """Find layers that never got a gradient although others do: they are cut off, detached or unused."""
    if (unreached := cut_off(case)) is not None:
        return unreached
    return _silent(case) or _went_silent(case)


def _went_silent(case: Case) -> Finding | None:
    """Find a gradient that has become exactly 0 in all layers: an output that no longer depends on the input.

    Causes are a ReLU after the last layer whose input is never positive, and a loss function that is flat there. If the
    loss is 0, nothing is left to learn (for example, all examples keep a hinge loss's margin).
    """
    norms = case.evidence.grad_norm
    if case.evidence.experiment is not None or not len(norms) or _has_nothing_to_learn(case):
        return None
    loud = np.flatnonzero((norms.highest != 0.0).any(axis=1))
    rows = len(norms) - 1 - int(loud[-1]) if len(loud) else 0
    if not loud.size or not rows:
        return None
    before, step = int(norms.steps[loud[-1]]), int(norms.steps[loud[-1] + 1])
    if rows < (SILENT_ROWS_AT_END if case.evidence.finished else SILENT_ROWS):
        # A net that is slow to measure has few rows. Where the loss has not fallen, the last one says enough.
        loss = case.loss
        if not case.evidence.finished or not loss.in_multiples or loss.around_zero or loss.has_fallen:
            return None
    elif case.evidence.step - step < FEWEST_STEPS:
        return None
    since = f"From step {step:,} on" if rows > 1 else f"At step {step:,}, unlike at step {before:,},"
    words = (
        f"{since} the gradient is exactly 0 in every layer: the output no longer depends on the "
        "parameters (for example, because a ReLU after the last layer is dead); "
        f"{case.progress_text()}."
    )
    return Finding.of("no-gradient", step, case.evidence.layers, words, mild=bool(np.isnan(case.loss_now)))


def _has_nothing_to_learn(case: Case) -> bool:
    """Return whether the loss is exactly 0, or next to nothing of what it was."""
    loss = case.evidence.loss.values
    return len(loss) > 0 and abs(case.loss_now) <= NOTHING_LEFT * float(np.nanmax(np.abs(loss)))


def _silent(case: Case) -> Finding | None:
    experiment = case.evidence.experiment
    frozen = set(range(experiment.cures.pretrain.freeze)) if experiment else set()
    silent = _silent_layers(case, 1.0) - frozen
    if not silent or dead_layers(case, at_start=True) or dead_layers(case, at_start=False):
        return None
    path = case.evidence.path()
    weak = [index for index in path if index in silent]
    if weak == path[: len(weak)] and len(weak) < len(path) and _has_weak_gradient(case, path[len(weak)]):
        # Of projections and the first layers of branches, leave out those between the weak layers.
        silent = {index for index in silent if index > path[len(weak)]}
    if not silent:
        return None
    names, called = case.names(sorted(silent)), tuple(map(case.called, sorted(silent)))
    words = (
        "The gradient has been exactly 0 in every layer since the first step: nothing of the loss "
        "passes through the output (for example, because of a dead ReLU after the last layer or a "
        f"softmax over one unit); {case.progress_text()}."
        if len(silent) == len(case.evidence.layers)
        else f"{_listed(called)} never received a gradient in {case.evidence.step:,} steps, while other layers did."
    )
    return Finding.of("no-gradient", int(case.evidence.grad_norm.steps[0]), names, words)


def _silent_layers(case: Case, share: float) -> set[int]:
    """Return the layers whose gradient was exactly 0 in that share of the rows; empty while there are too few rows."""
    series = case.evidence.grad_norm
    if len(series) < (SILENT_ROWS_AT_END if case.evidence.finished else SILENT_ROWS):
        return set()
    return set(np.flatnonzero((series.highest == 0.0).mean(axis=0) >= share).tolist())


def _has_weak_gradient(case: Case, index: int) -> bool:
    """Return whether the gradient of a layer is next to nothing, which may be why the layers before it have none."""
    levels = case.depth.levels
    if not len(levels) or index not in case.depth.indices:
        return False
    return median_of_known(levels[:, case.depth.indices.index(index)]) <= VANISHING_DECADES


def _output_gradient(case: Case, index: int) -> float:
    """Return the RMS gradient of a layer's output, or else of its parameters."""
    series = case.evidence.output_grad_rms
    if len(series):
        return median_of_known(series.values[:, index])
    size = max(case.evidence.parameters[index], 1) ** 0.5
    return median_of_known(case.evidence.grad_norm.values[:, index] / size)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]}, {names[1]} and {len(names) - 2} more layers"
