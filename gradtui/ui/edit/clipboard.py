"""Copy an experiment to the clipboard as TOML, and take pasted TOML as a change of the experiment."""

from __future__ import annotations

import re
from typing import Any

from gradtui.experiment import Experiment, ExperimentError, dumps, loads, net_shape, set_fields
from gradtui.experiment.short_string import from_short_string, is_short_string
from gradtui.experiment.toml import toml_of

SOURCE = "pasted text"
MAX_CHARACTERS = 1_000_000
"""The longest accepted paste; a thousand groups with every field have some 320,000 characters."""
_FENCE = re.compile(r"^(`{3,}|~{3,})")


def copied(experiment: Experiment) -> str:
    """Return the experiment as TOML, without the fields that have their default."""
    return dumps(experiment)


def pasted(text: str, experiment: Experiment) -> Experiment:
    """Return the experiment that a pasted text makes of this one.

    A text that has a net, and a name or data for it, is a complete experiment, and so is an experiment as a short
    string. Any other text changes this one: the fields that it names change, and its groups replace all groups. A
    Markdown code fence, and the text outside of it, is left out.

    Raises:
        ExperimentError: one line that names the field, or the line of the text.
    """
    if len(text) > MAX_CHARACTERS:
        raise ExperimentError(SOURCE, problem="longer than any experiment", allowed="an experiment as TOML")
    text = _without_fence(text)
    if not text.strip():
        raise ExperimentError(SOURCE, problem="empty", allowed="an experiment, or a part of one, as TOML")
    if is_short_string(text.strip()):
        made = from_short_string(text.strip())
    else:
        raw = toml_of(text, SOURCE)
        whole = "net" in raw and ("name" in raw or "data" in raw)
        made = loads(text, SOURCE) if whole else _changed_by(raw, experiment)
    # This raises an error if a file that the experiment names does not exist here.
    net_shape(made)
    return made


def _without_fence(text: str) -> str:
    """Return the text without indentation and fence; lines keep their numbers, so that an error names the right one."""
    lines = [line.strip() for line in text.splitlines()]
    opening = next((number for number, line in enumerate(lines) if _FENCE.match(line)), None)
    if opening is None:
        return "\n".join(lines)
    fence = lines[opening][:3]
    rest = range(opening + 1, len(lines))
    closing = next((number for number in rest if lines[number].startswith(fence)), len(lines))
    return "\n".join([""] * (opening + 1) + lines[opening + 1 : closing])


def _changed_by(raw: dict[str, Any], experiment: Experiment) -> Experiment:
    net = raw.get("net")
    if isinstance(net, dict) and not all(key.isdecimal() for key in net):
        raise ExperimentError("net", problem="a group has two brackets: [[net]]")
    return set_fields(experiment, dict(_fields(raw, "")))


def _fields(table: dict[str, Any], path: str) -> list[tuple[str, object]]:
    """Return the dotted paths of a table with their values; a list of groups is one value."""
    found: list[tuple[str, object]] = []
    for key, value in table.items():
        if isinstance(value, dict):
            found += _fields(value, f"{path}{key}.")
        else:
            found.append((f"{path}{key}", value))
    return found
