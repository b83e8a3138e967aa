"""Open the files of data sets: only ordinary files, and none that needs far more memory than disk space.

A small archive may unpack to terabytes, a sparse file may have no content, and a header may claim any size. So sizes
are compared with the bytes on the disk before memory is allocated.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn, cast

from gradtui.experiment.errors import ExperimentError
from gradtui.ordinary_files import in_bytes, open_to_read, read_whole

LARGEST_TEXT_DATA = 100_000_000
"""The most bytes of a text to learn from; each character takes about 13 bytes of memory."""
HARMLESS_BYTES = 100_000_000
"""Files that unpack to fewer bytes are read whatever their ratio."""
HIGHEST_RATIO = 200
"""The most bytes that a large file may unpack to for each byte on the disk. Images of a few lines reach about 50."""
GZIP_RATIO = 1040
"""The most bytes that deflate can make of one."""


def refuse(path: Path, problem: str, allowed: str = "") -> NoReturn:
    """Raise an ExperimentError of the field data.path that names the file."""
    raise ExperimentError("data.path", str(path), allowed, problem=f"{path} {problem}") from None


@contextmanager
def open_data(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, unpacked if its name ends in .gz. Raises ExperimentError, which names the file."""
    # The first frame of the screens imports this module and reads no archive.
    import gzip

    try:
        with os.fdopen(open_to_read(path), "rb") as file:
            yield cast("IO[bytes]", gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        if isinstance(error, ExperimentError):
            raise
        refuse(path, f"cannot be read: {getattr(error, 'strerror', None) or error}")


def check_claim(path: Path, claimed: int) -> None:
    """Raise ExperimentError where a file cannot hold `claimed` bytes, or only by an implausible compression."""
    try:
        about = os.stat(path)
    except OSError as error:
        refuse(path, f"cannot be read: {error.strerror}")
    packed = path.suffix == ".gz"
    if claimed > about.st_size * (GZIP_RATIO if packed else 1):
        refuse(path, f"is too short for the {in_bytes(claimed)} that its header claims", "the whole file")
    # A file with holes has fewer blocks than bytes.
    check_ratio(path, claimed, about.st_size if packed else about.st_blocks * 512)


def is_mostly_hole(unpacked: int, stored: int) -> bool:
    """Return whether a file takes far more memory than it has bytes on the disk."""
    return unpacked > HARMLESS_BYTES and unpacked > HIGHEST_RATIO * stored


def check_ratio(path: Path, unpacked: int, stored: int) -> None:
    """Raise ExperimentError where a file needs more memory than there is, or far more than its bytes on the disk."""
    if is_mostly_hole(unpacked, stored):
        refuse(
            path,
            f"unpacks {in_bytes(stored)} to {in_bytes(unpacked)}",
            f"at most {HIGHEST_RATIO} times as much",
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if unpacked > memory // 2:
        refuse(
            path, f"holds {in_bytes(unpacked)}", f"at most half of this machine's memory, {in_bytes(memory)}"
        )


def read_text_data(path: Path) -> str:
    """Return the text of a file, its lines ending in a line feed. Raises ExperimentError if it cannot be read."""
    try:
        text = read_whole(path, LARGEST_TEXT_DATA).decode("utf-8")
    except UnicodeDecodeError:
        refuse(path, "is not a text in UTF-8")
    except (OSError, ValueError) as error:
        # A path that contains a null character raises ValueError.
        refuse(path, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    return text.replace("\r\n", "\n").replace("\r", "\n")
