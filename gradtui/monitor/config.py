"""Turn the configuration of a watched script into plain fields by dotted path."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import PurePath
from typing import Any

MOST_FIELDS = 1000
"""The most fields of a configuration that are kept."""
DEEPEST_LEVEL = 8
"""The number of levels of a configuration that are read; deeper values are kept as text."""
LONGEST_TEXT = 200
MOST_ITEMS = 32
"""The most members of a list that are kept."""

Plain = bool | int | float | str | list[Any] | None


def config_fields(config: object) -> dict[str, Plain]:
    """Return the fields of a dict, a dataclass, an argparse.Namespace, or an object like these, by their paths.

    The script's objects are neither changed nor copied deeply. Raises TypeError where the object has no fields.
    """
    members = _members(config)
    if members is None:
        raise TypeError(f"watch(config=…): a {type(config).__name__} has no fields")
    found: dict[str, Plain] = {}
    for path, value in _walk(members, "", DEEPEST_LEVEL):
        if len(found) >= MOST_FIELDS:
            break
        found[path] = value
    return found


def _walk(members: Mapping[Any, Any], before: str, depth: int) -> Iterator[tuple[str, Plain]]:
    for name, value in members.items():
        path = f"{before}{name}"
        inner = None if _is_plain(value) or depth <= 0 else _members(value)
        if inner:
            yield from _walk(inner, f"{path}.", depth - 1)
        else:
            yield path, _plain(value)


def _members(value: Any) -> Mapping[Any, Any] | None:
    """Return the named members of a value; None if it has none, as a function or a tensor."""
    if isinstance(value, Mapping):
        return {name: _got(value.__getitem__, name) for name in value}
    if isinstance(value, type) or callable(value):
        return None
    if dataclasses.is_dataclass(value):
        return {one.name: getattr(value, one.name, None) for one in dataclasses.fields(value)}
    if hasattr(value, "shape") or isinstance(value, Sequence | set | PurePath):
        return None
    if callable(getattr(value, "keys", None)) and hasattr(value, "__getitem__"):
        # Libraries have mappings of their own that are none to Python, such as ml_collections.
        return {name: _got(value.__getitem__, name) for name in value.keys()}  # noqa: SIM118
    own = getattr(value, "__dict__", None) or {}
    slots = getattr(value, "__struct_fields__", None) or getattr(value, "__slots__", None)
    names = [*own, *(slots if isinstance(slots, list | tuple) else ())]
    public = {name: getattr(value, name, None) for name in names if not str(name).startswith("_")}
    return public or None


def _got(get: Callable[[Any], Any], name: Any) -> Any:
    """Return a member; None where reading it fails, as of a value that OmegaConf calls missing."""
    try:
        return get(name)
    except Exception:
        return None


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _plain(value: Any) -> Plain:
    if isinstance(value, bool) or value is None:
        return value
    # A script's own class may derive from int or str.
    if isinstance(value, int):
        return int(value) if abs(int(value)) < 2**63 else str(int(value))[:LONGEST_TEXT]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, str):
        return str(value)[:LONGEST_TEXT]
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(one) for one in islice(value, MOST_ITEMS)]
    if (
        getattr(value, "shape", None) == ()
        and hasattr(value, "item")
        and not getattr(value, "is_cuda", False)
    ):
        return _plain(value.item())
    if hasattr(value, "shape"):
        return f"{type(value).__name__} of shape {tuple(value.shape)}"
    return str(value)[:LONGEST_TEXT]
