"""Define a study as frozen data that is read from a TOML file; ``plan.py`` turns it into experiments.

Each field is described below it. A small study::

    name = "depth"
    base = "plain-21"
    seeds = [0, 1]

    [grid]
    net.1.repeat = [2, 10, 28]

    [[change]]
    name = "plain"

    [[change]]
    name = "residual"
    set = { net.1.shortcut = "identity", net.1.branch_gain = "depth" }

    [compare]
    x = "depth"
    y = ["train_accuracy", "test_accuracy"]
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from gradtui.experiment.errors import ExperimentError, nearest
from gradtui.experiment.presets import resolve
from gradtui.experiment.spec import ExperimentTable
from gradtui.experiment.toml import check_text, read_text, to_dict, toml_of
from gradtui.ordinary_files import given_path

Kind = Literal["lines", "bars", "map"]
Quantity = Literal["train_accuracy", "test_accuracy", "loss", "drop", "lag_drop", "step_time", "outcome"]

DEPTH, CHANGE = "depth", "change"
"""The axes that are no fields of an experiment: its weight layers without the output layer, and its change's name."""

MOST_EXPERIMENTS = 10_000
"""The largest number of experiments in one study."""


class Change(ExperimentTable, frozen=True):
    """A Change is one named way in which an experiment differs from the base."""

    name: str = ""
    """The name in tables and charts; by default the cure's name, or the values that are set."""
    set: dict[str, Any] = msgspec.field(default_factory=dict)
    """New values by dotted path; they are set before those of the grid."""
    cure: str = ""
    """The key of a cure in gradtui.experiment.cures.CURES, which is applied after the grid."""


class Compare(ExperimentTable, frozen=True):
    """A Compare says how the results of a study are drawn."""

    kind: Kind = "lines"
    """lines show y over x; bars show y of each change; a map shows the outcome, or another y, of each x and series."""
    x: str = DEPTH
    """The horizontal axis: a path of the grid, depth, or change."""
    series: str = CHANGE
    """The axis whose values are drawn as separate lines; in a map, the vertical axis."""
    y: Annotated[tuple[Quantity, ...], Meta(min_length=1, max_length=4)] = ("train_accuracy",)
    """The measured quantities, one chart each. drop: log10 of the first hidden layer's gradient ÷ the last's at the
    start; lag_drop: the same over time lags; step_time: seconds of a step."""
    log_x: bool = False
    """Whether the x axis is logarithmic."""
    log_y: bool = False
    """Whether the y axis is logarithmic; in a map, whether the vertical axis is."""


class StudySpec(ExperimentTable, frozen=True):
    """A StudySpec describes many experiments that answer one question: every change × grid point × seed."""

    name: Annotated[str, Meta(min_length=1, max_length=100)] = "study"
    """The name of the study; a study with the name of an earlier one continues it."""
    description: str = ""
    """One line on what the study shows."""
    base: str | dict[str, Any] = msgspec.field(default_factory=dict)
    """The experiment that is changed: a preset's name, a TOML file, or a table of its fields."""
    set: dict[str, Any] = msgspec.field(default_factory=dict)
    """New values of the base by dotted path; they are set first."""
    seeds: Annotated[
        tuple[Annotated[int, Meta(ge=0, lt=2**32)], ...], Meta(min_length=1, max_length=1000)
    ] = (0,)
    """Each experiment is trained once with each of these seeds."""
    grid: dict[str, Any] = msgspec.field(default_factory=dict)
    """Lists of values by dotted path; every combination of them is trained."""
    change: tuple[Change, ...] = (Change(),)
    """The changes; each is combined with every point of the grid."""
    compare: Compare = Compare()
    """How the results are drawn; the default is curves over the first numeric axis, or else bars."""


_ALLOWED = {
    "base": "a preset's name, a TOML file or a table of an experiment's fields",
    "seeds": "a list of whole numbers from 0 to 4294967295",
    "grid": "lists of values by dotted path",
    "change": "[[change]] tables",
    "compare.kind": "one of lines, bars, map",
    "compare.y": f"a list of {', '.join(get_args(Quantity))}",
}
_STRUCTS = {(): StudySpec, ("change",): Change, ("compare",): Compare}


def loads(text: str, source: str = "study") -> StudySpec:
    """Return the study that a TOML text describes; `source` names the text in an error of syntax.

    Raises ExperimentError at the first field that is unknown or has the wrong type; `plan` checks the experiments.
    """
    return from_dict(toml_of(text, source))


def load(path: str | Path) -> StudySpec:
    """Return the study in a TOML file, whose base may be a file next to it. Raises ExperimentError."""
    spec = loads(read_text(path), str(path))
    if isinstance(spec.base, str) and spec.base.endswith(".toml"):
        beside = given_path(path).parent / spec.base
        return replace(spec, base=str(beside)) if os.path.isfile(beside) else spec
    return spec


def from_dict(raw: dict[str, Any]) -> StudySpec:
    """Return the study that plain dictionaries, lists and values describe. Raises ExperimentError."""
    try:
        spec = msgspec.convert(raw, StudySpec)
    except msgspec.ValidationError as error:
        raise _explain(str(error), raw) from None
    _check_texts(spec, "")
    changes = tuple(replace(change, set=flat(change.set)) for change in spec.change)
    spec = replace(spec, set=flat(spec.set), grid=flat(spec.grid), change=changes or (Change(),))
    return spec if "compare" in raw else replace(spec, compare=_default_compare(spec))


def _check_texts(part: msgspec.Struct, before: str) -> None:
    """Raise ExperimentError at the first text that cannot be shown on one line; values are checked with their runs."""
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if isinstance(value, str):
            check_text(value, before + name)
        elif isinstance(value, msgspec.Struct):
            _check_texts(value, f"{before}{name}.")
        elif name == "change":
            for number, change in enumerate(value):
                _check_texts(change, f"{before}{name}.{number}.")


def _default_compare(spec: StudySpec) -> Compare:
    """Return curves over the first numeric axis of the grid, or bars where there is no such axis."""
    for path, values in spec.grid.items():
        if isinstance(values, list) and all(isinstance(value, int | float) for value in values):
            return Compare(x=path)
    return Compare(kind="bars", x=CHANGE)


def dumps(spec: StudySpec) -> str:
    """Return the study as TOML with its whole base, so that a later change of a preset does not change it.

    Raises ExperimentError if the base is a file that is not an experiment.
    """
    import tomli_w

    base = spec.base if isinstance(spec.base, dict) else to_dict(resolve(spec.base))
    return tomli_w.dumps(msgspec.to_builtins(replace(spec, base=base)))


def flat(table: dict[str, Any]) -> dict[str, Any]:
    """Return tables by dotted path: TOML reads ``net.1.repeat = [2]`` as ``{"net": {"1": {"repeat": [2]}}}``."""
    return dict(_walk(table, ""))


def _walk(table: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _walk(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _explain(message: str, raw: object) -> ExperimentError:
    """Return an error that names the field of the study, made from msgspec's message."""
    text, _, where = message.partition(" - at ")
    path = tuple(re.findall(r"[^.\[\]]+", where.strip("`").removeprefix("$")))
    field = ".".join(path)
    unknown = re.search(r"unknown field `(.*)`", text, re.DOTALL)
    if unknown:
        names = _STRUCTS[tuple(key for key in path if not key.isdecimal())].__struct_fields__
        hint = nearest(unknown[1], names) or f"; expected one of {', '.join(names)}"
        return ExperimentError(f"{field}.{unknown[1]}".lstrip("."), problem=f"no such field{hint}")
    allowed = next((_ALLOWED[name] for name in (field, *path[:1]) if name in _ALLOWED), text)
    return ExperimentError(field or "study", _value_at(raw, path), allowed)


def _value_at(raw: Any, path: tuple[str, ...]) -> object:
    for key in path:
        try:
            raw = raw[int(key)] if isinstance(raw, list) else raw[key]
        except (LookupError, TypeError, ValueError):
            return None
    return raw
