"""Files of one JSON object a line: what a line looks like, and reading on from where one stopped."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def encode_line(entry: Mapping[str, Any]) -> bytes:
    """One line, with its newline. Numbers that are not finite, and what JSON has no word for, become strings."""
    return (
        json.dumps(_plain(entry), ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"
    )


def decode_line(line: bytes) -> dict[str, Any] | None:
    """The object of a line, "nan", "inf" and "-inf" as numbers again; None where the line holds no object."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return _numbers(entry) if isinstance(entry, dict) else None


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
    # Numbers and arrays of numpy (and tensors), without importing what may not be there.
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


class LineReader:
    """Reads on in a file that grows by whole lines. A last line without newline waits until it has one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0

    def skip(self) -> None:
        """Leave unread what is there now."""
        self.offset = self._size()

    def poll(self) -> tuple[list[dict[str, Any]], bool]:
        """The objects that are new, and whether the file began anew since (then they are all it holds).

        Costs one stat where nothing is new. Lines that hold no object are passed over.
        """
        size = self._size()
        if size == self.offset:
            return [], False
        restarted = size < self.offset
        if restarted:
            self.offset = 0
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                content = file.read()
        except OSError:
            return [], restarted
        whole = content[: content.rfind(b"\n") + 1]
        self.offset += len(whole)
        entries = [decode_line(line) for line in whole.split(b"\n")]
        return [entry for entry in entries if entry is not None], restarted

    def _size(self) -> int:
        try:
            return os.stat(self.path).st_size
        except OSError:
            return 0
