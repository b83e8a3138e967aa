"""Offer the cures of each finding, best first, and only those that change something in the experiment at hand.

The first is the whole cure: it undoes everything that stands out in the experiment at once, and sets the rate and, if
the finding asks for it, the structure that the net then needs. Single changes follow.
"""

from __future__ import annotations

import math

from gradtui.diagnosis.cures import rates
from gradtui.diagnosis.cures.measured import Measured
from gradtui.diagnosis.cures.offers import (
    HEALTHY_DECADES,
    MOST_OFFERS,
    MOST_OFFERS_FOR_SCRIPTS,
    Remedy,
    Wanted,
    every_offer,
    offers,
)
from gradtui.diagnosis.cures.unusual import biases_text, penalties_text, penalty_matters, unusual
from gradtui.diagnosis.cures.whole import DEEP_LAYERS, Fault, rate_stands_out, whole
from gradtui.diagnosis.findings import CureOffer
from gradtui.diagnosis.theory import predict
from gradtui.diagnosis.thresholds import LARGEST_UPDATE, SMALLEST_UPDATE
from gradtui.experiment.net_plan import RECURRENT, depth_of
from gradtui.experiment.spec import Experiment
from gradtui.words import setting

__all__ = [
    "HEALTHY_DECADES",
    "MOST_OFFERS",
    "MOST_OFFERS_FOR_SCRIPTS",
    "Measured",
    "every_offer",
    "offers",
    "what_stands_out",
]

UNKNOWN = Measured()
PENALTY_AND_STRUCTURE = frozenset(
    {"l1", "l2", "weight_decay", "norm", "shortcut", "order", "branch_gain", "repeat", "layers"}
)
"""Fields that a cure of a net whose gradient vanishes changes even if nothing but a penalty stands out."""


def _first(exp: Experiment | None, measured: Measured, fault: Fault) -> CureOffer | None:
    return whole(exp, measured, fault) if exp else None


def _first_for_breaking(exp: Experiment | None, measured: Measured) -> list[Wanted]:
    """Return the first cures of a training that large steps break; a rate that was raised is lowered first."""
    first = _first(exp, measured, "steep" if measured.steep else "breaks")
    return [rates.smaller(exp, measured), first] if measured.raised else [first]


def for_vanishing(exp: Experiment | None, measured: Measured = UNKNOWN) -> tuple[CureOffer, ...]:
    """Return cures for a gradient that vanishes over depth from the start; in deep nets the structure comes first."""
    activations: list[Wanted] = ["relu"]
    structure: list[Wanted] = ["pre-norm", "batch-norm", "shortcuts"]
    deep = exp is not None and depth_of(exp) > DEEP_LAYERS
    wanted = [*structure, *activations] if deep else [*activations, *structure]
    wanted += ["elu", "leaky-relu", "tanh-xavier", "prelu", "layer-norm"]
    wanted += ["pretrain-autoencoder", "pretrain-rbm", "fewer-layers"]
    first = _first(exp, measured, "vanishes")
    return offers(exp, [first, *wanted], HEALTHY_DECADES, measured)


def for_late_vanishing(exp: Experiment | None, measured: Measured = UNKNOWN) -> tuple[CureOffer, ...]:
    """Return cures for a gradient that began to vanish during training.

    Either a penalty has shrunk the weights, or steps that were too large moved units to where activations are flat.
    """
    first = _first(exp, measured, "vanishes")
    # If only a penalty is unusual, removing it is enough.
    several = first is not None and any(
        path.rpartition(".")[2] not in PENALTY_AND_STRUCTURE for path in first.set
    )
    begin: list[Wanted] = [first, NO_PENALTY] if several else [NO_PENALTY, first]
    wanted: list[Wanted] = [*begin, "pre-norm", "shortcuts", "batch-norm", "layer-norm"]
    return offers(exp, [*wanted, rates.smaller(exp, measured), "relu", "elu"], HEALTHY_DECADES, measured)


def for_vanishing_over_time(exp: Experiment | None, measured: Measured = UNKNOWN) -> tuple[CureOffer, ...]:
    """Return cures for a gradient that vanishes over time lags; if the recurrence's radius is at fault, an orthogonal
    recurrence comes first."""
    short = exp is not None and any(
        group.block in RECURRENT and group.recurrent_init != "torch" and group.recurrent_gain < 1.0
        for group in exp.net
    )
    wanted: list[Wanted] = ["orthogonal"] if short else []
    wanted += ["lstm", "lstm-memory", "gru", "orthogonal", "layer-norm"]
    return offers(exp, [_first(exp, measured, "vanishes over time"), *wanted], measured=measured)


def for_exploding(exp: Experiment | None, measured: Measured = UNKNOWN) -> tuple[CureOffer, ...]:
    """Return cures for a gradient that grows over depth or time, or for updates that are far too large.

    If the profile is steep from the start, the first cures flatten it; if it is even and the rate breaks the training,
    the first is a smaller rate, then clipping.
    """
    rate: list[Wanted] = [rates.smaller(exp, measured), "clip-norm"]
    flat: list[Wanted] = ["orthogonal", "pre-norm", "shortcuts", "batch-norm", "layer-norm"]
    wanted: list[Wanted] = ["mean-loss"]
    if exp is None:
        wanted += ["clip-norm", "smaller-lr"]
    elif measured.steep:
        wanted += [*flat, "clip-norm", rates.smaller(exp, measured)]
    elif any(group.block in RECURRENT for group in exp.net):
        wanted += ["clip-norm", *rate, *flat]
    else:
        wanted += [*rate, *flat]
    if exp and exp.optimizer.loss == "sum":
        wanted.append("smaller-batch")
    wanted = [*_first_for_breaking(exp, measured), *wanted, "lstm", "gru", "fewer-layers"]
    return offers(exp, wanted, HEALTHY_DECADES, measured)


def for_nonfinite(exp: Experiment | None, measured: Measured = UNKNOWN) -> tuple[CureOffer, ...]:
    """Return cures for numbers that are not finite."""
    if exp and exp.run.precision == "fp16":
        return offers(
            exp, ["bf16", "scale-loss", "clip-norm", rates.smaller(exp, measured)], measured=measured
        )
    return for_exploding(exp, measured)


def for_unstable_loss(exp: Experiment | None, measured: Measured = UNKNOWN) -> tuple[CureOffer, ...]:
    """Return cures for a loss that swings or climbs."""
    wanted: list[Wanted] = [
        rates.smaller(exp, measured),
        "clip-norm",
        "mean-loss",
        "batch-norm",
        "layer-norm",
    ]
    return offers(exp, [*_first_for_breaking(exp, measured), *wanted], measured=measured)


def for_dead_units(
    exp: Experiment | None, measured: Measured = UNKNOWN, *, at_start: bool
) -> tuple[CureOffer, ...]:
    """Return cures for units that never fire; if they died in training, the steps must be smaller too."""
    # Units that died in training show that a step was too large, even if no such step was sampled.
    first: Wanted = NO_BIAS if at_start else rates.smaller(exp, measured) or "smaller-lr"
    wanted: list[Wanted] = [_first(exp, measured, "units"), first]
    wanted += ["leaky-relu-0.02", "elu", "prelu", "leaky-relu", "batch-norm"]
    return offers(exp, wanted, measured=measured)


def for_saturated(exp: Experiment | None, measured: Measured = UNKNOWN) -> tuple[CureOffer, ...]:
    """Return cures for units at the flat ends of their activation."""
    wanted: list[Wanted] = [
        NO_BIAS,
        rates.smaller(exp, measured),
        "tanh-xavier",
        "relu",
        "batch-norm",
        "layer-norm",
    ]
    return offers(exp, [_first(exp, measured, "units"), *wanted], measured=measured)


def for_overclipped(
    exp: Experiment | None, norm: float, measured: Measured = UNKNOWN
) -> tuple[CureOffer, ...]:
    """Return cures for a clipping threshold far below the gradient's usual norm."""
    threshold = float(f"{norm:.1g}") if math.isfinite(norm) and norm > 0 else 1.0
    looser = Remedy(
        f"clip at {setting(threshold)}",
        lambda exp: (
            "A threshold at the gradient's usual norm shortens only the steps whose gradient is longer than usual."
            if exp is None or not rates.is_adaptive(exp)
            else f"{rates.in_words(exp)} divides the gradient by its usual size, so a higher threshold "
            "hardly changes usual steps; at the usual norm it acts only on longer gradients."
        ),
        "gradients up to that norm are not shortened.",
        lambda exp: {"cures.clip_norm": threshold} if exp.cures.clip_norm else {},
    )
    if exp and (_others(exp) or (not rates.is_adaptive(exp) and not _rate_fits(exp, norm, measured.update))):
        # A looser clip alone would leave the rest of what stands out in place, or a rate that does not fit.
        first = whole(exp, measured, "moves too little")
        return offers(exp, [first, looser, NO_CLIPPING], measured=measured)
    if exp and rates.is_adaptive(exp):
        # The step of an adaptive rule hardly depends on the threshold; its rate decides.
        return offers(
            exp, [rates.adam(exp), rates.larger(exp, measured), NO_CLIPPING, looser], measured=measured
        )
    return offers(exp, [looser, NO_CLIPPING], measured=measured)


def _others(exp: Experiment) -> bool:
    """Return whether anything but the clipping stands out.

    In a recurrent net that includes weights that are too large: the clip is what held their explosion over time back.
    """
    recurrent = any(group.block in RECURRENT for group in exp.net)
    return any(not part.clips for part in unusual(exp, raise_weights=False, lower_weights=recurrent))


def _rate_fits(exp: Experiment, norm: float, update: float) -> bool:
    """Return whether the rate is healthy once the threshold lets the usual norm pass.

    SGD's steps are as long as the clipped gradient, so that they become longer by what the threshold took away.
    """
    threshold = exp.cures.clip_norm
    if not (threshold > 0 and math.isfinite(norm) and math.isfinite(update)):
        return True
    moves = update * max(1.0, norm / threshold)
    return rates.AIMED_UPDATE / rates.LEAST_FACTOR <= moves <= LARGEST_UPDATE


def for_underflow(exp: Experiment | None, measured: Measured = UNKNOWN) -> tuple[CureOffer, ...]:
    """Return cures for gradients below the smallest number of their format."""
    wanted: list[Wanted] = ["scale-loss", "bf16", FULL_PRECISION]
    if exp:
        profile = predict(exp).log10_profile
        if profile and profile[0] <= HEALTHY_DECADES[0]:
            # Full precision would make the gradient nonzero, but it would still be far too small.
            return offers(exp, [whole(exp, measured, "vanishes"), *wanted], measured=measured)
    return offers(exp, wanted, measured=measured)


def for_degradation(exp: Experiment | None, measured: Measured = UNKNOWN) -> tuple[CureOffer, ...]:
    """Return cures for a net that is worse because it is deeper."""
    return offers(exp, ["shortcuts", "fewer-layers", "batch-norm"], measured=measured)


def for_not_learning(exp: Experiment | None, measured: Measured) -> tuple[CureOffer, ...]:
    """Return cures for a net that does not learn although its gradients are healthy: Adam, then a rate computed from
    the updates."""
    adam = rates.adam(exp)
    if measured.update > LARGEST_UPDATE:
        first = _first(exp, measured, "moves too much")
        return offers(exp, [first, rates.smaller(exp, measured), adam, "batch-norm"], measured=measured)
    larger = rates.larger(exp, measured)
    wanted: list[Wanted] = [_first(exp, measured, "moves too little"), adam, larger]
    if not measured.update < SMALLEST_UPDATE:
        wanted += [rates.smaller(exp, measured), "batch-norm", "shortcuts", "layer-norm"]
    return offers(exp, wanted, measured=measured)


def for_slow_learning(exp: Experiment | None, measured: Measured) -> tuple[CureOffer, ...]:
    """Return cures for a net that has no finding and has learned little or nothing."""
    first = _first(exp, measured, "slow")
    adam = rates.adam(exp)
    wanted: list[Wanted] = [first, rates.larger(exp, measured), adam, "pre-norm", "batch-norm"]
    wanted += ["layer-norm", "shortcuts", "gru", "relu", "fewer-layers"]
    return offers(exp, wanted, measured=measured)


def _why_no_penalty(exp: Experiment | None) -> str:
    known = penalties_text(exp) if exp else "a penalty shrinks the weights"
    return f"{known[:1].upper()}{known[1:]}. Smaller weights pass on less of the gradient."


def _why_no_bias(exp: Experiment | None) -> str:
    known = biases_text(exp) if exp else "biases far from 0 move units to where their activation is flat"
    return f"{known[:1].upper()}{known[1:]}."


def _why_no_clipping(exp: Experiment | None) -> str:
    if exp and rates.is_adaptive(exp):
        kind = rates.in_words(exp)
        return (
            f"{kind} divides the gradient by its usual size, so clipping every step makes the steps "
            "equally long and hardly shortens them."
        )
    return "Where every step is clipped, the threshold and not the gradient decides how far the weights move."


def what_stands_out(exp: Experiment) -> list[str]:
    """Return in words what is unusual in an experiment, its rate included; empty if nothing is."""
    parts = [part.why for part in unusual(exp, raise_weights=True, lower_weights=True)]
    if rate_stands_out(exp):
        kind, usual = rates.in_words(exp), rates.adam_rate(exp)
        parts.append(
            (
                f"the learning rate of {kind} is {setting(exp.optimizer.lr)}, while {setting(usual)} suits "
                "a net of this depth and width"
            )
            if rates.is_adaptive(exp)
            else f"a learning rate of {setting(exp.optimizer.lr)} is unusual for SGD"
        )
    return list(dict.fromkeys(parts))


NO_PENALTY = Remedy(
    "no penalty",
    _why_no_penalty,
    "the penalty no longer reduces overfitting.",
    lambda exp: {"cures.l1": 0.0, "cures.l2": 0.0} if penalty_matters(exp) else {},
)
NO_BIAS = Remedy(
    "biases at 0",
    _why_no_bias,
    "none.",
    lambda exp: {
        f"net.{index}.{name}": 0.0
        for index, group in enumerate(exp.net)
        if group.bias_mean or group.bias_std
        for name in ("bias_mean", "bias_std")
    },
)
NO_CLIPPING = Remedy(
    "no clipping",
    _why_no_clipping,
    "nothing limits an explosion any more.",
    lambda exp: {"cures.clip_norm": 0.0, "cures.clip_value": 0.0},
)
FULL_PRECISION = Remedy(
    "fp32",
    "float32 reaches down to 1e-38, so no gradient of this size is lost.",
    "twice the memory, and more time on devices that are faster with half precision.",
    lambda exp: {"run.precision": "fp32"},
)
