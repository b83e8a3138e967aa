"""Name the files of a run's checkpoints, remove old ones, and read their headers.

It imports no torch, because commands and screens use it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Any

from gradtui.ordinary_files import open_to_read
from gradtui.runs.folder import CHECKPOINT_FOLDER
from gradtui.runs.safe_files import remove

KEPT_CHECKPOINTS = 3
"""The number of checkpoints to keep: the newest, one in case the newest is unreadable after a power cut, and one from
before a problem that was noticed late. More would fill disks with files that are never used."""

HEADER_KEY = "gradtui"
"""The key of the one text in a file: JSON with format, step, experiment (as it was then, changes in mid-run included),
and the state of the batches and of fp16's loss scale. There is no state of random numbers beside: the batches
follow from the seed and two numbers, and nothing else in a step is random."""
FORMAT = 1

LONGEST_HEADER = 100_000_000
"""The most bytes of a header, by the rule of the safetensors format."""

_CHECKPOINT_NAME = re.compile(r"step-(\d+)\.safetensors\Z")
_ROLLBACK_NAME = re.compile(r"rewind-(\d+)\.safetensors\Z")


class CheckpointError(ValueError):
    """A CheckpointError says that a checkpoint cannot be used; ``str()`` is one line that names the file."""


def checkpoint_path(run: Path, step: int) -> Path:
    """Return the file of the checkpoint after `step`; names sort by step."""
    return run / CHECKPOINT_FOLDER / f"step-{step:09d}.safetensors"


def rollback_path(run: Path, step: int) -> Path:
    """Return the file of the rollback point after `step`, to which a run that diverged can be taken back.

    No run is resumed from it, and `tidy` does not remove it, because the steps after it diverged.
    """
    return run / CHECKPOINT_FOLDER / f"rewind-{step:09d}.safetensors"


def parent_path(run: Path, step: int) -> Path:
    """Return the file, in a fork's folder, of its parent's checkpoint. It is never removed."""
    return run / CHECKPOINT_FOLDER / f"parent-{step:09d}.safetensors"


def list_checkpoints(run: Path) -> list[tuple[int, Path]]:
    """Return step and file of each checkpoint of a run, the newest first."""
    return _named(run, _CHECKPOINT_NAME)


def list_rollbacks(run: Path) -> list[tuple[int, Path]]:
    """Return step and file of each rollback point of a run, the newest first."""
    return _named(run, _ROLLBACK_NAME)


def _named(run: Path, pattern: re.Pattern[str]) -> list[tuple[int, Path]]:
    with contextlib.suppress(OSError):
        named = [(pattern.match(path.name), path) for path in (run / CHECKPOINT_FOLDER).iterdir()]
        return sorted(((int(name[1]), path) for name, path in named if name), reverse=True)
    return []


def tidy(run: Path) -> None:
    """Remove all but the newest KEPT_CHECKPOINTS, and the drafts of processes that were killed while they wrote."""
    drafts = (run / CHECKPOINT_FOLDER).glob(".step-*.safetensors.*")
    _remove([*(path for _, path in list_checkpoints(run)[KEPT_CHECKPOINTS:]), *drafts])


def remove_after(run: Path, step: int) -> None:
    """Remove the checkpoints and rollback points of later steps from a run that was rolled back.

    The drafts of killed writers are removed too, because no other process writes one now.
    """
    drafts = (run / CHECKPOINT_FOLDER).glob(".rewind-*.safetensors.*")
    later = [path for at, path in (*list_checkpoints(run), *list_rollbacks(run)) if at > step]
    _remove([*later, *drafts])


def _remove(paths: list[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            remove(path)


def parse_header(path: Path, texts: dict[str, str]) -> dict[str, Any]:
    """Return the header of a checkpoint from its texts. Raises CheckpointError."""
    try:
        header = json.loads(texts[HEADER_KEY])
        if header["format"] != FORMAT:
            raise CheckpointError(
                f"{path}: has format {header['format']}, but this gradtui reads format {FORMAT}"
            )
        _check_fields(header)
    except (KeyError, ValueError, TypeError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: is not a checkpoint written by gradtui") from None
    return dict(header)


def _check_fields(header: dict[str, Any]) -> None:
    """Raise KeyError or TypeError where a field is missing or of another kind than it was written."""
    batches, scale = header["batches"], header["loss_scale"]
    whole = (header["step"], batches["epoch"], batches["taken"], scale["good"])
    if not (
        isinstance(header["experiment"], dict)
        and all(type(number) is int and 0 <= number < 2**63 for number in whole)
        and isinstance(scale["value"], float | int)
    ):
        raise TypeError


def read_header(path: Path) -> dict[str, Any]:
    """Return the header of a checkpoint, without reading its tensors. Raises CheckpointError."""
    try:
        with os.fdopen(open_to_read(path), "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if 0 < length <= LONGEST_HEADER else None
        return parse_header(path, header["__metadata__"])  # type: ignore[index]
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from None
    except (ValueError, TypeError, KeyError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: is not a complete safetensors file") from None
