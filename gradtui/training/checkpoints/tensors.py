"""Write safetensors files, and read them with the library of that name.

A file is the length of a header (8 bytes, little-endian), the header (JSON with the type, shape and place of each
tensor, and a dictionary of texts), and the tensors' bytes without gaps. The library does not write it, because this
code writes each tensor directly from memory, without a copy and without holding Python's lock, so that the training
continues meanwhile; and because a file must be complete on the disk before it gets its name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from torch import Tensor

from gradtui.experiment.data_files import is_mostly_hole
from gradtui.ordinary_files import in_bytes, open_to_read
from gradtui.runs.safe_files import replacing
from gradtui.training.checkpoints.files import CheckpointError

Array = npt.NDArray[np.generic]

_TYPES = {"f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "u1": "U8", "b1": "BOOL"}
_ALIGNMENT = 8
_BUFFER = 1 << 20


def write_tensors(path: Path, tensors: Mapping[str, Array], texts: Mapping[str, str]) -> None:
    """Write or replace a file atomically: a reader sees either the old or the new one. Raises OSError."""
    # Tensors of the widest type come first, as the format advises, so that each is aligned to its numbers' size.
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0]))
    with replacing(path, _BUFFER) as file:
        file.write(_header(ordered, texts))
        for _, array in ordered:
            file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def _header(tensors: list[tuple[str, Array]], texts: Mapping[str, str]) -> bytes:
    entries: dict[str, object] = {"__metadata__": dict(texts)}
    end = 0
    for name, array in tensors:
        begin, end = end, end + array.nbytes
        kind = _TYPES[array.dtype.str[1:]]
        entries[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [begin, end]}
    # This is ten times as fast as json.dumps, during which no other thread can run.
    text = msgspec.json.encode(entries)
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors, on the CPU, and the texts of a file. Raises CheckpointError."""
    try:
        _check_file(path)
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from None
    except CheckpointError:
        raise
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path}: is not a complete safetensors file: {error}") from None


def _check_file(path: Path) -> None:
    """Raise OSError where a file is not an ordinary one, and CheckpointError where most of it is a hole."""
    opened = open_to_read(path)
    try:
        about = os.fstat(opened)
    finally:
        os.close(opened)
    if is_mostly_hole(about.st_size, about.st_blocks * 512):
        raise CheckpointError(f"{path}: has {in_bytes(about.st_size)}, most of which were never written")
