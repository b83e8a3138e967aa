"""Decode JSON that somebody else may have written, and refuse deep nesting and integers of hundreds of digits.

Python decodes both, but fails later when it formats, copies or calculates with the values. Texts from elsewhere may
also hold what JSON cannot: `encode` replaces it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

DEEPEST_LEVEL = 64
"""The most levels of nested lists and objects. The files that gradtui writes have about ten."""
LARGEST_INT = 2**1000
"""The largest integer, of about 300 digits, because larger ones have no float."""


def encode(value: Any) -> bytes:
    """Return a value as a line of JSON; halves of a pair of UTF-16, which no UTF-8 can hold, become "?"."""
    try:
        return msgspec.json.encode(value) + b"\n"
    except UnicodeEncodeError:
        return msgspec.json.encode(_with_whole_characters(msgspec.to_builtins(value))) + b"\n"


def _with_whole_characters(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_with_whole_characters(key): _with_whole_characters(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_with_whole_characters(member) for member in value]
    return value


T = TypeVar("T")


def decode(content: bytes, kind: type[T]) -> T:
    """Return the value of type `kind` in a JSON text. Raises ValueError, in one line."""
    try:
        value = msgspec.json.decode(content, type=kind)
    except RecursionError:
        raise ValueError("nested too deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
    check(value)
    return value


def check(value: Any, depth: int = 0) -> None:
    """Raise ValueError, in one line, where a decoded value is nested too deep or holds too large an integer."""
    if isinstance(value, str | float) or value is None:
        return
    if isinstance(value, int):
        if abs(value) > LARGEST_INT:
            raise ValueError("an integer of more than 300 digits")
        return
    if depth == DEEPEST_LEVEL:
        raise ValueError("nested too deep")
    members: Iterable[Any]
    if isinstance(value, Mapping):
        members = value.values()
    elif isinstance(value, msgspec.Struct):
        members = (getattr(value, name) for name in value.__struct_fields__)
    else:
        members = value
    for member in members:
        check(member, depth + 1)
