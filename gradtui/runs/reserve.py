"""Reserve a little disk space for the last event of a run, so that it can be written even on a full disk.

Without its "end" event, a run would look as if its process had been killed.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from gradtui.runs.folder import EVENTS_FILE, RESERVE_FILE
from gradtui.runs.jsonl import cut_torn_line
from gradtui.runs.safe_files import append, open_file, remove

RESERVED_BYTES = 16384


def keep_reserve(folder: Path) -> None:
    """Reserve the space, unless the disk is full already."""
    with contextlib.suppress(OSError):
        descriptor = open_file(folder / RESERVE_FILE, os.O_WRONLY | os.O_CREAT)
        try:
            # Zeros would take no space on a file system that compresses.
            os.pwrite(descriptor, os.urandom(RESERVED_BYTES), 0)
        finally:
            os.close(descriptor)


def drop_reserve(folder: Path) -> None:
    """Free the reserved space."""
    with contextlib.suppress(OSError):
        remove(folder / RESERVE_FILE)


def write_last_event(folder: Path, line: bytes) -> OSError | None:
    """Append the line of an event to a full disk, in the reserved space; return the error if that fails."""
    drop_reserve(folder)
    try:
        cut_torn_line(folder / EVENTS_FILE)
        append(folder / EVENTS_FILE, line)
    except OSError as error:
        return error
    return None
