"""Files of one JSON object a line: what a line looks like, and reading on from where one stopped."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from gradtui.runs.folder import size_of

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def encode_line(entry: Mapping[str, Any]) -> bytes:
    """One line, with its newline. What JSON has no word for becomes a string, as do NaN and infinity."""
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

    def __init__(self, path: Path, size: Callable[[Path], int] = size_of) -> None:
        """`size` says how long the file is, 0 where there is none."""
        self.path = path
        self.offset = 0
        self._size = size

    def skip(self) -> None:
        """Leave unread what is there now."""
        self.offset = self._size(self.path)

    def poll(self) -> tuple[list[dict[str, Any]], bool]:
        """The objects that are new, and whether the file began anew since (then they are all it holds).

        Costs one look at its size where nothing is new. Lines that hold no object are passed over.
        """
        size = self._size(self.path)
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
