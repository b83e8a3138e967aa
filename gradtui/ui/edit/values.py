"""Values as people write and read them, and the way a typed word becomes an experiment."""

from __future__ import annotations

from gradtui.experiment import Experiment, ExperimentError, set_fields
from gradtui.experiment.fields import FieldInfo
from gradtui.experiment.overrides import parse_assignments
from gradtui.experiment.parse import field_at

# Zero is a switch in these fields: off, or the kind's own.
_ZERO = {
    "clip_norm": "off",
    "clip_value": "off",
    "l1": "off",
    "l2": "off",
    "weight_decay": "off",
    "eval_every": "at the end",
    "checkpoint_every": "at the end",
    "loss_scale": "adapts",
    "threads": "torch's choice",
    "freeze": "none",
    "warmup_steps": "none",
}
_SWITCH_WORDS = {"off", "none", "auto"}


def info_at(path: str) -> FieldInfo:
    """What a field allows, by its dotted path."""
    info = field_at(tuple(path.split(".")))
    if info is None:
        raise KeyError(path)
    return info


def value_at(experiment: Experiment, path: str) -> object:
    """The value of a field or part by its dotted path (``net.0.width``); "" is the experiment itself."""
    value: object = experiment
    for name in path.split(".") if path else ():
        value = value[int(name)] if isinstance(value, tuple) else getattr(value, name)
    return value


def show(path: str, value: object) -> str:
    """A value as the lists show it."""
    name = path.rsplit(".", 1)[-1]
    if value == 0 and not isinstance(value, bool) and name in _ZERO:
        return _ZERO[name]
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return value or "—"
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)


def put(experiment: Experiment, path: str, value: object) -> Experiment:
    """The experiment with a field changed, and with it what the change needs besides.

    Raises:
        ExperimentError: naming the field, the value and what is allowed.
    """
    try:
        return set_fields(experiment, {path: value})
    except ExperimentError as error:
        # A recurrent block on images needs them as sequences; asking for that first would be a riddle.
        if path.endswith(".block") and error.field == "data.sequence":
            return set_fields(experiment, {path: value, "data.sequence": "rows"})
        raise


def typed(experiment: Experiment, path: str, text: str) -> Experiment:
    """The experiment with a typed value.

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
