"""Cache the list's data of ended runs in a file of this user, so that thousands of runs are listed at once.

An entry counts as long as the files of its run have the times and sizes that they had when they were read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from gradtui.ordinary_files import open_to_read
from gradtui.runs.folder import runs_root
from gradtui.runs.run_info import RunInfo
from gradtui.runs.safe_files import make_folder, replacing

CACHE_FOLDER = "cache"
VERSION = 3
"""The version of the cache, which changes with the content of an entry or how it is computed."""
LARGEST = 256_000_000
FEWEST_RUNS = 50
"""The least number of runs for which reading the cache is faster than reading the runs."""

Stamp = tuple[int, int, int]
"""Time of change, size and number of a file."""
Stamps = tuple[Stamp | None, ...]


class _Content(msgspec.Struct, array_like=True):
    version: int
    root: str
    entries: dict[str, tuple[Stamps, RunInfo]]


def read_cache(root: Path) -> dict[str, tuple[Stamps, RunInfo]]:
    """Return the cached data of the ended runs in a folder, by their ids; empty where the file cannot be used."""
    try:
        with os.fdopen(open_to_read(_path_of(root)), "rb") as file:
            about = os.fstat(file.fileno())
            if about.st_uid != os.getuid() or about.st_size > LARGEST:
                return {}
            content = msgspec.msgpack.decode(
                file.read(LARGEST), type=_Content, dec_hook=lambda kind, name: root / name
            )
    except (OSError, msgspec.DecodeError, ValueError, RecursionError):
        return {}
    if content.version != VERSION or content.root != str(root):
        return {}
    return content.entries


def write_cache(root: Path, known: Mapping[str, tuple[Stamps, RunInfo]]) -> None:
    """Write the data of ended runs. If that fails, the next list only takes longer."""
    with contextlib.suppress(OSError, ValueError, TypeError, RecursionError, OverflowError):
        content = msgspec.msgpack.encode(
            _Content(VERSION, str(root), dict(known)), enc_hook=lambda path: path.name
        )
        path = _path_of(root)
        if not path.parent.parent.is_dir():
            return
        with contextlib.suppress(FileExistsError):
            make_folder(path.parent)
        with replacing(path, private=True) as file:
            file.write(content)


def _path_of(root: Path) -> Path:
    name = hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:24]
    return runs_root().parent / CACHE_FOLDER / f"{name}.list"
