"""Parse TOML that somebody else may have written, with one kind of error for everything that is wrong with it."""

from __future__ import annotations

from typing import Any

DEEPEST = 32
"""Tables and lists within one another. An experiment has three."""


def parse(text: str) -> dict[str, Any]:
    """Return what a text of TOML holds. Raises ValueError, in one line; TOMLDecodeError names the place."""
    # The first frame of the screens needs this module, and mostly no TOML.
    import tomllib

    try:
        found = tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    _check_depth(found)
    return found


def _check_depth(found: dict[str, Any]) -> None:
    level: list[Any] = [found]
    # A short line like a.a.a.a = 1 makes one table a dot, on which functions that call themselves fail later.
    for _ in range(DEEPEST):
        level = [
            member
            for value in level
            for member in (value.values() if isinstance(value, dict) else value)
            if isinstance(member, dict | list)
        ]
        if not level:
            return
    raise ValueError("nested too deep")
