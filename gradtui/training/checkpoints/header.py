"""What a checkpoint says of itself, read without torch: for commands and screens, which must not import it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TEXT = "gradtui"
"""The key of the one text: JSON with format, step, experiment (as it was then, changes in mid-run included),
and the state of the batches and of fp16's loss scale. There is no state of random numbers beside: the batches
follow from the seed and two numbers, and nothing else in a step is random."""
FORMAT = 1

LONGEST = 100_000_000
"""Bytes of a header, by the format's own rule: what asks for more is no such file."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; ``str()`` is one line that names the file."""


def about(path: Path, texts: dict[str, str]) -> dict[str, Any]:
    """What a checkpoint of a training says of itself, from its texts. Raises CheckpointError."""
    try:
        told = json.loads(texts[TEXT])
        if told["format"] != FORMAT:
            raise CheckpointError(f"{path}: format {told['format']}, and this gradtui reads format {FORMAT}")
    except (KeyError, ValueError, TypeError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: not a checkpoint that gradtui wrote") from None
    return dict(told)


def read_about(path: Path) -> dict[str, Any]:
    """The same of a file, by its header alone. Raises CheckpointError."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if 0 < length <= LONGEST else None
        return about(path, header["__metadata__"])  # type: ignore[index]
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from None
    except (ValueError, TypeError, KeyError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: not a safetensors file, or not whole") from None
