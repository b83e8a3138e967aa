"""The cures that each finding offers, best first, and only those that change something in the experiment at hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from gradtui.diagnosis.findings import CureOffer
from gradtui.diagnosis.theory import predict
from gradtui.diagnosis.thresholds import (
    EXPLODING_DECADES,
    LARGEST_UPDATE,
    SMALLEST_UPDATE,
    VANISHING_DECADES,
)
from gradtui.experiment.cures import cure
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.overrides import diff, set_fields
from gradtui.experiment.spec import Experiment

MOST_OFFERS = 8
"""The most offers of one finding; the studies compare all there are."""
MOST_OFFERS_FOR_SCRIPTS = 4
"""The most where there is no experiment to change: only the best."""
HEALTHY_DECADES = (VANISHING_DECADES, EXPLODING_DECADES)
"""The predicted gradient of a cured net must lie between these."""
LARGER_RATE_FACTOR = 30.0
"""A larger rate is so many times the old one: half the way in decades from the smallest healthy update ratio (1e-4) to
0.1."""


class Remedy(NamedTuple):
    """A Remedy is a change that undoes a value that was set too small or too large; it cures a finding, not a net."""

    name: str
    why: str
    price: str
    changes: Callable[[Experiment], dict[str, Any]]


def offers(
    exp: Experiment | None,
    wanted: Iterable[str | Remedy],
    within: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[CureOffer, ...]:
    """Return the wanted cures that apply to this experiment, in their order.

    A cure that changes nothing, or that the experiment forbids, is left out, and so is one with which theory predicts
    an unhealthy profile. Without an experiment (a script) the offers have no changes: only the reason can be given.

    Args:
        exp: the experiment; None for a script.
        wanted: keys of `gradtui.experiment.cures`, or remedies.
        within: the decades from last to first layer between which the predicted profile must lie.
    """
    made = (_offer(exp, item) for item in wanted)
    found = [offer for offer in made if offer is not None and _helps(exp, offer, within)]
    return tuple(found[: MOST_OFFERS if exp else MOST_OFFERS_FOR_SCRIPTS])


def _helps(exp: Experiment | None, offer: CureOffer, within: tuple[float, float]) -> bool:
    """Whether the profile that theory predicts for the cured net, if it predicts one, lies between these decades.

    Layer normalisation, say, leaves deep sigmoids starving; and batch normalisation explodes in a plain net of 57.
    """
    if exp is None or not any(path.startswith("net") for path in offer.set):
        return True
    profile = predict(set_fields(exp, offer.set)).log10_profile
    return not profile or within[0] < profile[0] < within[1]


def _offer(exp: Experiment | None, item: str | Remedy) -> CureOffer | None:
    if isinstance(item, str):
        known = cure(item)
        changes = known.set_of(exp) if exp else {}
        offer = CureOffer(known.name, changes, known.why, known.price, item)
    else:
        changes = _valid(exp, item.changes(exp)) if exp else {}
        offer = CureOffer(item.name, changes, item.why, item.price)
    return offer if changes or exp is None else None


def _valid(exp: Experiment, changes: dict[str, Any]) -> dict[str, Any]:
    try:
        return dict(diff(exp, set_fields(exp, changes)))
    except ExperimentError:
        return {}


@lru_cache(maxsize=64)
def for_vanishing(exp: Experiment | None) -> tuple[CureOffer, ...]:
    """Return cures for a gradient that dies over depth from the start."""
    wanted = ["relu", "batch-norm", "shortcuts", "elu", "leaky-relu", "tanh-xavier", "prelu", "layer-norm"]
    return offers(exp, [*wanted, "pretrain-autoencoder", "pretrain-rbm", "fewer-layers"], HEALTHY_DECADES)


def for_late_vanishing(exp: Experiment | None) -> tuple[CureOffer, ...]:
    """Return cures for a gradient that came to die in training.

    Either a penalty ate the weights, or steps too large drove them where activations are flat.
    """
    return offers(exp, [NO_PENALTY, "smaller-lr", "batch-norm", "shortcuts", "relu", "elu"], HEALTHY_DECADES)


def for_vanishing_over_time(exp: Experiment | None) -> tuple[CureOffer, ...]:
    """Return cures for a gradient that dies over time lags."""
    return offers(exp, ["lstm", "gru", "orthogonal", "layer-norm"])


@lru_cache(maxsize=64)
def for_exploding(exp: Experiment | None) -> tuple[CureOffer, ...]:
    """Return cures for a gradient that grows over depth or time, or of updates that throw the weights away."""
    wanted: list[str | Remedy] = ["mean-loss", "gain-one"]
    normed = exp is not None and any(group.norm == "batch" for group in exp.net)
    wanted += ["shortcuts", "clip-norm"] if normed else ["clip-norm", "smaller-lr"]
    if exp and exp.optimizer.loss == "sum":
        wanted.append("smaller-batch")
    wanted += ["orthogonal", "lstm", "gru", "batch-norm", "smaller-lr", "l2", "l1", "fewer-layers"]
    return offers(exp, dict.fromkeys(wanted), HEALTHY_DECADES)


def for_nonfinite(exp: Experiment | None) -> tuple[CureOffer, ...]:
    """Return cures for numbers that are not finite."""
    if exp and exp.run.precision == "fp16":
        return offers(exp, ["bf16", "scale-loss", "clip-norm", "smaller-lr"])
    return for_exploding(exp)


def for_unstable_loss(exp: Experiment | None) -> tuple[CureOffer, ...]:
    """Return cures for a loss that swings or climbs."""
    return offers(exp, ["smaller-lr", "clip-norm", "mean-loss", "gain-one", "batch-norm"])


def for_dead_units(exp: Experiment | None, *, at_start: bool) -> tuple[CureOffer, ...]:
    """Return cures for units that never fire; those that died in training want smaller steps too."""
    wanted: list[str | Remedy] = [NO_BIAS] if at_start else ["smaller-lr"]
    return offers(exp, [*wanted, "leaky-relu-0.02", "elu", "prelu", "leaky-relu", "batch-norm"])


def for_saturated(exp: Experiment | None) -> tuple[CureOffer, ...]:
    """Return cures for units at the flat ends of their activation."""
    return offers(exp, [NO_BIAS, "gain-one", "smaller-lr", "tanh-xavier", "relu", "batch-norm", "layer-norm"])


def for_overclipped(exp: Experiment | None, norm: float) -> tuple[CureOffer, ...]:
    """Return cures for a clipping threshold far below the gradient's usual norm."""
    threshold = float(f"{norm:.1g}") if math.isfinite(norm) and norm > 0 else 1.0
    looser = Remedy(
        f"clip at {threshold:g}",
        "A threshold at the gradient's usual norm holds back the rare explosion and lets every other step be.",
        "an explosion of a few times that norm passes.",
        lambda exp: {"cures.clip_norm": threshold} if exp.cures.clip_norm else {},
    )
    return offers(exp, [looser, NO_CLIPPING])


def for_underflow(exp: Experiment | None) -> tuple[CureOffer, ...]:
    """Return cures for gradients below the smallest number of their format."""
    return offers(exp, ["scale-loss", "bf16", FULL_PRECISION])


def for_degradation(exp: Experiment | None) -> tuple[CureOffer, ...]:
    """Return cures for a net that is deeper and therefore worse."""
    return offers(exp, ["shortcuts", "fewer-layers", "batch-norm"])


def for_not_learning(exp: Experiment | None, update_ratio: float) -> tuple[CureOffer, ...]:
    """Return cures for a net that does not learn with healthy gradients: mostly another rate."""
    if update_ratio < SMALLEST_UPDATE:
        return offers(exp, [LARGER_LR, ADAM])
    if update_ratio > LARGEST_UPDATE:
        return offers(exp, ["smaller-lr", ADAM, "batch-norm"])
    return offers(exp, [ADAM, LARGER_LR, "smaller-lr", "batch-norm", "shortcuts"])


NO_PENALTY = Remedy(
    "no penalty",
    "The penalty shrinks the weights faster than the data can grow them, and small weights starve the gradient.",
    "whatever the penalty was for.",
    lambda exp: {"cures.l1": 0.0, "cures.l2": 0.0},
)
NO_BIAS = Remedy(
    "biases at 0",
    "Biases far from 0 push every unit to where its activation is flat, before it has learned anything.",
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
    "Where every step is cut down, the threshold and not the gradient decides how far the weights move.",
    "nothing holds back an explosion any more.",
    lambda exp: {"cures.clip_norm": 0.0, "cures.clip_value": 0.0},
)
FULL_PRECISION = Remedy(
    "fp32",
    "float32 reaches down to 1e-38, so no gradient of this size is lost.",
    "twice the memory, and more time on devices that are fast at half precision.",
    lambda exp: {"run.precision": "fp32"},
)
LARGER_LR = Remedy(
    "larger learning rate",
    "The gradient is healthy, but a step changes the weights by next to nothing: the rate is too small.",
    "too large a rate makes the loss swing; watch it.",
    lambda exp: {"optimizer.lr": float(f"{exp.optimizer.lr * LARGER_RATE_FACTOR:.2g}")},
)
ADAM = Remedy(
    "Adam at 0.001",
    "Adam makes every layer's steps about as large as its rate, however small or large the gradient is.",
    "two more numbers a weight, and sometimes a worse result than a well-chosen rate of SGD.",
    lambda exp: {} if exp.optimizer.kind == "adam" else {"optimizer.kind": "adam", "optimizer.lr": 0.001},
)
