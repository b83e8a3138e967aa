"""Read files that somebody else may have made: only ordinary files, and only up to a limit of bytes.

Reading a FIFO would wait forever, a device has no end, and a sparse file of a few kB may have terabytes to read.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from typing import Any

NOT_ORDINARY = "is not an ordinary file"

LARGEST_TEXT = 64_000_000
"""The most bytes of a file that is read as a whole. The files that gradtui writes have a few kB."""


def open_to_read(path: str | os.PathLike[str]) -> int:
    """Open a file for reading, and return its descriptor. Raises OSError, also for a file that is not ordinary."""
    # Without O_NONBLOCK the opening of a FIFO waits for a writer.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENODEV):
            # The file is a socket, or a device that does not exist.
            raise OSError(error.errno, NOT_ORDINARY, str(path)) from None
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, NOT_ORDINARY, str(path))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def read_whole(path: Path, most: int = LARGEST_TEXT) -> bytes:
    """Return the content of a file that should be small. Raises OSError, also where it is large."""
    with os.fdopen(open_to_read(path), "rb") as file:
        if os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"is larger than {in_bytes(most)}", str(path))
        return file.read(most)


def given_path(text: str | os.PathLike[str]) -> Path:
    """Return the path that a person typed, with ~ replaced by the home folder; ~ of an unknown user stays."""
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def problem_of(error: Exception) -> str:
    """Return in a few words why a file could not be used: an OSError, or the ValueError of a path with a null in it."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def in_bytes(count: int) -> str:
    """Return a number of bytes in words: "64 MB"."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 1000)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"


def read_shipped(package: str, name: str) -> bytes:
    """Read a file that ships in an imported package of gradtui, also where that is imported from a zip archive.

    importlib.resources would do the same, but takes a tenth of a second to import. Raises OSError.
    """
    module = sys.modules[package]
    assert module.__spec__ is not None
    loader: Any = module.__spec__.loader
    content: bytes = loader.get_data(os.path.join(os.path.dirname(str(module.__file__)), name))
    return content
