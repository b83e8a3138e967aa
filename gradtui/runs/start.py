"""start.json: where a run begins, where that is not at fresh weights and step 0.

Written once, by whoever makes the run's folder, before its trainer starts.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from gradtui.runs.atomic import replacing
from gradtui.runs.errors import RunError
from gradtui.runs.folder import START_FILE
from gradtui.runs.meta import Parent


class RunOrigin(msgspec.Struct, frozen=True, omit_defaults=True):
    """The content of start.json; without that file, a run of its own."""

    parent: Parent | None = None
    checkpoint: str = ""
    """Of a fork: the parent's checkpoint, in this run's own folder; the parent may be deleted."""
    preflight: bool = False
    """Measure at initialisation, and train nothing."""


def write_origin(folder: Path, start: RunOrigin) -> None:
    """Write start.json at once. Raises OSError."""
    with replacing(folder / START_FILE) as file:
        file.write(msgspec.json.format(msgspec.json.encode(start), indent=1) + b"\n")


def read_origin(folder: Path) -> RunOrigin:
    """Read start.json. Raises RunError, one line that names the file, where it is corrupt."""
    path = folder / START_FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return RunOrigin()
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}") from None
    try:
        return msgspec.json.decode(content, type=RunOrigin)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: does not say where the run begins: {error}") from None
