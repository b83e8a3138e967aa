"""Files that are replaced at once: whoever reads sees the old or the new one, whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def replacing(path: Path, buffering: int = -1) -> Iterator[IO[bytes]]:
    """A draft beside `path` to write into; it takes the file's name when the block ends. Raises OSError. Where the
    block ends by an exception, the file is left as it was, and no draft behind.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb", buffering=buffering) as file:
            yield file
            file.flush()
            # Without this, a power cut can leave the new name on an empty file.
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
