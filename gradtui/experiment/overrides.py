"""Change an experiment by dotted paths: ``net.0.activation``, ``optimizer.lr``, ``cures.pretrain.kind``."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any

from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.recorded_shape import keep_recorded_shape
from gradtui.experiment.toml import from_dict, to_dict, unknown_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gradtui.experiment.spec import Experiment


def set_fields(exp: Experiment, changes: Mapping[str, object]) -> Experiment:
    """Return the experiment with new values at dotted paths; it is checked after all of them are set.

    A path may also name a whole part (``net`` with a list of dictionaries). Raises ExperimentError.
    """
    raw = to_dict(exp)
    for path, value in changes.items():
        _put(raw, path, value)
    changed = from_dict(raw)
    keep_recorded_shape(exp.data, changed.data)
    return changed


def diff(old: Experiment, new: Experiment) -> dict[str, object]:
    """Return the changes from ``old`` to ``new`` by dotted path: ``set_fields(old, diff(old, new)) == new``.

    Where the number of groups differs, ``net`` has the whole list as its value.
    """
    changes: dict[str, object] = {}
    _compare(to_dict(old), to_dict(new), "", changes)
    return changes


def _compare(old: dict[str, Any], new: dict[str, Any], path: str, changes: dict[str, object]) -> None:
    for key, after in new.items():
        before = old[key]
        if isinstance(after, list) and len(after) == len(before):
            for index, group in enumerate(after):
                _compare(before[index], group, f"{path}{key}.{index}.", changes)
        elif isinstance(after, dict):
            _compare(before, after, f"{path}{key}.", changes)
        elif after != before:
            changes[f"{path}{key}"] = after


def parse_assignments(assignments: Iterable[str]) -> dict[str, object]:
    """Turn ``["net.0.repeat=56", "run.device=cpu"]`` into paths and values.

    A value that TOML knows is taken as that (``true``, ``0.1``, ``"text"``), anything else as text. Raises
    ExperimentError where an ``=`` or the path is missing.
    """
    changes: dict[str, object] = {}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals or not path.strip():
            raise ExperimentError("--set", assignment, "a field and its value, like optimizer.lr=0.01")
        changes[path.strip()] = _scalar(text.strip())
    return changes


def as_options(changes: Mapping[str, object]) -> str:
    """Return changes as the options of a command line that `parse_assignments` understands: ``--set a.b=true``."""
    return " ".join(f"--set {quote(f'{path}={_written(value)}')}" for path, value in changes.items())


def _written(value: object) -> str:
    if isinstance(value, float):
        # As everywhere else: 3e-6 and not 3e-06, with all digits.
        return repr(value).replace("e-0", "e-").replace("e+", "e")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _scalar(text: str) -> object:
    import tomllib

    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    # Other TOML values (dates, a second line with another key) cannot be the value of a field.
    value = table["value"]
    return value if len(table) == 1 and isinstance(value, bool | int | float | str) else text


def _put(raw: dict[str, Any], path: str, value: object) -> None:
    *way, last = keys = path.split(".")
    here: Any = raw
    for depth, key in enumerate(way):
        here = _step(here, key, keys[: depth + 1])
    if isinstance(here, list):
        here[_index(here, last, keys)] = value
    elif isinstance(here, dict) and last in here:
        here[last] = value
    else:
        raise ExperimentError(path, value, problem=unknown_field(tuple(keys)))


def _step(here: Any, key: str, so_far: list[str]) -> Any:
    if isinstance(here, list):
        return here[_index(here, key, so_far)]
    if isinstance(here, dict) and key in here:
        return here[key]
    raise ExperimentError(".".join(so_far), None, problem=unknown_field(tuple(so_far)))


def _index(groups: list[Any], key: str, path: list[str]) -> int:
    # isdecimal alone would accept the digits of other scripts and numbers of a thousand digits.
    if key.isascii() and key.isdecimal() and len(key) < 6 and int(key) < len(groups):
        return int(key)
    last = len(groups) - 1
    allowed = "0, the only group" if last == 0 else f"a group from 0 to {last}"
    raise ExperimentError(".".join(path), key, allowed, problem="no such group")
