"""Compute learning rates from the measured updates, and offer Adam, whose steps do not depend on the gradient's
size."""

from __future__ import annotations

import math

from gradtui.diagnosis.cures.measured import Measured
from gradtui.diagnosis.findings import CureOffer
from gradtui.diagnosis.thresholds import LARGEST_UPDATE, SMALLEST_UPDATE
from gradtui.experiment.net_plan import depth_of
from gradtui.experiment.optimizers import OPTIMIZERS
from gradtui.experiment.spec import Experiment
from gradtui.words import plain_exponents, setting, times

AIMED_UPDATE = 1e-3
"""A larger rate aims at this update-to-weight ratio, the middle of the healthy range in decades."""
LEAST_FACTOR, LARGEST_FACTOR = 3.0, 3000.0
"""A rate is changed by these factors at least and at most: a smaller change is not worth a run, and for a larger one
the measured ratio would be extrapolated too far."""
UNKNOWN_FACTOR = 20.0
"""The rate is divided by this where no update was recorded."""
LARGEST_SGD_RATE, LARGEST_ADAPTIVE_RATE = 0.5, 0.01
"""A larger rate never exceeds these limits, divided by the factor that momentum adds to the steps."""
WAS_FAST_UPDATE = 0.1
"""A rate was not too small if any step had this update-to-weight ratio."""
DEEP = 12
"""Above this number of layers Adam's rate is the smaller one."""
ADAM_RATE, DEEP_ADAM_RATE = 0.003, 0.001
"""Adam's rate for layers of USUAL_WIDTH units and more."""
USUAL_WIDTH, MOST_RATE_OF_NARROW = 64, 3.0
"""Adam's rate is proportional to 1 / width (each weight of a narrow layer matters more and its steps may be larger),
up to this factor."""


def is_adaptive(exp: Experiment) -> bool:
    """Return whether the optimizer divides the gradient by its usual size."""
    return OPTIMIZERS[exp.optimizer.kind].adaptive


def momentum_gain(exp: Experiment) -> float:
    """Return by how much momentum multiplies the steps in the long run."""
    takes = OPTIMIZERS[exp.optimizer.kind].takes_momentum
    return 1.0 / (1.0 - exp.optimizer.momentum) if takes else 1.0


def adam_rate(exp: Experiment) -> float:
    """Return the rate at which Adam trains a net of this depth and width."""
    rate = DEEP_ADAM_RATE if depth_of(exp) > DEEP else ADAM_RATE
    width = max(group.width for group in exp.net)
    return float(f"{rate * min(max(USUAL_WIDTH / width, 1.0), MOST_RATE_OF_NARROW):.1g}")


def adam(exp: Experiment | None) -> CureOffer:
    """Return the offer of Adam with a rate for this depth and width; without changes if it is used already."""
    rate = adam_rate(exp) if exp else DEEP_ADAM_RATE
    name = f"Adam at {setting(rate)}"
    if exp and exp.optimizer.kind == "adam":
        name = f"learning rate {setting(rate)}"
    changes: dict[str, object] = {}
    # Adam and AdamW make the same steps.
    if exp and not (exp.optimizer.kind.startswith("adam") and _about(exp.optimizer.lr, rate)):
        changes = {"optimizer.kind": "adam", "optimizer.lr": rate}
    return CureOffer(name, changes, f"{_why_adam(exp, rate)}.", f"{_price_of_adam(exp)}.")


def _why_adam(exp: Experiment | None, rate: float) -> str:
    if exp is None or not is_adaptive(exp):
        return (
            "Adam makes the steps of every layer about as large as its learning rate, however small or "
            "large the gradient is"
        )
    now, kind = exp.optimizer.lr, in_words(exp)
    if _about(now, rate):
        return f"Adam corrects its averages in the first steps. {kind} does not, so its first steps are far longer"
    apart = f"{times(abs(math.log10(now / rate)))} times {'smaller' if now < rate else 'larger'}"
    return (
        f"{kind}'s steps at {setting(now)} are {apart} than at {setting(rate)}, which suits a net of this depth and "
        "width"
    )


def _price_of_adam(exp: Experiment | None) -> str:
    """Return what Adam costs beyond the present optimizer."""
    kept = OPTIMIZERS[exp.optimizer.kind].states(exp.optimizer.momentum) if exp else 0
    more = OPTIMIZERS["adam"].state_tensors - kept
    numbers = (
        "two more numbers per weight" if more == 2 else "one more number per weight" if more == 1 else ""
    )
    if exp and is_adaptive(exp):
        rest = "the best rate for this net may be a little smaller or larger"
    else:
        rest = "sometimes the result is worse than that of SGD with a well-chosen rate"
    return f"{numbers}, and {rest}" if numbers else rest


def in_words(exp: Experiment) -> str:
    """Return the name of the experiment's optimizer for texts."""
    return OPTIMIZERS[exp.optimizer.kind].in_words()


def larger(exp: Experiment | None, measured: Measured) -> CureOffer | None:
    """Return the offer of a larger rate, computed from the updates; None where the rate was not too small."""
    moved = measured.update
    if measured.largest_update > WAS_FAST_UPDATE:
        return None
    size = (
        "No step moves the weights"
        if moved == 0
        else f"A step moves the weights by {_figure(moved)} of their size"
    )
    why = f"{size} (healthy: 1e-4 to 1e-2)."
    price = "if the rate is too large, the loss swings."
    if exp is None:
        return CureOffer("larger learning rate", {}, why, price)
    if math.isnan(moved):
        return None
    wanted = AIMED_UPDATE / moved if moved > 0 else LARGEST_FACTOR
    factor = min(max(wanted, LEAST_FACTOR), LARGEST_FACTOR)
    bound = (LARGEST_ADAPTIVE_RATE if is_adaptive(exp) else LARGEST_SGD_RATE) / momentum_gain(exp)
    rate = min(exp.optimizer.lr * factor, bound)
    if rate < exp.optimizer.lr * LEAST_FACTOR:
        return None
    if moved >= SMALLEST_UPDATE:
        why = f"{size}. This is healthy (1e-4 to 1e-2), but with larger steps the net may learn more in this time."
    return CureOffer(
        f"larger learning rate, {setting(_rounded(rate))}", {"optimizer.lr": _rounded(rate)}, why, price
    )


def smaller(exp: Experiment | None, measured: Measured) -> CureOffer | None:
    """Return the offer of a smaller rate, computed from the largest update; None where no step was large."""
    moved = measured.largest_update
    if moved <= LARGEST_UPDATE:
        return None
    factor = min(max(moved / LARGEST_UPDATE, LEAST_FACTOR), LARGEST_FACTOR)
    if measured.raised:
        # The largest step says nothing about the experiment's own rate, since it was taken at a larger one.
        factor = LEAST_FACTOR
    price = ""
    if math.isnan(moved):
        factor = UNKNOWN_FACTOR
        why = "Smaller steps stay nearer to the weights at which their gradient was computed."
    elif math.isinf(moved):
        why = "A step moved weights beyond the largest number of their format (healthy: by 1e-4 to 1e-2 of their size)."
    else:
        why = f"A step moved weights by {_figure(moved)} times their size (healthy: 1e-4 to 1e-2)."
    if moved > LARGEST_UPDATE * LARGEST_FACTOR:
        price = "it may not be enough, since the rate is not the only cause of such a step; "
    price += f"layers whose steps were not too large learn {times(math.log10(factor))} times more slowly."
    changes = {"optimizer.lr": _rounded(exp.optimizer.lr / factor)} if exp else {}
    return CureOffer("smaller learning rate", changes, why, price, "smaller-lr")


def reverses(offer: CureOffer, exp: Experiment, parent: Experiment) -> bool:
    """Return whether an offer reverts the rate or the optimizer that the parent run's cure has changed."""
    before, now = parent.optimizer, exp.optimizer
    kind, rate = offer.set.get("optimizer.kind", now.kind), offer.set.get("optimizer.lr", now.lr)
    if before.kind != now.kind:
        return bool(kind == before.kind)
    if kind != now.kind or before.lr == now.lr or rate == now.lr:
        return False
    return bool((rate - now.lr) * (now.lr - before.lr) < 0)


def _figure(moved: float) -> str:
    return plain_exponents(f"{moved:.2g}")


def _about(rate: float, other: float) -> bool:
    return max(rate, other) < LEAST_FACTOR * min(rate, other)


def _rounded(rate: float) -> float:
    return float(f"{rate:.2g}")
