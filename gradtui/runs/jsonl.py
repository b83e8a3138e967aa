"""Read and write files with one JSON object per line: encode a line, and read the new lines of a growing file."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import msgspec

from gradtui.ordinary_files import open_to_read
from gradtui.runs.folder import size_of
from gradtui.runs.json_text import check
from gradtui.runs.safe_files import append, truncate

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def encode_line(entry: Mapping[str, Any]) -> bytes:
    """Return one line, with its newline. NaN, infinity and values that JSON does not know become strings."""
    return (
        json.dumps(_plain(entry), ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"
    )


def decode_line(line: bytes) -> dict[str, Any] | None:
    """Return the object in a line, with "nan", "inf" and "-inf" as numbers; None if the line is not an object."""
    try:
        return _taken(json.loads(line))
    except (ValueError, RecursionError):
        return None


def cut_torn_line(path: Path) -> None:
    """Cut off an incomplete last line; one that is longer than MOST_BYTES is ended instead. Raises OSError."""
    with contextlib.suppress(FileNotFoundError), os.fdopen(open_to_read(path), "rb") as file:
        end = os.fstat(file.fileno()).st_size
        least = end - MOST_BYTES
        # The search starts at the end, because the log may be long.
        while end > 0:
            if end <= least:
                append(path, b"\n")
                return
            start = max(0, end - TAIL_BYTES)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        truncate(path, end)


TAIL_BYTES = 65_536


_LINES = msgspec.json.Decoder()


def decode_lines(content: bytes) -> list[dict[str, Any]]:
    """Return the objects of whole lines. Lines that hold no object are skipped."""
    try:
        # Decoding all lines at once takes a tenth of the time of decoding them one by one.
        found = _LINES.decode_lines(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        entries = [decode_line(line) for line in content.split(b"\n")]
    else:
        entries = [_taken_or_none(value) for value in found]
    return [entry for entry in entries if entry is not None]


def _taken_or_none(value: Any) -> dict[str, Any] | None:
    try:
        return _taken(value)
    except ValueError:
        return None


def _taken(value: Any) -> dict[str, Any] | None:
    """Return an object as it was before `encode_line`; None for any other value. Raises ValueError as `check`."""
    if not isinstance(value, dict):
        return None
    for name, member in value.items():
        kind = type(member)
        if kind is str:
            if member in _NOT_FINITE:
                value[name] = _NOT_FINITE[member]
        elif kind is not float:
            check(member, 1)
            if kind is dict or kind is list:
                value[name] = _numbers(member)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(float(value))
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    # This converts numbers and arrays of numpy, and tensors, without importing a library that may be missing.
    tolist = getattr(value, "tolist", None)
    return _plain(tolist()) if callable(tolist) else str(value)


def _numbers(value: Any) -> Any:
    if isinstance(value, str):
        return _NOT_FINITE.get(value, value)
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    return value


FIRST_BYTES, LAST_BYTES = 1_000_000, 3_000_000
"""The bytes at the beginning and at the end that are read of more than MOST_BYTES of new lines."""
MOST_BYTES = FIRST_BYTES + LAST_BYTES
"""The most bytes that are read at once: the events of some 30,000 evaluations."""


class LineReader:
    """A LineReader reads the new lines of a growing file. A last line is read once it ends in a newline."""

    def __init__(self, path: Path, size: Callable[[Path], int] = size_of) -> None:
        """`size` returns the length of the file, or 0 if it does not exist."""
        self.path = path
        self.offset = 0
        self._size = size
        self.about: os.stat_result | None = None
        """The owner and permissions of the file when it was last read."""

    def skip(self) -> None:
        """Skip the lines that the file has now."""
        self.offset = self._size(self.path)

    def poll(self) -> tuple[list[dict[str, Any]], bool]:
        """Return the new objects, and whether the file was rewritten since the last call, so that they are all objects.

        If nothing is new, it only checks the size of the file. Lines without an object are skipped, as are lines in the
        middle of more than MOST_BYTES of new ones.
        """
        size = self._size(self.path)
        if size == self.offset:
            return [], False
        restarted = size < self.offset
        if restarted:
            self.offset = 0
        try:
            with os.fdopen(open_to_read(self.path), "rb") as file:
                self.about = os.fstat(file.fileno())
                content = self._read(file, size)
        except OSError:
            return [], restarted
        return decode_lines(content), restarted

    def _read(self, file: IO[bytes], size: int) -> bytes:
        """Return the new complete lines; of more than MOST_BYTES only the first ones and, after a gap, the last."""
        file.seek(self.offset)
        if size - self.offset <= MOST_BYTES:
            content = file.read(MOST_BYTES)
            content = content[: content.rfind(b"\n") + 1]
            self.offset += len(content)
            return content
        first = file.read(FIRST_BYTES)
        file.seek(size - LAST_BYTES)
        last = file.read(LAST_BYTES)
        # A line that begins within the gap is left out, as is one that is longer than the part after the gap.
        start, end = last.find(b"\n") + 1, last.rfind(b"\n") + 1
        self.offset = size - LAST_BYTES + end
        return first[: first.rfind(b"\n") + 1] + last[start:end]
