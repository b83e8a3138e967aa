"""What a person has settled once, kept between runs in `settings.toml`.

The file is the person's own: an app changes in it what was changed in the app, and leaves everything else as it was
written, comments and unknown fields too. It is `$GRADTUI_HOME/settings.toml`, else it lies where the platform keeps
a user's configuration.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

FILE = "settings.toml"


@dataclass(frozen=True)
class Settings:
    """All of them, and what holds where nothing was settled."""

    theme: str = ""
    """Name of a theme, as the command palette lists them; "" fits the terminal."""
    charset: str = "auto"
    """Characters to draw with: "unicode", "ascii", or "auto", as terminal and locale say."""
    smoothing: str = "off"
    """Of the batch curves: "off", "light" or "strong"."""
    log_loss: bool = False
    """Draw the loss on a logarithmic axis."""
    log_accuracy: bool = False
    """Draw the accuracy as its error, on a logarithmic axis."""
    redraws: int = 10
    """Redraws a second of a run that trains, at most: 1 to 20. A slow line has fewer by itself."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Other keys, by the id of what they do: `"lab.stop" = "X"`. Several are separated by commas. In the file it
    is the table `[keys]`; the app never writes it."""


def _one_of(*words: str) -> tuple[Callable[[object], bool], str]:
    return words.__contains__, " or ".join(f'"{word}"' for word in words)


_FLAG: tuple[Callable[[object], bool], str] = (lambda value: isinstance(value, bool), "true or false")

_ALLOWED: dict[str, tuple[Callable[[object], bool], str]] = {
    "theme": (lambda value: isinstance(value, str), "a theme's name"),
    "charset": _one_of("auto", "unicode", "ascii"),
    "smoothing": _one_of("off", "light", "strong"),
    "log_loss": _FLAG,
    "log_accuracy": _FLAG,
    "redraws": (
        lambda value: isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 20,
        "a whole number from 1 to 20",
    ),
}
"""What may stand in a field, as a test and in words."""


def settings_path() -> Path:
    """Where the settings are kept."""
    home = os.environ.get("GRADTUI_HOME")
    if home:
        return Path(home).expanduser() / FILE
    import platformdirs

    return platformdirs.user_config_path("gradtui", appauthor=False) / FILE


def read_settings(path: Path) -> tuple[Settings, str]:
    """The settings, and in one line what is wrong with the file. A field that is wrong has its default."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings(), ""
    except (OSError, UnicodeDecodeError) as error:
        return Settings(), f"{path}: {getattr(error, 'strerror', None) or 'is no UTF-8'}; defaults hold"
    import tomllib

    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Settings(), f"{path}: {error}; defaults hold, and nothing is kept until it is mended"
    known, wrong = {}, []
    for name, (allowed, words) in _ALLOWED.items():
        if name in found and not allowed(found[name]):
            wrong.append(f"{name}: {_shown(found[name])} is not allowed; expected {words}")
        elif name in found:
            known[name] = found[name]
    keys, strange = _keys(found.get("keys", {}))
    wrong += strange
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return Settings(**known, keys=keys), f"{path}: {wrong[0]}{more}" if wrong else ""


def _keys(found: object, before: str = "") -> tuple[dict[str, str], list[str]]:
    """The keys by id. Without quotes, `lab.stop` is a table within a table to TOML: that is meant too."""
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
    """The settings with other values. Raises ValueError on a field that there is not or a value that is not allowed."""
    for name, value in changes.items():
        if name not in _ALLOWED or not _ALLOWED[name][0](value):
            raise ValueError(f"{name} = {value!r}")
    return replace(settings, **changes)


def write_settings(path: Path, changes: Mapping[str, Any]) -> None:
    """Put other values into the file, at once and whole.

    It is read anew for it: another app may have written it meanwhile.

    Raises:
        OSError: it cannot be written.
        ValueError: what is there is no TOML. It is left alone, for the person will want to mend it.
    """
    from gradtui.runs.atomic import replacing

    # Who keeps their settings elsewhere, behind a link, wants them to stay there.
    path = Path(os.path.realpath(path))
    try:
        before = path.read_bytes().decode()
    except FileNotFoundError:
        before = _HEAD
    after = put(before, changes)
    if after != before:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(after.encode())


_HEAD = "# gradtui's settings; gradtui/ui/settings.py explains every field.\n"


def put(text: str, changes: Mapping[str, Any]) -> str:
    """TOML with other values at its top level, and everything else in it as it was. Raises ValueError on no TOML."""
    import tomllib

    import tomli_w

    wanted = tomllib.loads(text) | dict(changes)
    table = re.search(r"^[ \t]*\[", text, re.M)
    top, rest = (text[: table.start()], text[table.start() :]) if table else (text, "")
    for name, value in changes.items():
        line = tomli_w.dumps({name: value}).strip()
        here = re.compile(rf"""^[ \t]*{name}[ \t]*=[ \t]*("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s#]+)""", re.M)
        top, found = here.subn(line.replace("\\", r"\\"), top, count=1)
        if not found:
            top = f"{top.rstrip()}\n{line}\n" + ("\n" if rest else "")
    after = top.lstrip("\n") + rest
    try:
        faithful = tomllib.loads(after) == wanted
    except tomllib.TOMLDecodeError:
        faithful = False
    # What is written in a way that this does not read loses its comments, but nothing else.
    return after if faithful else tomli_w.dumps(wanted)
