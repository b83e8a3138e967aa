"""A study file in and out: TOML to a ``StudySpec``, and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec.structs import replace

from gradtui.experiment.errors import ExperimentError, nearest
from gradtui.experiment.parse import read_text, to_dict, toml_of
from gradtui.experiment.presets import resolve
from gradtui.study.spec import CHANGE, Change, Compare, Quantity, StudySpec

_ALLOWED = {
    "base": "a preset's name, a TOML file or a table of an experiment's fields",
    "seeds": "a list of whole numbers from 0 to 4294967295",
    "grid": "lists of values by dotted path",
    "change": "[[change]] tables",
    "compare.kind": "one of lines, bars, map",
    "compare.y": f"a list of {', '.join(get_args(Quantity))}",
}
_PARTS = {(): StudySpec, ("change",): Change, ("compare",): Compare}


def loads(text: str, source: str = "study") -> StudySpec:
    """A study from TOML. ``source`` names the text in an error of syntax.

    Raises ExperimentError at the first field that is unknown or of the wrong type; whether the experiments can be is
    `plan`'s to say.
    """
    return from_dict(toml_of(text, source))


def load(path: str | Path) -> StudySpec:
    """A study from a TOML file; a base that is a file is looked for beside it too. Raises ExperimentError."""
    spec = loads(read_text(path), str(path))
    if isinstance(spec.base, str) and spec.base.endswith(".toml"):
        beside = Path(path).expanduser().parent / spec.base
        return replace(spec, base=str(beside)) if beside.is_file() else spec
    return spec


def from_dict(raw: dict[str, Any]) -> StudySpec:
    """A study from plain dictionaries, lists and values. Raises ExperimentError."""
    try:
        spec = msgspec.convert(raw, StudySpec)
    except msgspec.ValidationError as error:
        raise _explain(str(error), raw) from None
    changes = tuple(replace(change, set=flat(change.set)) for change in spec.change)
    spec = replace(spec, set=flat(spec.set), grid=flat(spec.grid), change=changes or (Change(),))
    return spec if "compare" in raw else replace(spec, compare=_usual(spec))


def _usual(spec: StudySpec) -> Compare:
    """What is drawn of a study that does not say: curves over its first axis of numbers, else bars."""
    for path, values in spec.grid.items():
        if isinstance(values, list) and all(isinstance(value, int | float) for value in values):
            return Compare(x=path)
    return Compare(kind="bars", x=CHANGE)


def dumps(spec: StudySpec) -> str:
    """The study as TOML, whole by itself: its base is written out, so that it means the same tomorrow.

    Raises ExperimentError where the base is a file that is no experiment.
    """
    import tomli_w

    base = spec.base if isinstance(spec.base, dict) else to_dict(resolve(spec.base))
    return tomli_w.dumps(msgspec.to_builtins(replace(spec, base=base)))


def flat(table: dict[str, Any]) -> dict[str, Any]:
    """``{"net": {"1": {"repeat": [2]}}}``, which TOML makes of ``net.1.repeat = [2]``, by dotted path."""
    return dict(_walk(table, ""))


def _walk(table: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _walk(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _explain(message: str, raw: object) -> ExperimentError:
    """msgspec's sentence as one that names our field."""
    text, _, where = message.partition(" - at ")
    path = tuple(re.findall(r"[^.\[\]]+", where.strip("`").removeprefix("$")))
    field = ".".join(path)
    unknown = re.search(r"unknown field `(.*)`", text, re.DOTALL)
    if unknown:
        names = _PARTS[tuple(key for key in path if not key.isdecimal())].__struct_fields__
        hint = nearest(unknown[1], names) or f"; expected one of {', '.join(names)}"
        return ExperimentError(f"{field}.{unknown[1]}".lstrip("."), problem=f"no such field{hint}")
    allowed = next((_ALLOWED[name] for name in (field, *path[:1]) if name in _ALLOWED), text)
    return ExperimentError(field or "study", _value(raw, path), allowed)


def _value(raw: Any, path: tuple[str, ...]) -> object:
    for key in path:
        try:
            raw = raw[int(key)] if isinstance(raw, list) else raw[key]
        except (LookupError, TypeError, ValueError):
            return None
    return raw
