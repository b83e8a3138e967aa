"""Show, type, step through, change and undo the values of an experiment's fields."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gradtui.experiment import Experiment, ExperimentError, set_fields
from gradtui.experiment.fields import FieldInfo
from gradtui.experiment.overrides import parse_assignments
from gradtui.experiment.toml import field_at
from gradtui.words import setting

# The text for a zero, in fields where it switches something off.
_ZERO = {
    "clip_norm": "off",
    "clip_value": "off",
    "l1": "off",
    "l2": "off",
    "weight_decay": "off",
    "eval_every": "at the end",
    "checkpoint_every": "at the end",
    "loss_scale": "adapts",
    "threads": "PyTorch's choice",
    "freeze": "none",
    "warmup_steps": "none",
}
_SWITCH_WORDS = {"off", "none", "auto"}


def info_at(path: str) -> FieldInfo:
    """Return what a field allows, by its dotted path. Raises KeyError if there is no such field."""
    info = field_at(tuple(path.split(".")))
    if info is None:
        raise KeyError(path)
    return info


def value_at(experiment: Experiment, path: str) -> object:
    """Return the value of a field or part by its dotted path (``net.0.width``); "" is the experiment itself."""
    value: object = experiment
    for name in path.split(".") if path else ():
        value = value[int(name)] if isinstance(value, tuple) else getattr(value, name)
    return value


def show(path: str, value: object) -> str:
    """Return a value as the lists show it."""
    name = path.rsplit(".", 1)[-1]
    if value == 0 and not isinstance(value, bool) and name in _ZERO:
        return _ZERO[name]
    if isinstance(value, float):
        return setting(value)
    if isinstance(value, str):
        return value or "—"
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)


def put(experiment: Experiment, path: str, value: object) -> Experiment:
    """Return the experiment with a field changed, and also other fields that must change with it.

    Raises:
        ExperimentError: naming the field, the value and what is allowed.
    """
    try:
        return set_fields(experiment, {path: value})
    except ExperimentError as error:
        # A recurrent block needs images as sequences; an error would not say how to get them.
        if path.endswith(".block") and error.field == "data.sequence":
            return set_fields(experiment, {path: value, "data.sequence": "rows"})
        raise


def typed(experiment: Experiment, path: str, text: str) -> Experiment:
    """Return the experiment with a typed value.

    Raises:
        ExperimentError: naming the field, the value and what is allowed.
    """
    name = path.rsplit(".", 1)[-1]
    word = text.strip()
    if name in _ZERO and word.lower() in {_ZERO[name], *_SWITCH_WORDS}:
        word = "0"
    if isinstance(value_at(experiment, path), str):
        return put(experiment, path, word)
    return put(experiment, path, parse_assignments([f"{path}={word.replace(',', '') or '?'}"])[path])


# The first value above zero, for fields in which zero means off.
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


def next_value(field: FieldInfo, value: object, up: bool) -> object:
    """Return the value after the left or right arrow: the next choice, or the next number of a series.

    Rates and thresholds have a log scale, so they go 1, 2, 5, 10 …; numbers of units double; numbers of blocks change
    by one. A series that starts at "off" (0) continues with its first value. The value stays within the range of the
    field; a text stays as it is.

    Args:
        field: what the field allows.
        value: the value now.
        up: True for the right arrow (larger, next), False for the left one.
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
    """Return the next number of 1, 2, 5 × powers of ten."""
    if value <= 0:
        return 1.0 if up else 0.0
    exponent = math.floor(math.log10(value))
    rungs = [float(f"{m}e{e}") for e in range(exponent - 1, exponent + 2) for m in (1, 2, 5)]
    if up:
        return min(rung for rung in rungs if rung > value * (1 + 1e-9))
    return max(rung for rung in rungs if rung < value * (1 - 1e-9))


@dataclass(frozen=True)
class Draft:
    """A Draft is an edited experiment with its earlier states (``past``) and the undone ones (``future``).

    Experiments are frozen, so undo needs only these lists.
    """

    experiment: Experiment
    past: tuple[Experiment, ...] = ()
    future: tuple[Experiment, ...] = ()

    def change(self, experiment: Experiment) -> Draft:
        """Return the draft after an edit; an edit that changes nothing cannot be undone."""
        if experiment == self.experiment:
            return self
        return Draft(experiment, (*self.past[-199:], self.experiment))

    def undo(self) -> Draft:
        """Return the draft without its last edit, if there is one."""
        if not self.past:
            return self
        return Draft(self.past[-1], self.past[:-1], (self.experiment, *self.future))

    def redo(self) -> Draft:
        """Return the draft with the edit that was undone last, if there is one."""
        if not self.future:
            return self
        return replace(
            self, experiment=self.future[0], past=(*self.past, self.experiment), future=self.future[1:]
        )
