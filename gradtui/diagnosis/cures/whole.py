"""Build the whole cure: it undoes everything that stands out at once, with the rate and the structure that the net
needs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

from gradtui.diagnosis.cures import rates
from gradtui.diagnosis.cures.case_texts import worded
from gradtui.diagnosis.cures.measured import Measured
from gradtui.diagnosis.cures.offers import HEALTHY_DECADES, theory_agrees, valid
from gradtui.diagnosis.cures.unusual import CurePart, and_listed, slope, unusual
from gradtui.diagnosis.findings import CureOffer
from gradtui.diagnosis.theory import predict
from gradtui.diagnosis.thresholds import LARGEST_UPDATE, SMALLEST_UPDATE
from gradtui.experiment.cures import cure
from gradtui.experiment.net_plan import RECURRENT, depth_of
from gradtui.experiment.overrides import set_fields
from gradtui.experiment.spec import Experiment
from gradtui.words import setting

Fault = Literal[
    "vanishes",
    "vanishes over time",
    "steep",
    "breaks",
    "units",
    "moves too little",
    "moves too much",
    "slow",
]
"""What is wrong: the gradient vanishes over depth or over time, is steep from the start or breaks in training; units
no longer respond; steps are too small or too large; or none of these, and the net has learned too little."""

DEEP_LAYERS = 8
"""Above this number of layers of weights, only a norm or shortcuts help; another activation does not."""
SHALLOW_LAYERS = 3
"""Up to this number of layers of weights, a rate that is too small can be the only cause."""
RATE_SPREAD = 4.0
"""An adaptive rate stands out if it is larger or smaller than the usual one by this factor."""
WIDE_RATE_SPREAD = 10.0
"""An adaptive rate above the usual one stands out from this factor on, if nothing broke and no units died."""
USUAL_SGD_RATES = (0.02, 0.5)
"""A rate of SGD, times the factor that momentum adds to the steps, stands out if it is outside of these."""
RATE_PRICES = ("the rate may have to change with it", "the rate may have to grow again")
"""The price of parts that go with another rate."""
LEAST_SLOPE = 0.5
"""A recurrence of radius 1 keeps a gradient only behind an activation of this slope at least: a sigmoid has 1/4."""
FEWEST_IN_BATCH = 16
"""Batch norm needs this many examples in a batch."""


def whole(exp: Experiment, measured: Measured, fault: Fault) -> CureOffer | None:
    """Return the cure that undoes everything that stands out; None where nothing does."""
    parts, cured = [], exp
    for part in _undone(exp, measured, fault):
        parts.append(part)
        cured = _with(cured, part)
    fields = len(parts)
    for part in _structure(exp, cured, measured, fault):
        parts.append(part)
        cured = _with(cured, part)
    rate = _rate(exp, cured, measured, fault, parts)
    if rate is None and fault == "moves too little":
        rate = _larger(exp, measured)
    if rate is not None:
        parts.append(rate)
        cured = _with(cured, rate)
    if fault == "breaks" and parts and not exp.cures.clip_norm:
        parts.append(_clip())
    changes: dict[str, Any] = {}
    for part in parts:
        changes |= part.changes
    changes = valid(exp, changes)
    if not changes:
        return None
    if len(parts) == 1:
        (only,) = parts
        return CureOffer(only.name, changes, f"{_capital(only.why)}.", f"{only.price or 'none'}.", only.key)
    names = list(dict.fromkeys(part.name for part in parts))
    name = and_listed(names) if fields < 2 else f"undo what is unusual: {and_listed(names)}"
    whys = dict.fromkeys(f"{_capital(part.name)}: {part.why}." for part in parts)
    # The cure sets the rate itself, so that the person need not.
    idle = ("", "none", *(RATE_PRICES if rate is not None else ()))
    prices = dict.fromkeys(part.price for part in parts if part.price not in idle)
    return CureOffer(name, changes, " ".join(whys), f"{'; '.join(prices) or 'none'}.")


def _undone(exp: Experiment, measured: Measured, fault: Fault) -> Iterator[CurePart]:
    explodes = fault in ("steep", "breaks", "moves too much")
    slow = fault in ("moves too little", "slow")
    vanishes = slow or fault in ("vanishes", "vanishes over time")
    # Over time a gradient vanishes by large weights too: they saturate the units, and the gates.
    lower = slow or explodes or fault in ("units", "vanishes over time")
    yield from unusual(exp, raise_weights=vanishes, lower_weights=lower)


def _with(exp: Experiment, part: CurePart) -> Experiment:
    changes = valid(exp, part.changes)
    return set_fields(exp, changes) if changes else exp


# -- the structure


def _structure(exp: Experiment, cured: Experiment, measured: Measured, fault: Fault) -> Iterator[CurePart]:
    if fault == "moves too much" or (fault == "moves too little" and _is_shallow(exp)):
        return
    if any(group.block == "attention" for group in exp.net):
        yield from _part(cured, "pre-norm")
        return
    if any(group.block in RECURRENT for group in exp.net):
        yield from _recurrent(exp, cured, fault)
        return
    deep = depth_of(exp) > DEEP_LAYERS
    slow = fault in ("moves too little", "slow")
    if not deep and not slow and fault not in ("vanishes", "steep"):
        return
    profile = predict(cured).log10_profile if theory_agrees(exp, measured.start) else ()
    even = bool(profile) and 0.5 * HEALTHY_DECADES[0] < profile[0] < 0.5 * HEALTHY_DECADES[1]
    # With few layers, weights of the right size are enough; with many, even a good start leads to slow learning.
    enough = not slow and not (deep and fault == "vanishes") and depth_of(exp) <= rates.DEEP
    if even and cured != exp and enough:
        return
    norm = _norm(cured)
    if norm is not None:
        yield norm
    # If the net has a norm already, its gradient vanishes in spite of it.
    if deep or norm is None:
        yield from _part(cured, "shortcuts")


def _is_shallow(exp: Experiment) -> bool:
    """Return whether the net is not recurrent and has so few layers that the rate alone decides."""
    return depth_of(exp) <= SHALLOW_LAYERS and all(
        group.block not in RECURRENT and group.block != "attention" for group in exp.net
    )


def _norm(exp: Experiment) -> CurePart | None:
    changes: dict[str, Any] = {}
    kinds = []
    for index, group in enumerate(exp.net):
        if group.norm != "none" or group.repeat * group.layers == 1:
            continue
        batch = group.block == "conv" and exp.data.batch_size >= FEWEST_IN_BATCH
        changes[f"net.{index}.norm"] = "batch" if batch else "layer"
        kinds.append("batch" if batch else "layer")
    if not changes:
        return None
    name = f"{kinds[0]} normalisation"
    why = "it keeps the output of every layer at mean 0 and standard deviation 1, whatever the weights are"
    return CurePart(
        name,
        why,
        changes,
        f"{kinds[0]}-norm",
        "two more parameters per unit, and a little time at every layer",
    )


def _recurrent(exp: Experiment, cured: Experiment, fault: Fault) -> Iterator[CurePart]:
    vanishes = fault in ("vanishes over time", "vanishes")
    explicit = any(
        group.block == "rnn"
        and group.recurrent_init != "torch"
        and group.recurrent_gain < 1.0
        and slope(group.activation, group.slope) >= LEAST_SLOPE
        for group in exp.net
    )
    # An LSTM whose forget gates are open for the whole sequence learns more slowly than a GRU.
    gated = any(group.block == "lstm" for group in exp.net)
    if (vanishes or (fault in ("slow", "moves too little") and not gated)) and not explicit:
        yield from _part(
            cured,
            "gru",
            "its update gate can learn to pass the state on unchanged, and with it the gradient",
        )
    if fault == "vanishes over time":
        yield from _part(
            cured,
            "orthogonal",
            "such weights keep the length of the gradient",
            "this holds only at the start",
        )
    if fault in ("vanishes over time", "vanishes", "slow", "moves too little", "units"):
        price = "two more parameters per unit, and a little time at every step of the sequence"
        yield from _part(
            cured, "layer-norm", "it keeps the state at every step where the slope is healthy", price
        )


def _part(exp: Experiment, key: str, why: str = "", price: str = "") -> Iterator[CurePart]:
    known = cure(key)
    changes = known.set_of(exp)
    if changes:
        offer = worded(exp, CureOffer(known.name, changes, known.why, known.price, key), Measured())
        why = why or offer.why[:1].lower() + offer.why[1:].rstrip(".")
        yield CurePart(offer.name, why, dict(changes), key, price or offer.price.rstrip("."))


def _clip() -> CurePart:
    return CurePart(
        "clip at 1",
        "a gradient that is longer than 1 is shortened to 1, so that a single one cannot outweigh all others",
        {"cures.clip_norm": 1.0},
        "clip-norm",
        "a threshold to choose",
    )


# -- the rate


def _rate(
    exp: Experiment, cured: Experiment, measured: Measured, fault: Fault, parts: list[CurePart]
) -> CurePart | None:
    """Return the rate that the cured net needs, where the old one stands out."""
    usual = rates.adam_rate(cured)
    # With a mean loss, a rate that is larger by the batch size gives the same training.
    alone = all(part.key == "mean-loss" for part in parts)
    rate = exp.optimizer.lr * rates.momentum_gain(exp)
    if rates.is_adaptive(exp):
        calm = fault not in ("breaks", "units", "moves too much")
        highest = usual * (WIDE_RATE_SPREAD if calm else RATE_SPREAD)
        if usual / RATE_SPREAD <= rate <= highest and fault not in ("moves too little", "slow"):
            return None
    else:
        changes: dict[str, Any] = {}
        if exp.optimizer.loss == "sum" and cured.optimizer.loss == "mean":
            rate *= exp.data.batch_size
            lr = float(f"{exp.optimizer.lr * exp.data.batch_size:.2g}")
            changes = {"optimizer.lr": lr}
        low, high = USUAL_SGD_RATES
        moved = measured.update
        # Where the gradient explodes or units died, the updates say nothing about the rate.
        told = fault in ("vanishes", "vanishes over time", "moves too little", "moves too much")
        moves = not told or not math.isfinite(moved) or SMALLEST_UPDATE <= moved <= 10.0 * LARGEST_UPDATE
        # For a recurrent net that breaks at a usual rate, clipping comes before another rate.
        recurrent = any(group.block in RECURRENT for group in exp.net)
        broke = alone and fault in ("breaks", "moves too much") and not recurrent
        # A rebuilt or recurrent net learns within the planned steps by Adam rather than by the old rate.
        other = (len(parts) > 1 and _is_rebuilt(exp, cured)) or (recurrent and fault.startswith("vanishes"))
        same = bool(changes) and alone
        kept = moves and not (broke or same or other) and fault not in ("moves too little", "slow")
        if low <= rate <= high and kept:
            if not changes:
                return None
            why = "the mean is the sum divided by the batch size, so the same steps need a rate multiplied by it"
            return CurePart(f"learning rate {setting(lr)}", why, changes, price="none")
    offer = rates.adam(cured)
    if not offer.set or (measured.parent is not None and rates.reverses(offer, exp, measured.parent)):
        return None
    if rates.is_adaptive(exp):
        why = offer.why.rstrip(".")
    else:
        why = (
            "Adam's steps are about as large as its learning rate, while those of SGD (now at "
            f"{setting(exp.optimizer.lr)}) are as small or large as the gradient"
        )
    return CurePart(offer.name, why, dict(offer.set), "", offer.price.rstrip("."))


def rate_stands_out(exp: Experiment) -> bool:
    """Return whether the learning rate is far from a usual one for this optimizer and net."""
    rate = exp.optimizer.lr * rates.momentum_gain(exp)
    if rates.is_adaptive(exp):
        usual = rates.adam_rate(exp)
        return not usual / RATE_SPREAD <= rate <= usual * RATE_SPREAD
    low, high = USUAL_SGD_RATES
    return not low <= rate <= high


def _is_rebuilt(exp: Experiment, cured: Experiment) -> bool:
    pairs = zip(exp.net, cured.net, strict=True)
    return any((old.norm, old.shortcut) != (new.norm, new.shortcut) for old, new in pairs)


def _larger(exp: Experiment, measured: Measured) -> CurePart | None:
    """Return a larger rate, computed from the updates, for a rate that is not unusual and yet too small."""
    offer = rates.larger(exp, measured)
    if offer is None or (measured.parent is not None and rates.reverses(offer, exp, measured.parent)):
        return None
    return CurePart(offer.name, offer.why.rstrip("."), dict(offer.set), "", offer.price.rstrip("."))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
