"""Define ExperimentError, which says what is wrong with an experiment, in one line that names the field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_SHOWN = 60

UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that break a line, turn its direction, or cannot be written as UTF-8."""


class ExperimentError(ValueError):
    """An ExperimentError says in one line, which ``str()`` returns, what is wrong with an experiment.

    ``field`` is the dotted path (``net.0.width``), or the file's name where the file itself is wrong; ``value`` is the
    wrong value; ``allowed`` says in words which values are allowed.
    """

    def __init__(self, field: str, value: object = None, allowed: str = "", *, problem: str = "") -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        line = f"{_one_line(field, 200)}: {problem or f'{show(value)} is not allowed'}"
        super().__init__(_one_line(f"{line}; expected {allowed}" if allowed else line, 2000))

    def __reduce__(self) -> tuple[object, ...]:
        # By default, unpickling would pass the finished line to the class as its field.
        return (_revive, (self.field, self.value, self.allowed, str(self)))


def _revive(field: str, value: object, allowed: str, line: str) -> ExperimentError:
    error = ExperimentError(field, value, allowed)
    error.args = (line,)
    return error


def show(value: object) -> str:
    """Return a value as TOML writes it, short and on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{_one_line(value, LONGEST_SHOWN)}"'
    if isinstance(value, int):
        # TOML readers need not support numbers beyond 64 bits, and Python refuses to print 4,300 digits.
        return str(value) if abs(value) < 2**64 else "a number beyond 64 bits"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    return f"a value of type {type(value).__name__}"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean "…"?`` for the nearest known word, or an empty text."""
    from difflib import get_close_matches

    found = get_close_matches(word[:200], list(known), n=1, cutoff=0.6)
    return f'; did you mean "{found[0]}"?' if found else ""


def _one_line(text: str, longest: int) -> str:
    text = UNSHOWABLE.sub(" ", text)
    return text if len(text) <= longest else text[: longest - 1] + "…"
