"""Read W&B's offline runs: a log of records in LevelDB's format, each a message of W&B's own protocol.

wandb has no reader for them in Python any more: its core, which is written in Go, uploads them. The format of the log
is published (LevelDB's log_format.md: blocks of 32 KiB; records in fragments, each with checksum, length and type) and
is read here. wandb's own protocol definitions parse the content of a record.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gradtui.importing.log import DAMAGED, ODD_ENTRY, ImportFailed, Log, files_under, norm_from_bins
from gradtui.importing.names import gradient_of
from gradtui.ordinary_files import in_bytes, open_to_read

SUFFIX = ".wandb"

BLOCK = 1 << 15
HEADER = struct.Struct("<IHB")
"""The header of a fragment: checksum, length and type."""
MAGIC = b":W&B"
PREAMBLE = 7
"""The bytes before the first fragment: the magic word, a number and the version of the format."""
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
LARGEST_RECORD = 64_000_000
"""The most bytes of a record, which is put together from fragments and read as a whole."""


def offline_runs(path: Path) -> list[Path]:
    """Return the offline runs at a path: a .wandb file, its folder, or any folder above; empty if there are none."""
    if path.is_file():
        return [path] if path.suffix == SUFFIX else []
    return sorted(files_under(path, lambda name: name.endswith(SUFFIX)))


def read_offline_run(path: Path) -> Log:
    """Return the log of one run. A torn file is read up to the damage.

    Raises ImportFailed if wandb is missing or the file is not one of W&B's.
    """
    record = _record_type(path)
    from google.protobuf.message import DecodeError

    log = Log(path.stem, "W&B", path, ordered=False)
    for content in _records(path):
        try:
            message = record.FromString(content)
        except DecodeError:
            log.left[DAMAGED] += 1
            continue
        kind = message.WhichOneof("record_type")
        if kind == "history":
            try:
                _take(log, message.history)
            except ODD_ENTRY:
                log.left[DAMAGED] += 1
        elif kind == "run" and message.run.display_name:
            log.name = message.run.display_name
    return log


def _record_type(path: Path) -> Any:
    try:
        from wandb.proto.wandb_internal_pb2 import Record
    except ImportError:
        raise ImportFailed(f"{path}: W&B files need wandb: pip install 'gradtui[wandb]'") from None
    return Record


def _records(path: Path) -> Iterator[bytes]:
    try:
        with os.fdopen(open_to_read(path), "rb") as file:
            start = file.read(PREAMBLE)
            if start[: len(MAGIC)] != MAGIC:
                raise ImportFailed(f"{path}: is not a W&B file")
            record, size = list[bytes](), 0
            for kind, fragment in _fragments(file, PREAMBLE):
                if kind in (FULL, FIRST):
                    record, size = [], 0
                record.append(fragment)
                size += len(fragment)
                if size > LARGEST_RECORD:
                    raise ImportFailed(f"{path}: holds a record of more than {in_bytes(LARGEST_RECORD)}")
                if kind in (FULL, LAST):
                    yield b"".join(record)
    except OSError as error:
        raise ImportFailed(f"{path}: {error.strerror}") from None


def _fragments(file: Any, at: int) -> Iterator[tuple[int, bytes]]:
    """Yield the type and content of each whole fragment, up to the first that is torn or wrong."""
    while True:
        room = BLOCK - at % BLOCK
        if room < HEADER.size:
            # The rest of a block is too short for a header, so it is padding.
            file.read(room)
            at += room
        header = file.read(HEADER.size)
        if len(header) < HEADER.size:
            return
        checksum, length, kind = HEADER.unpack(header)
        content = file.read(length)
        if len(content) < length or zlib.crc32(bytes([kind]) + content) != checksum:
            return
        at += HEADER.size + length
        yield kind, content


def _take(log: Log, history: Any) -> None:
    """Add one row of the history, which is everything that was logged at a step."""
    items: dict[str, Any] = {}
    for item in history.item:
        keys = list(item.nested_key) or [item.key]
        _put(items, keys, json.loads(item.value_json))
    step = int(items.get("_step", history.step.num))
    time = float(items.get("_timestamp", 0.0))
    for tag, value in _flat(items):
        _take_value(log, tag, step, time, value)


def _put(items: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        inner = items.setdefault(key, {})
        items = inner if isinstance(inner, dict) else {}
    items[keys[-1]] = value


def _flat(items: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield names and values; nested names are joined by dots, as W&B shows them."""
    for key, value in items.items():
        if isinstance(value, dict) and "_type" not in value:
            yield from _flat(value, f"{before}{key}.")
        elif before or not key.startswith("_"):
            yield f"{before}{key}", value


def _take_value(log: Log, tag: str, step: int, time: float, value: Any) -> None:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float) or value in ("NaN", "Infinity", "-Infinity"):
        log.add(tag, step, time, float(value))
    elif isinstance(value, dict) and value["_type"] == "histogram":
        if gradient_of(tag) is None:
            log.left["histograms of other things"] += 1
            return
        counts = np.asarray(value["values"], np.float64)
        norm = norm_from_bins(_edges(value), counts)
        log.add_norm(tag, step, time, norm, size=round(float(counts.sum())), estimated=True)
    else:
        log.left[str(value["_type"]) if isinstance(value, dict) else "text"] += 1


MOST_BINS = 100_000


def _edges(histogram: dict[str, Any]) -> np.ndarray:
    packed = histogram.get("packedBins")
    if packed is None:
        return np.asarray(histogram["bins"], np.float64)
    if not 0 <= packed["count"] <= MOST_BINS:
        raise ValueError(f"a histogram of {packed['count']} bins")
    edges: np.ndarray = packed["min"] + packed["size"] * np.arange(packed["count"] + 1)
    return edges
