"""Exploding gradients, and a loss that swings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradtui.diagnosis import cures
from gradtui.diagnosis.case import FALLING, FAR_ABOVE, Case, number, times
from gradtui.diagnosis.findings import Finding, Severity
from gradtui.diagnosis.profile import EVEN, Profile, middle
from gradtui.diagnosis.rules_nonfinite import first_broken
from gradtui.diagnosis.rules_units import DEAD_SHARE, WHOLLY, layers_dead, wholly_dead
from gradtui.diagnosis.running import running_median
from gradtui.diagnosis.updates import nothing_moves

EXPLODING_DROP = 1.0
"""Decades by which the first hidden layer's gradient exceeds the last one's (SCIENCE.md, rule 6; healthy nets stay
within 0.9, exploding ones begin at 1.5)."""
CERTAIN_DROP = 1.5
"""What exploding nets begin at (SCIENCE.md): a run that has not had the time to show whether it learns is judged by
this."""
UNSTABLE_LOSS = FAR_ABOVE
"""Times the chance loss, and times the lowest that the loss had come to before: a loss that
begins high and stays or falls is slow, not unstable."""
UNSTABLE_SHARE = 0.2
"""Of the steps after the first quarter (SCIENCE.md, rule 2)."""
UNSTABLE_STEPS = 40
"""Nothing is called unstable before this: the first quarter must have been some steps …"""
CALMED = 0.25
"""… and of a net that has learned only what still swings in this share of its steps, the last."""
SMOOTHED = 5
"""Steps (or a twentieth of the run) whose median counts as how low the loss had come: one lucky batch does not."""
SPIKE = 50.0
"""Largest total norm over its median (SCIENCE.md, rules 3 and 7) …"""
SPIKE_RISE = 5.0
"""… and over its first value: a norm that falls from where it began is no explosion in the course of a run."""
BLOWN_UP = 1000.0
"""Largest total norm of a net that blew up and died (SCIENCE.md, rule 3), and times the chance loss."""
GROWTH = 10.0
"""Times its first value: the gradient grew before numbers or loss broke; noise does not do that."""
BROKEN_UPDATE = 1.0
"""An update as large as the weights themselves (TheDeepChecker warns at 0.1, SageMaker at 10)."""


class Sign(NamedTuple):
    """One sign of an explosion."""

    step: int
    layers: tuple[str, ...]
    words: str


def exploding(case: Case) -> Finding | None:
    """A gradient that grows towards the input or in the course of training, and does harm."""
    sign = (
        _before_breaking(case)
        or _with_swings(case)
        or _out_of_hand(case)
        or _blew_up_and_died(case)
        or _profile(case, case.depth, "layer")
        or _profile(case, case.lags, "step back in time")
    )
    return _finding(case, sign)


def spike(case: Case) -> Finding | None:
    """A norm that shot up once, in a net that does not learn and has nothing worse (SCIENCE.md, rule 7)."""
    return _finding(case, _spike(case))


def _finding(case: Case, sign: Sign | None) -> Finding | None:
    if sign is None:
        return None
    # Live, a net that explodes at its start may still be held.
    certain = case.evidence.finished or first_broken(case) is not None
    severity: Severity = "critical" if certain and not case.begun else "warning"
    evidence = f"{sign.words}; {case.progress()}."
    return Finding(
        "exploding", severity, sign.step, sign.layers, evidence, cures.for_exploding(case.evidence.experiment)
    )


def unstable_loss(case: Case) -> Finding | None:
    """A loss above chance, again and again (SCIENCE.md, rule 2)."""
    swings = _swings(case)
    if swings is None:
        return None
    step, share = swings
    highest = np.nanmax(case.evidence.loss.highest)
    words = (
        f"In {share:.0%} of the steps after the first quarter the loss stands above {UNSTABLE_LOSS} times that of "
        f"chance ({number(case.chance)}), and it reached {number(float(highest))}."
    )
    severity: Severity = "warning" if case.learned else "critical"
    return Finding(
        "unstable-loss", severity, step, (), words, cures.for_unstable_loss(case.evidence.experiment)
    )


def held_explosion(case: Case) -> Finding | None:
    """A profile that explodes, in a net that learns all the same: worth a word, not an alarm."""
    profile = case.depth
    if not len(profile) or not profile.start >= EXPLODING_DROP or not case.held:
        return None
    first, last = case.ends()
    words = (
        f"At its start the gradient of {first} was {times(profile.start)} that of {last}, but it is held: "
        f"{case.progress()}."
    )
    return Finding("exploding", "info", int(profile.steps[profile.start_sample]), (), words)


def _profile(case: Case, profile: Profile, place: str) -> Sign | None:
    """Rule 6. Live, a net that is coming down or has begun to learn is left in peace."""
    doubtful = case.brief or case.begun or nothing_moves(case)
    needed = CERTAIN_DROP if doubtful else EXPLODING_DROP
    if not len(profile) or not case.developed or not profile.start >= needed:
        return None
    if case.held or case.coming_down or (case.begun and not case.evidence.finished):
        return None
    return _steep(case, profile, place)


def _steep(case: Case, profile: Profile, place: str) -> Sign:
    """The explosion that a profile shows from the start."""
    sample = profile.start_sample
    slope = f"{abs(profile.slope(sample)):.2g} decades a {place}"
    step = int(profile.steps[sample])
    if place != "layer":
        lag = profile.levels.shape[1] - 1
        return Sign(step, (), f"The gradient at lag {lag} is {times(profile.start)} that at lag 0, {slope}")
    grown = np.flatnonzero(profile.levels[sample] >= EXPLODING_DROP)
    layers = case.names([profile.indices[index] for index in grown])
    first, last = case.ends()
    return Sign(step, layers, f"The gradient of {first} is {times(profile.start)} that of {last}, {slope}")


def _before_breaking(case: Case) -> Sign | None:
    """Rule 1: what became no number had grown before; or, in a net of our own, one update sufficed."""
    broken = first_broken(case)
    if broken is None:
        return None
    step, layers, _ = broken
    if len(case.depth) and case.depth.start >= EXPLODING_DROP:
        sign = _steep(case, case.depth, "layer")
        return sign._replace(words=f"{sign.words}, and the numbers broke at step {step}")
    total = case.evidence.total_norm
    before = total.highest[(total.steps < step) & np.isfinite(total.highest)]
    if len(before) and before.max() >= GROWTH * before[0] > 0:
        rise = f"from {number(before[0])} to {number(before.max())}"
        return Sign(step, layers, f"The norm of the gradient grew {rise} before step {step}")
    update = case.evidence.update_ratio
    moved = update.highest[np.isfinite(update.highest)]
    if len(moved) and moved.max() >= BROKEN_UPDATE:
        return Sign(step, layers, f"A step moved weights by {number(moved.max())} times their size")
    if case.evidence.experiment is not None and step > 1:
        return Sign(step, layers, f"The numbers broke at step {step}, after they had been finite")
    return None


def _with_swings(case: Case) -> Sign | None:
    """A loss that swings while the gradient has grown; with an even gradient it is the loss alone."""
    swings = _swings(case)
    if swings is None:
        return None
    if len(case.depth) and case.depth.start >= EXPLODING_DROP:
        sign = _steep(case, case.depth, "layer")
        return sign._replace(words=f"{sign.words}, and the loss swings")
    total = case.evidence.total_norm.highest
    if not len(total) or not np.nanmax(total) >= GROWTH * total[0] > 0:
        return None
    rise = f"from {number(total[0])} to {number(np.nanmax(total))}"
    return Sign(swings[0], (), f"The loss swings, and the norm of the gradient grew {rise}")


def _swings(case: Case) -> tuple[int, float] | None:
    """The first step of the swings and the share of the steps that they take."""
    loss = case.evidence.loss
    enough = case.evidence.step >= UNSTABLE_STEPS and len(loss) >= UNSTABLE_STEPS
    if not enough or not case.developed or not case.chance > 0:
        return None
    if wholly_dead(case, at_start=True):
        # Only the biases behind the dead layer move, and what they do tells nothing of the rest.
        return None
    values = np.where(np.isfinite(loss.values), loss.values, np.inf)
    span = max(SMOOTHED, len(values) // 20)
    smooth = running_median(values, span)
    lowest = np.minimum.accumulate(smooth)
    lowest = np.concatenate([np.full(span - 1, lowest[0]), lowest])
    high = values > UNSTABLE_LOSS * np.maximum(case.chance, lowest)
    weights = np.diff(loss.steps, append=loss.steps[-1] + 1).astype(np.float64)
    length = loss.steps[-1] - loss.steps[0]

    def share_after(part: float) -> float:
        later = loss.steps > loss.steps[0] + part * length
        return float((weights * high)[later].sum() / weights[later].sum())

    share = share_after(0.25)
    if share < UNSTABLE_SHARE or (case.learned and share_after(1.0 - CALMED) < UNSTABLE_SHARE):
        return None
    return int(loss.steps[np.flatnonzero(high)[0]]), share


def _out_of_hand(case: Case) -> Sign | None:
    """A loss that rose out of all proportion, in a net that has learned nothing since: nobody need wait for more."""
    loss = case.evidence.loss
    if case.begun or not case.ripe or not len(loss):
        return None
    over = loss.highest > BLOWN_UP * case.chance
    if not over.any() or not loss.highest.max() > GROWTH * loss.values[0]:
        return None
    step = int(loss.steps[np.flatnonzero(over)[0]])
    return Sign(
        step, (), f"The loss rose from {number(float(loss.values[0]))} to {number(float(loss.highest.max()))}"
    )


def _blew_up_and_died(case: Case) -> Sign | None:
    """Rule 3; a recurrent layer hit by one huge step is left with most of its units dead, seldom with all."""
    # A layer without a living unit stays so; a share of them may come back.
    share = DEAD_SHARE if case.developed else WHOLLY
    if case.begun or not case.ripe:
        return None
    dead = layers_dead(case, share, at_start=False)
    peak = _peak(case)
    if not dead or layers_dead(case, DEAD_SHARE, at_start=True) or peak is None:
        return None
    step, norm, ratio = peak
    if norm <= BLOWN_UP or ratio <= SPIKE:
        return None
    whole = wholly_dead(case, at_start=False)
    killed = f"every unit of {whole[0]} is" if whole else f"most units of {dead[0]} are"
    words = f"The norm of the gradient rose to {number(norm)}, and since then {killed} dead"
    return Sign(step, dead, words)


def _spike(case: Case) -> Sign | None:
    """Rule 7. Where a net leaves a plateau, or its first layers starved, the gradient that comes at last is none."""
    if not case.developed or case.held or case.coming_down or case.depth.start <= -EVEN:
        return None
    if case.begun and not case.evidence.finished:
        return None
    peak = _peak(case)
    if peak is None:
        return None
    step, norm, ratio = peak
    first = middle(case.evidence.total_norm.values[:1])
    if ratio <= SPIKE or norm < SPIKE_RISE * first or not _hurt(case, step):
        return None
    return Sign(
        step, (), f"The norm of the gradient rose to {number(norm)}, {number(ratio)} times its median"
    )


def _hurt(case: Case, step: int) -> bool:
    """Whether the loss rose with the norm, and did not come down to below what it was before."""
    loss = case.evidence.loss
    before, after = loss.values[loss.steps < step], loss.highest[loss.steps >= step]
    if not len(after) or not float(np.nanmax(after)) > UNSTABLE_LOSS * middle(before):
        return False
    return not middle(after) < FALLING * middle(before) or middle(after) > UNSTABLE_LOSS * case.chance


def _peak(case: Case) -> tuple[int, float, float] | None:
    """Step and size of the largest total norm, and how many times its median it is."""
    total = case.evidence.total_norm
    finite = np.isfinite(total.highest)
    if finite.sum() < 3:
        return None
    usual = float(np.median(total.values[np.isfinite(total.values)]))
    index = int(np.argmax(np.where(finite, total.highest, -1.0)))
    norm = float(total.highest[index])
    return int(total.steps[index]), norm, norm / usual if usual > 0 else np.inf
