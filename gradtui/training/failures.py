"""Say in one line for the user why a training failed. The traceback is in the log."""

from __future__ import annotations

import errno
import re
from pathlib import Path

LONGEST_REASON = 300

DISK_PROBLEMS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your disk quota is used up",
    errno.EFBIG: "a file has reached the size limit",
    errno.EROFS: "the disk is read-only",
    errno.EIO: "the disk reported an error",
    errno.ESTALE: "the file server no longer has the folder",
}

_MEMORY = re.compile(
    r"not enough memory|can't allocate memory|out of memory|Cannot allocate memory", re.IGNORECASE
)

_ONE_VALUE = re.compile(r"Expected more than 1 value per channel when training")
"""Torch's message when batch normalisation gets a batch of one example, which may be all data."""

_ASKED = re.compile(r"tried to allocate ([\d.]+) ?(bytes|[KMGT]i?B)", re.IGNORECASE)


class TrainingFailed(Exception):
    """A TrainingFailed error has a text that already is one line for the user."""


def reason_of(error: BaseException) -> str:
    """Return one line that says what went wrong, in plain words where the kind is known."""
    if _ONE_VALUE.search(str(error)):
        return "batch norm needs at least two examples in a batch, but there is only one"
    if isinstance(error, TrainingFailed | ValueError) and str(error):
        return _one_line(str(error))
    if isinstance(error, MemoryError) or _MEMORY.search(str(error)):
        return _one_line(f"out of memory{_asked(str(error))}")
    if isinstance(error, OSError) and error.errno in DISK_PROBLEMS:
        return DISK_PROBLEMS[error.errno]
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return _one_line(f"{where}{error.strerror}")
    return _one_line(f"{type(error).__name__}: {error}")


def recording_problem(folder: Path, error: OSError) -> str:
    """Return one line that says why a run cannot be recorded any more."""
    reason = reason_of(error) if folder.is_dir() else "its folder was removed"
    return f"the run cannot be recorded: {reason}"


def _asked(text: str) -> str:
    found = _ASKED.search(text)
    if not found:
        return ""
    amount, unit = found.groups()
    if unit == "bytes":
        amount, unit = f"{float(amount) / 1e9:.3g}", "GB"
    return f": the training asked for {amount} {unit} more than there is"


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"
