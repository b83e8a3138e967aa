"""What the left and right arrows do to a value: the next choice, or the next number of a ladder.

Rates and thresholds live on a log scale, so they climb 1, 2, 5, 10 …; counts of units double; counts of
blocks move by one. A ladder that starts at "off" (0) steps onto its first rung.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gradtui.experiment.fields import FieldInfo

# First rung above zero, for fields where zero means off.
_FIRST_RUNG = {
    "clip_norm": 0.1,
    "clip_value": 0.01,
    "l1": 1e-5,
    "l2": 1e-5,
    "weight_decay": 1e-4,
    "loss_scale": 1.0,
}
_LINEAR = {
    "gain": 0.1,
    "recurrent_gain": 0.1,
    "branch_gain": 0.1,
    "bias_mean": 0.1,
    "bias_std": 0.05,
    "forget_bias": 0.5,
}
_RUNGS: dict[str, Sequence[float]] = {
    "momentum": (0.0, 0.5, 0.8, 0.9, 0.95, 0.99),
    "slope": (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.3),
    "kernel": (1, 3, 5, 7),
}
_DOUBLING = {"width", "batch_size", "heads"}
_BY_ONE = {"repeat", "layers", "seed", "stride", "threads", "freeze", "epochs"}


def step(field: FieldInfo, value: object, up: bool) -> object:
    """The neighbour of a value, within the field's range; text has no neighbours and stays.

    Args:
        field: what the field allows.
        value: the value now.
        up: to the right (larger, next) rather than to the left.
    """
    if field.kind == "choice":
        choices = list(field.choices)
        return choices[(choices.index(str(value)) + (1 if up else -1)) % len(choices)]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 1.0 if field.kind == "float-or-word" else value
    number = _neighbour(field.name, float(value), up)
    low = -math.inf if field.low is None else field.low
    high = math.inf if field.high is None else field.high
    number = min(max(number, low), high)
    if (field.low_open and number <= low) or (field.high_open and number >= high):
        return value
    return round(number) if field.kind == "int" else number


def _neighbour(name: str, value: float, up: bool) -> float:
    if name in _RUNGS:
        beyond = [rung for rung in _RUNGS[name] if (rung > value if up else rung < value)]
        return value if not beyond else (min(beyond) if up else max(beyond))
    if name in _LINEAR:
        return round(value + (_LINEAR[name] if up else -_LINEAR[name]), 10)
    if name in _DOUBLING:
        return max(1.0, value * 2 if up else value // 2)
    if name in _BY_ONE:
        return value + (1 if up else -1)
    first = _FIRST_RUNG.get(name)
    if first is not None and (value <= 0 or (not up and value <= first * (1 + 1e-9))):
        return first if up else 0.0
    return _ladder(value, up)


def _ladder(value: float, up: bool) -> float:
    """The next number of 1, 2, 5 × powers of ten."""
    if value <= 0:
        return 1.0 if up else 0.0
    exponent = math.floor(math.log10(value))
    rungs = [float(f"{m}e{e}") for e in range(exponent - 1, exponent + 2) for m in (1, 2, 5)]
    if up:
        return min(rung for rung in rungs if rung > value * (1 + 1e-9))
    return max(rung for rung in rungs if rung < value * (1 - 1e-9))
