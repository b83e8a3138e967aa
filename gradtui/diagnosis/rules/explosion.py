"""Find exploding gradients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradtui.diagnosis import cures
from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.loss import scatter_of
from gradtui.diagnosis.profile import Profile, median_of_known
from gradtui.diagnosis.rules.case import Case, number, times
from gradtui.diagnosis.rules.nonfinite import first_broken
from gradtui.diagnosis.rules.units import dead_layers
from gradtui.diagnosis.rules.unstable import reference_loss, swings
from gradtui.diagnosis.thresholds import (
    BLOWN_UP_RATIO,
    BREAKING_UPDATE,
    CERTAINLY_EXPLODING_DECADES,
    DEAD_LAYER,
    DEAD_SHARE,
    EXPLODING_DECADES,
    FALLING_RATIO,
    GROWN_RATIO,
    JUMP_SCATTER,
    LONE_SPIKE_RATIO,
    ROUGHLY_EVEN_DECADES,
    SPIKE_RATIO,
    SPIKE_RISE,
    UNSTABLE_LOSS,
    WEIGHTS_EXPLODING_DECADES,
)


class ExplosionSign(NamedTuple):
    """An ExplosionSign is one sign of an explosion."""

    step: int
    layers: tuple[str, ...]
    words: str
    weak: bool = False
    """Whether a profile of weight gradients is the only evidence; that alone is never critical."""


def exploding(case: Case) -> Finding | None:
    """Find a gradient that grows towards the input or during training, and does harm."""
    sign = (
        _before_breaking(case)
        or _with_swings(case)
        or _loss_out_of_hand(case)
        or _loss_without_end(case)
        or _blew_up_and_died(case)
        or _in_profile(case, case.depth, "layer")
        or _in_profile(case, case.lags, "step back in time")
    )
    return _finding(case, sign)


def spike(case: Case) -> Finding | None:
    """Find a norm that rose steeply once, in a net that does not learn without a worse finding (RECIPES.md, rule 7)."""
    # A gradient that rises when the net leaves a plateau, or at last reaches layers of weak gradient, is not a spike.
    if not case.past_warmup or case.learns_anyway or case.loss_is_falling:
        return None
    if case.depth.start <= -ROUGHLY_EVEN_DECADES or (case.started_learning and not case.evidence.finished):
        return None
    peak = _peak(case)
    if peak is None:
        return None
    step, norm, ratio = peak
    first = median_of_known(case.evidence.total_norm.values[:1])
    if ratio <= LONE_SPIKE_RATIO or norm < SPIKE_RISE * first or not _loss_was_hurt(case, step):
        return None
    words = f"The norm of the gradient rose to {number(norm)}, {number(ratio)} times its median"
    return _finding(case, ExplosionSign(step, (), words))


def harmless_explosion(case: Case) -> Finding | None:
    """Remark on a profile that explodes in a net that learns all the same."""
    profile = case.depth
    if not len(profile) or not profile.start >= EXPLODING_DECADES or not case.learns_anyway:
        return None
    first, last = case.end_layers()
    words = (
        f"At the start the {case.gradient_word} of {first} was {times(profile.start)} that of {last}, "
        f"but this does no harm: {case.progress_text()}."
    )
    return Finding("exploding", "info", int(profile.steps[profile.start_sample]), (), words)


def _finding(case: Case, sign: ExplosionSign | None) -> Finding | None:
    if sign is None:
        return None
    # A live net whose gradient explodes at the start may still learn.
    certain = case.evidence.finished or first_broken(case) is not None
    evidence = f"{sign.words}; {case.progress_text()}."
    offers = cures.for_exploding(case.evidence.experiment, case.measured(sign.layers))
    mild = not certain or case.started_learning or sign.weak
    return Finding.of("exploding", sign.step, sign.layers, evidence, offers, mild=mild)


# -- the signs of an explosion


def _in_profile(case: Case, profile: Profile, place: str) -> ExplosionSign | None:
    """Apply rule 6; a live net whose loss is falling, or that has begun to learn, is not called exploding."""
    doubtful = case.too_short or case.started_learning or case.nothing_moves
    needed = CERTAINLY_EXPLODING_DECADES if doubtful else EXPLODING_DECADES
    if profile is case.depth and case.by_weights:
        needed = WEIGHTS_EXPLODING_DECADES
    if not len(profile) or not case.past_warmup or not profile.start >= needed:
        return None
    if case.learns_anyway or case.loss_is_falling or (case.started_learning and not case.evidence.finished):
        return None
    return _steep(case, profile, place)._replace(weak=profile is case.depth and case.by_weights)


def _steep(case: Case, profile: Profile, place: str = "layer") -> ExplosionSign:
    """Return the explosion that a profile shows from the start."""
    sample = profile.start_sample
    factor = number(10 ** abs(profile.slope(sample)))
    step = int(profile.steps[sample])
    over = first_broken(case) is not None or not profile.now >= EXPLODING_DECADES
    multiplies = f"{'multiplied' if over else 'multiplies'} it by about {factor}"
    if place != "layer":
        lag = profile.levels.shape[1] - 1
        return ExplosionSign(
            step,
            (),
            _compared(f"gradient {lag} steps back in time", "of the last step", profile, over=over)
            + f"each step back in time {multiplies}",
        )
    grown = np.flatnonzero(profile.levels[sample] >= EXPLODING_DECADES)
    layers = case.names([profile.indices[index] for index in grown])
    first, last = case.end_layers()
    return ExplosionSign(
        step,
        layers,
        _compared(f"{case.gradient_word} of {first}", f"of {last}", profile, over=over)
        + f"each layer {multiplies}",
    )


def _compared(gradient: str, here: str, profile: Profile, *, over: bool) -> str:
    """Return how strong a gradient was at the start, and how strong it is now.

    over: whether it no longer explodes, or is NaN or infinite.
    """
    if not over:
        return f"The {gradient} is {times(profile.start)} that {here}: "
    known = np.isfinite(profile.now) and profile.now < EXPLODING_DECADES
    now = f" (in the newest samples {times(profile.now)}, their median)" if known else ""
    step = int(profile.steps[profile.start_sample])
    return f"The {gradient} was {times(profile.start)} that {here} at step {step:,}{now}: "


def _is_steep(case: Case) -> bool:
    needed = WEIGHTS_EXPLODING_DECADES if case.by_weights else EXPLODING_DECADES
    return len(case.depth) > 0 and case.depth.start >= needed


def _before_breaking(case: Case) -> ExplosionSign | None:
    """Apply rule 1: the gradient grew before a number was not finite, or, in an experiment, one update sufficed."""
    broken = first_broken(case)
    if broken is None:
        return None
    step, layers, _ = broken
    if _is_steep(case):
        sign = _steep(case, case.depth)
        return sign._replace(words=f"{sign.words}, and NaN or infinity appeared at step {step:,}")
    total = case.evidence.total_norm
    before = total.highest[(total.steps < step) & np.isfinite(total.highest)]
    if len(before) and before.max() >= GROWN_RATIO * before[0] > 0:
        rise = f"from {number(before[0])} to {number(before.max())}"
        return ExplosionSign(step, layers, f"The norm of the gradient grew {rise} before step {step:,}")
    update = case.evidence.update_ratio
    moved = update.highest[np.isfinite(update.highest)]
    if len(moved) and moved.max() >= BREAKING_UPDATE:
        return ExplosionSign(step, layers, f"A step moved weights by {number(moved.max())} times their size")
    if case.evidence.experiment is not None and step > 1:
        return ExplosionSign(
            step, layers, f"NaN or infinity appeared at step {step:,}, after all numbers had been finite"
        )
    return None


def _with_swings(case: Case) -> ExplosionSign | None:
    """Find a loss that swings while the gradient has grown; with an even gradient only the loss is unstable."""
    swinging = swings(case)
    if swinging is None:
        return None
    if _is_steep(case):
        sign = _steep(case, case.depth)
        return sign._replace(words=f"{sign.words}, and the loss swings")
    total = case.evidence.total_norm.highest
    if not _norm_has_grown(case):
        return None
    rise = f"from {number(total[0])} to {number(np.nanmax(total))}"
    return ExplosionSign(swinging[0], (), f"The loss swings, and the norm of the gradient grew {rise}")


def _loss_out_of_hand(case: Case) -> ExplosionSign | None:
    """Find a loss that rose to an extreme value, in a net that has learned nothing since; few steps are enough."""
    loss = case.evidence.loss
    if case.started_learning or not case.has_enough_steps or not len(loss):
        return None
    if case.loss.in_multiples:
        over = loss.highest > BLOWN_UP_RATIO * reference_loss(case)
        if not over.any() or not loss.highest.max() > GROWN_RATIO * loss.values[0]:
            return None
    else:
        # The size of a loss without a floor says nothing: it must have grown by decades, and the gradient with it.
        over = loss.highest - loss.values[0] > BLOWN_UP_RATIO * np.abs(loss.values[:3]).max()
        if not over.any() or case.loss.around_zero or not _norm_has_grown(case):
            return None
    step = int(loss.steps[np.flatnonzero(over)[0]])
    rise = f"from {number(float(loss.values[0]))} to {number(float(loss.highest.max()))}"
    return ExplosionSign(step, (), f"The loss rose {rise}")


def _loss_without_end(case: Case) -> ExplosionSign | None:
    """Find a loss that falls towards minus infinity: it is maximised by mistake, or it has no floor."""
    row = case.loss.falls_without_end
    if row is None or case.loss.around_zero or not case.past_warmup:
        return None
    loss = case.evidence.loss
    fall = f"from {number(float(loss.values[0]))} to {number(case.loss_now)}"
    return ExplosionSign(
        int(loss.steps[row]),
        (),
        f"The loss falls {fall} and does not slow down: it has no floor, or its sign is wrong",
    )


def _norm_has_grown(case: Case) -> bool:
    total = case.evidence.total_norm.highest
    return len(total) > 0 and bool(np.nanmax(total) >= GROWN_RATIO * total[0] > 0)


def _blew_up_and_died(case: Case) -> ExplosionSign | None:
    """Apply rule 3; after one huge step most units of a recurrent layer are dead, but seldom all."""
    # A layer whose units are all dead stays so; if only a share is dead, units may recover.
    share = DEAD_SHARE if case.past_warmup else DEAD_LAYER
    if case.started_learning or not case.has_enough_steps:
        return None
    dead = dead_layers(case, share=share, at_start=False)
    peak = _peak(case)
    if not dead or peak is None or dead_layers(case, share=DEAD_SHARE, at_start=True):
        return None
    step, norm, ratio = peak
    if norm <= BLOWN_UP_RATIO or ratio <= SPIKE_RATIO:
        return None
    whole = dead_layers(case, at_start=False)
    killed = f"every unit of {whole[0]} is" if whole else f"most units of {dead[0]} are"
    words = f"The norm of the gradient rose to {number(norm)} once, and since then {killed} dead"
    return ExplosionSign(step, dead, words)


def _peak(case: Case) -> tuple[int, float, float] | None:
    """Return the step and size of the largest total norm, and how many times its median it is."""
    total = case.evidence.total_norm
    finite = np.isfinite(total.highest)
    if finite.sum() < 3:
        return None
    usual = float(np.median(total.values[np.isfinite(total.values)]))
    index = int(np.argmax(np.where(finite, total.highest, -1.0)))
    norm = float(total.highest[index])
    return int(total.steps[index]), norm, norm / usual if usual > 0 else np.inf


# -- the loss


def _loss_was_hurt(case: Case, step: int) -> bool:
    """Return whether the loss rose with the norm at this step, and has not fallen below its earlier value since."""
    loss = case.evidence.loss
    before, after = loss.values[loss.steps < step], loss.highest[loss.steps >= step]
    if not len(after):
        return False
    now, rose_to = median_of_known(after), float(np.nanmax(after))
    if not case.loss.in_multiples:
        usual = median_of_known(before)
        return rose_to - usual > JUMP_SCATTER * scatter_of(before) and now > usual
    if not rose_to > UNSTABLE_LOSS * median_of_known(before):
        return False
    return not now < FALLING_RATIO * median_of_known(before) or now > UNSTABLE_LOSS * case.chance_loss
