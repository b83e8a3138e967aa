"""Parse TOML that somebody else may have written, with one kind of error for everything that is wrong with it."""

from __future__ import annotations

from typing import Any

LARGEST_FILE = 10_000_000
"""The most bytes of a file of TOML. An experiment has a few hundred, and the longest lesson 20,000."""
DEEPEST_LEVEL = 32
"""The most levels of nested tables and lists. An experiment has three."""


def parse(text: str) -> dict[str, Any]:
    """Return the content of a TOML text. Raises ValueError, in one line; TOMLDecodeError names the place."""
    # The first frame of the screens imports this module and rarely parses TOML.
    import tomllib

    try:
        found = tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    _check_depth(found)
    return found


def _check_depth(found: dict[str, Any]) -> None:
    level: list[Any] = [found]
    # A short line like a.a.a.a = 1 makes a table for each dot; recursive functions would fail on deep nesting.
    for _ in range(DEEPEST_LEVEL):
        level = [
            member
            for value in level
            for member in (value.values() if isinstance(value, dict) else value)
            if isinstance(member, dict | list)
        ]
        if not level:
            return
    raise ValueError("nested too deep")
