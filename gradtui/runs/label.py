"""Read and write label.json, which holds the name, the tags, the group and the note that people gave a run.

Viewers write it, because only the trainer may write run.json. A note that the script itself gave its run stands in
run.json; `shown_note` says which of the two counts. Screens read it as `RunInfo.note` and `Run.note`, and write it by
`write_note`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from gradtui.ordinary_files import read_whole
from gradtui.runs.errors import RunError
from gradtui.runs.json_text import decode, encode
from gradtui.runs.safe_files import replacing

LABEL_FILE = "label.json"
LONGEST_NAME = 200
"""The most characters that a name may have."""
LONGEST_TAG = 40
"""The most characters that a tag may have."""
LONGEST_NOTE = 2000
"""The most characters that a note may have."""


class Label(msgspec.Struct, frozen=True, omit_defaults=True):
    """A Label is the name, the tags, the group and the note that people gave a run."""

    name: str = ""
    """The name that replaces the experiment's; empty if there is none."""
    tags: tuple[str, ...] = ()
    """The tags in alphabetical order."""
    note: str | None = None
    """The note that replaces the script's own, also where it is empty; None if no one has written one."""
    group: str = ""
    """The name of the group of runs that it belongs to, which lists and charts show as one; empty if there is none."""


def read_label(folder: Path) -> Label:
    """Return the label of the run in that folder; an empty one if it is missing or cannot be read."""
    try:
        return decode(read_whole(folder / LABEL_FILE), Label)
    except (OSError, ValueError):
        return Label()


def write_label(folder: Path, label: Label) -> None:
    """Replace the label of a run. Raises RunError, one line that names the file."""
    path = folder / LABEL_FILE
    try:
        with replacing(path) as file:
            file.write(encode(label))
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}") from None


def name_of(text: str) -> str:
    """Return a name as it was typed, on one line. Raises RunError if it is too long."""
    name = " ".join(text.split())
    if len(name) > LONGEST_NAME:
        raise RunError(f"a name has at most {LONGEST_NAME} characters, and this one has {len(name)}")
    return name


def tags_of(text: str) -> tuple[str, ...]:
    """Return the tags in a text, separated by blanks or commas.

    Raises RunError if one is too long, or holds a sign that has another meaning in a filter.
    """
    tags = _sorted(text.replace(",", " ").split())
    for tag in tags:
        if len(tag) > LONGEST_TAG:
            raise RunError(f"a tag has at most {LONGEST_TAG} characters, and {tag[:20]}… has {len(tag)}")
        if not tag.isprintable() or set(tag) & set('"*?[]'):
            raise RunError(f'{tag!r}: a tag cannot contain " * ? [ ]')
    return tags


def note_of(text: str) -> str:
    """Return a note as it was typed, without blanks at the ends of its lines. Raises RunError if it is too long."""
    lines = ["".join(sign for sign in line if sign.isprintable()).rstrip() for line in text.splitlines()]
    note = "\n".join(lines).strip()
    if len(note) > LONGEST_NOTE:
        raise RunError(f"a note has at most {LONGEST_NOTE:,} characters, and this one has {len(note):,}")
    return note


def write_note(folder: Path, text: str) -> None:
    """Give a run a note; an empty one takes the note away. Raises RunError, one line."""
    write_label(folder, msgspec.structs.replace(read_label(folder), note=note_of(text)))


def shown_note(label: Label, own: str) -> str:
    """Return the note of a run: what people wrote, else `own`, which its script gave it."""
    return own if label.note is None else label.note


def retagged(label: Label, add: Iterable[str], remove: Iterable[str]) -> Label:
    """Return the label with tags added and removed."""
    return msgspec.structs.replace(label, tags=_sorted({*label.tags, *add} - set(remove)))


def _sorted(tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(tags), key=lambda tag: (tag.lower(), tag)))
