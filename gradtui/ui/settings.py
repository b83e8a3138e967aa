"""Keep a person's settings in `settings.toml`.

The file is the person's own: an app only changes the fields that were changed in the app, and leaves everything else,
comments and unknown fields too. It is `$GRADTUI_HOME/settings.toml`, or else in the platform's folder for a user's
configuration.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from gradtui.ordinary_files import read_whole
from gradtui.runs.bounded_reads import NO_ANSWER, answers
from gradtui.runs.folder import settings_path
from gradtui.toml_text import LARGEST_FILE, parse

__all__ = ["ALLOWED", "Settings", "changed", "put", "read_settings", "settings_path", "write_settings"]


@dataclass(frozen=True)
class Settings:
    """Settings hold every field of the file, with the defaults of those that are not in it.

    It is a dataclass, which msgspec can check like a struct: the app needs settings before its first frame, and most
    people have no file for which msgspec would have to be imported.
    """

    theme: str = ""
    """Name of a theme, as the command palette lists them; "" fits the terminal."""
    charset: Literal["auto", "unicode", "ascii"] = "auto"
    """Characters to draw with: "unicode", "ascii", or "auto", as terminal and locale say."""
    smoothing: Literal["off", "light", "strong"] = "off"
    """The smoothing of the batch curves: "off", "light" or "strong"."""
    log_loss: bool = False
    """Draw the loss on a logarithmic axis."""
    log_accuracy: bool = False
    """Draw the accuracy as its error, on a logarithmic axis."""
    redraws: int = 10
    """The most redraws per second of a run that trains: 1 to 20. A slow line automatically has fewer."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Other keys, by the id of what they do: `"lab.stop" = "Q"`. Several are separated by commas. In the file it
    is the table `[keys]`; the app never writes it."""
    language: str = ""
    """The language of the lessons, as the name of their folder: "en", "zh"; "" follows the locale."""
    alerts: bool = False
    """Ring the bell and send a notification to the terminal (OSC 9) when a finding begins in a run that trains."""
    share: bool = False
    """Make new runs readable by the group; otherwise only this user can read them."""
    x_axis: str = "step"
    """The horizontal axis of the curves: "step", "time" or the name of a number that a script logs, each also with
    ", log" at its end. A run without that number is drawn by step."""

    def __post_init__(self) -> None:
        if not 1 <= self.redraws <= 20:
            raise ValueError(f"redraws = {self.redraws}")


ALLOWED = {
    "theme": "a theme's name",
    "charset": '"auto" or "unicode" or "ascii"',
    "smoothing": '"off" or "light" or "strong"',
    "log_loss": "true or false",
    "log_accuracy": "true or false",
    "x_axis": '"step", "time" or a number\'s name',
    "language": 'a language, such as "en" or "zh"',
    "alerts": "true or false",
    "share": "true or false",
    "redraws": "a whole number from 1 to 20",
}
"""The fields that the app itself changes, each with its allowed values in words."""


def read_settings(path: Path) -> tuple[Settings, str]:
    """Return the settings, and in one line what is wrong with the file. A field that is wrong has its default."""
    if not answers(path):
        return Settings(), f"{path}: {NO_ANSWER}; using defaults"
    try:
        text = read_whole(path, LARGEST_FILE).decode()
    except FileNotFoundError:
        return Settings(), ""
    except (OSError, UnicodeDecodeError) as error:
        return Settings(), f"{path}: {getattr(error, 'strerror', None) or 'is not UTF-8'}; using defaults"

    try:
        found = parse(text)
    except ValueError as error:
        return Settings(), f"{path}: {error}; using defaults, and no change is saved until it is fixed"
    known = {name: found[name] for name in ALLOWED if name in found and _is_allowed(name, found[name])}
    wrong = [
        f"{name}: {_shown(found[name])} is not allowed; expected {words}"
        for name, words in ALLOWED.items()
        if name in found and name not in known
    ]
    keys, strange = _keys(found.get("keys", {}))
    wrong += strange
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return Settings(**known, keys=keys), f"{path}: {wrong[0]}{more}" if wrong else ""


def _is_allowed(name: str, value: object) -> bool:
    import msgspec

    try:
        msgspec.convert({name: value}, Settings)
    except msgspec.ValidationError:
        return False
    return name in ALLOWED


def _keys(found: object, before: str = "") -> tuple[dict[str, str], list[str]]:
    """Return the keys by id, and what is wrong with others.

    Without quotes, `lab.stop` is a table within a table to TOML: that is read as an id too.
    """
    if not isinstance(found, dict):
        return {}, [f"keys: {_shown(found)} is not allowed; expected a table"]
    keys: dict[str, str] = {}
    wrong: list[str] = []
    for name, value in found.items():
        if isinstance(value, dict):
            deeper, strange = _keys(value, f"{before}{name}.")
            keys |= deeper
            wrong += strange
        elif isinstance(value, str) and all(key.strip() for key in value.split(",")):
            keys[before + name] = value
        else:
            wrong.append(
                f'keys.{before}{name}: {_shown(value)} is not allowed; expected keys, as in "x,ctrl+x"'
            )
    return keys, wrong


def _shown(value: object) -> str:
    from gradtui.experiment.errors import show

    return show(value)


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Return the settings with other values. Raises ValueError on an unknown field or a value that is not allowed."""
    for name, value in changes.items():
        if not _is_allowed(name, value):
            raise ValueError(f"{name} = {value!r}")
    return replace(settings, **changes)


def write_settings(path: Path, changes: Mapping[str, Any]) -> None:
    """Write changed values into the file, by replacing it in one step.

    The file is read again first, since another app may have written it meanwhile.

    Raises:
        OSError: it cannot be written.
        ValueError: the file is not TOML. It is left as it is, so that the person can correct it.
    """
    from gradtui.runs.safe_files import is_own_link, make_parents, replacing

    if is_own_link(path):
        # People keep their settings elsewhere, and the file there stays where it is.
        path = Path(os.path.realpath(path))
    try:
        before = read_whole(path, LARGEST_FILE).decode()
    except FileNotFoundError:
        before = _HEAD
    after = put(before, changes)
    if after != before:
        make_parents(path.parent)
        with replacing(path, private=True) as file:
            file.write(after.encode())


_HEAD = "# gradtui's settings; gradtui/ui/settings.py explains every field.\n"


def put(text: str, changes: Mapping[str, Any]) -> str:
    """Return TOML with other values at its top level, and everything else in it as it was written.

    Raises:
        ValueError: the text is not valid TOML.
    """
    import tomlkit

    # tomlkit's own errors are not all ValueErrors.
    parse(text)
    document = tomlkit.parse(text)
    document.update(changes)
    return tomlkit.dumps(document)
