"""label.json: what people call a run and how they sort it. Written by viewers; run.json has the trainer for its one
writer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from gradtui.runs.errors import RunError
from gradtui.runs.folder import replacing

LABEL_FILE = "label.json"
LONGEST_NAME = 200
"""Characters of a name …"""
LONGEST_TAG = 40
"""… and of a tag."""


class Label(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a person has written on a run."""

    name: str = ""
    """Another name than the experiment's; empty is none."""
    tags: tuple[str, ...] = ()
    """In alphabetical order."""


def read_label(folder: Path) -> Label:
    """What stands on the run in that folder. What cannot be read, or is no label, says nothing."""
    try:
        return msgspec.json.decode((folder / LABEL_FILE).read_bytes(), type=Label)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Label()


def write_label(folder: Path, label: Label) -> None:
    """Write on a run, in place of what stood there. Raises RunError, one line that names the file."""
    path = folder / LABEL_FILE
    try:
        with replacing(path) as file:
            file.write(msgspec.json.encode(label) + b"\n")
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}") from None


def name_of(text: str) -> str:
    """A name as it was typed, on one line. Raises RunError where it is too long."""
    name = " ".join(text.split())
    if len(name) > LONGEST_NAME:
        raise RunError(f"a name has {LONGEST_NAME} characters at most, and this one {len(name)}")
    return name


def tags_of(text: str) -> tuple[str, ...]:
    """Tags as they were typed, between blanks or commas. Raises RunError where one is too long, or would not be found
    again: a filter reads other meanings into its signs.
    """
    tags = _sorted(text.replace(",", " ").split())
    for tag in tags:
        if len(tag) > LONGEST_TAG:
            raise RunError(f"a tag has {LONGEST_TAG} characters at most, and {tag[:20]}… has {len(tag)}")
        if not tag.isprintable() or set(tag) & set('"*?[]'):
            raise RunError(f'{tag!r}: a tag has none of " * ? [ ] in it')
    return tags


def retagged(label: Label, add: Iterable[str], remove: Iterable[str]) -> Label:
    """The label with other tags."""
    return msgspec.structs.replace(label, tags=_sorted({*label.tags, *add} - set(remove)))


def _sorted(tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(tags), key=lambda tag: (tag.lower(), tag)))
