"""Turn TOML text or plain dictionaries into an ``Experiment``, and back."""

from __future__ import annotations

import os
import re
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from gradtui.experiment.errors import UNSHOWABLE, ExperimentError, nearest
from gradtui.experiment.spec import Experiment
from gradtui.experiment.validate import check
from gradtui.ordinary_files import given_path, open_to_read
from gradtui.toml_text import LARGEST_FILE, parse

if TYPE_CHECKING:
    from gradtui.experiment.fields import FieldInfo

WRITTEN_ALWAYS = frozenset({"name", "source", "block"})
"""The fields that a short file names even at their default, because a table without them would be empty."""


def from_dict(raw: object) -> Experiment:
    """Return an experiment from plain dictionaries, lists and values, completely checked.

    Raises ExperimentError for the first field that is unknown, of the wrong type, out of range, or inconsistent with
    another one.
    """
    try:
        exp = msgspec.convert(raw, Experiment)
    except msgspec.ValidationError as error:
        raise _explain(str(error), raw) from None
    except RecursionError:
        raise ExperimentError("experiment", raw, problem="nested too deep") from None
    except UnicodeEncodeError:
        raise ExperimentError(
            "experiment", raw, problem="contains half of a UTF-16 pair, which is not a character"
        ) from None
    _check_values(exp, ())
    check(exp)
    return exp


def loads(text: str, source: str = "experiment") -> Experiment:
    """Return an experiment from TOML. ``source`` names the text in a syntax error."""
    return from_dict(toml_of(text, source))


def load(path: str | Path) -> Experiment:
    """Return an experiment from a TOML file. Raises ExperimentError, also if the file cannot be read."""
    return loads(read_text(path), str(path))


def toml_of(text: str, source: str) -> dict[str, Any]:
    """Return the content of a TOML text. Raises ExperimentError that names the ``source`` and the place."""
    import tomllib

    try:
        return parse(text)
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError(source, problem=f"not valid TOML: {_place(str(error))}") from None
    except ValueError as error:
        # tomllib raises this for numbers of thousands of digits, impossible dates and deep nesting.
        raise ExperimentError(source, problem=f"not valid TOML: {error}") from None


def read_text(path: str | Path) -> str:
    """Return the text of a TOML file. Raises ExperimentError if it cannot be read, is not text or is too large."""
    name = str(path)
    try:
        with os.fdopen(open_to_read(given_path(path)), "rb") as opened:
            content = opened.read(LARGEST_FILE + 1)
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ExperimentError(name, path, problem="not a text file in UTF-8", allowed="a TOML file") from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ExperimentError(name, path, problem=f"cannot be read: {reason}") from None
    if len(content) > LARGEST_FILE:
        raise ExperimentError(name, path, problem="larger than 10 MB", allowed="a TOML file")
    return text


def to_dict(exp: Experiment) -> dict[str, Any]:
    """Return every field as plain dictionaries, lists and values."""
    raw = cast("dict[str, Any]", msgspec.to_builtins(exp))
    return {**raw, "net": list(raw["net"])}


def dumps(exp: Experiment, *, defaults: bool = False) -> str:
    """Return the experiment as TOML, which ``loads`` reads back.

    Fields at their default are left out unless ``defaults`` is true."""
    import tomli_w

    raw = to_dict(exp) if defaults else _differing(exp)
    top = {key: value for key, value in raw.items() if not isinstance(value, dict | list)}
    texts = [tomli_w.dumps(top)]
    for key, value in raw.items():
        if isinstance(value, dict):
            texts.append(tomli_w.dumps({key: value}))
        elif isinstance(value, list):
            # By itself, tomli_w writes short groups as one line in braces, which is hard to edit.
            texts += ["[[net]]\n" + tomli_w.dumps(group) for group in value]
    return "\n".join(texts)


def _differing(part: msgspec.Struct) -> dict[str, Any]:
    default = type(part)()
    short: dict[str, Any] = {}
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if isinstance(value, tuple):
            short[name] = [_differing(group) for group in value]
        elif isinstance(value, msgspec.Struct):
            if inner := _differing(value):
                short[name] = inner
        elif name in WRITTEN_ALWAYS or value != getattr(default, name):
            short[name] = value
    return short


def _check_values(part: msgspec.Struct, path: tuple[str, ...]) -> None:
    # msgspec accepts NaN and infinity in fields without bounds, and line breaks in names.
    for name in part.__struct_fields__:
        value = getattr(part, name)
        here = (*path, name)
        if isinstance(value, float) and not isfinite(value):
            raise ExperimentError(".".join(here), value, _allowed(here) or "a finite number")
        if isinstance(value, str):
            check_text(value, ".".join(here))
        if isinstance(value, msgspec.Struct):
            _check_values(value, here)
        elif isinstance(value, tuple):
            for index, group in enumerate(value):
                _check_values(group, (*here, str(index)))


def check_text(text: str, field: str) -> None:
    """Raise ExperimentError that names the field of a text that cannot be shown on one line."""
    if UNSHOWABLE.search(text):
        raise ExperimentError(field, text, "text on one line without control characters")


def _place(message: str) -> str:
    found = re.search(r"^(.*) \(at (.*)\)$", message, re.DOTALL)
    return f"{found[2]}: {found[1]}" if found else message


def _explain(message: str, raw: object) -> ExperimentError:
    """Turn msgspec's message (``Expected `int` >= 1 - at `$.net[0].width` ``) into an error that names the field."""
    text, _, where = message.partition(" - at ")
    if where.startswith("`key`"):
        return ExperimentError("experiment", raw, "fields with names", problem="a field's name is not text")
    path = tuple(re.findall(r"[^.\[\]]+", where.strip("`").removeprefix("$")))
    unknown = re.search(r"unknown field `(.*)`", text, re.DOTALL)
    if unknown:
        here = (*path, unknown[1])
        return ExperimentError(".".join(here), value_in(raw, here), problem=unknown_field(here))
    field = ".".join(path) or "experiment"
    return ExperimentError(field, value_in(raw, path), _allowed(path) or text)


def unknown_field(path: tuple[str, ...]) -> str:
    """Return a text that says that the last name of ``path`` is not a field, and which fields exist."""
    part = _part(path[:-1])
    names = list(part.__struct_fields__) if part else []
    hint = nearest(path[-1], names)
    return "no such field" + (hint or (f"; expected one of {', '.join(names)}" if names else ""))


def value_in(raw: object, path: tuple[str, ...]) -> object:
    """Return the value at a path of plain dictionaries and lists; None if there is none."""
    for key in path:
        if isinstance(raw, dict):
            raw = raw.get(key)
        elif isinstance(raw, list | tuple) and key.isdecimal() and int(key) < len(raw):
            raw = raw[int(key)]
        else:
            return None
    return raw


def _part(path: tuple[str, ...]) -> type[msgspec.Struct] | None:
    """Return the part at a path; a list and its members have the same part."""
    from gradtui.experiment.fields import parts_of

    part: type[msgspec.Struct] = Experiment
    for key in path:
        if key.isdecimal():
            continue
        if key not in parts_of(part):
            return None
        part = parts_of(part)[key]
    return part


def _allowed(path: tuple[str, ...]) -> str:
    if path == ("net",):
        return "1 to 1000 groups ([[net]] tables)"
    if _part(path) is not None:
        return "a table of fields"
    info = field_at(path)
    return info.allowed if info else ""


def field_at(path: tuple[str, ...]) -> FieldInfo | None:
    """Return the field at a path like ``("net", "0", "width")``, or None."""
    from gradtui.experiment.fields import fields_of

    part = _part(path[:-1])
    if part is None:
        return None
    return next((info for info in fields_of(part) if info.name == path[-1]), None)
