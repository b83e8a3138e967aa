"""Read TensorBoard's event files with TensorBoard's own reader."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np

from gradtui.importing.log import (
    DAMAGED,
    ODD_ENTRY,
    ImportFailed,
    Log,
    files_under,
    norm_from_bins,
    norm_from_squares,
)
from gradtui.importing.names import gradient_of
from gradtui.ordinary_files import open_to_read

NAME_PART = "tfevents"
"""The text that the name of every event file contains."""
FRAME_BYTES = 16
"""The bytes around each record: its length and two checksums."""
HEAD_BYTES = 12
"""The bytes before each record: its length, and the checksum of that."""
LARGEST_RECORD = 64_000_000
"""The most bytes of a record, because the reader takes as much memory as a record claims to need."""


def event_files(path: Path) -> list[list[Path]]:
    """Return the event files at a path, in the order in which TensorBoard reads them; empty if there are none.

    The files of one folder belong to one run and form one list.
    """
    if path.is_file():
        return [[path]] if NAME_PART in path.name else []
    found = sorted(
        files_under(path, lambda name: NAME_PART in name), key=lambda file: (file.parent, file.name)
    )
    return [list(files) for _, files in groupby(found, lambda file: file.parent)]


def read_events(files: list[Path], name: str) -> Log:
    """Return the log of one run. A torn or corrupt file is read up to the damage.

    Raises ImportFailed if tensorboard is missing or a file cannot be read.
    """
    log = Log(name, "TensorBoard", files[0].parent, ordered=True)
    for file in files:
        try:
            for event in _events(file, log):
                for value in event.summary.value:
                    try:
                        _take(log, event.step, event.wall_time, value)
                    except ODD_ENTRY:
                        log.left[DAMAGED] += 1
        except OSError as error:
            raise ImportFailed(f"{file}: {error.strerror or error}") from None
    return log


def _events(file: Path, log: Log) -> Iterator[Any]:
    try:
        from google.protobuf.message import DecodeError

        # TensorBoard's higher loaders would turn histograms into tensors, and drop their sums of squares.
        from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
        from tensorboard.compat.proto.event_pb2 import Event
    except ImportError:
        raise ImportFailed(
            f"{file}: TensorBoard files need tensorboard: pip install 'gradtui[tensorboard]'"
        ) from None
    rest = file.stat().st_size
    for record in islice(RawEventFileLoader(str(file)).Load(), _whole_records(file)):
        rest -= len(record) + FRAME_BYTES
        try:
            event = Event.FromString(record)
        except DecodeError:
            log.left[DAMAGED] += 1
            continue
        yield event
    if rest > 0:
        log.left["bytes after the last complete record"] += rest


def _whole_records(file: Path) -> int:
    """Return how many records precede a hole, or the first that claims more bytes than the file or the limit allows."""
    count = 0
    with os.fdopen(open_to_read(file), "rb") as opened:
        rest = os.fstat(opened.fileno()).st_size
        while len(start := opened.read(HEAD_BYTES)) == HEAD_BYTES:
            length = int.from_bytes(start[:8], "little")
            rest -= length + FRAME_BYTES
            # Zeros are a hole in the file, since the checksum of the length 0 is another; it may be 4 GB long.
            if length > LARGEST_RECORD or rest < 0 or not any(start):
                break
            opened.seek(length + FRAME_BYTES - HEAD_BYTES, os.SEEK_CUR)
            count += 1
    return count


def _take(log: Log, step: int, time: float, value: Any) -> None:
    kind = value.WhichOneof("value")
    plugin = value.metadata.plugin_data.plugin_name
    if kind == "simple_value":
        log.add(value.tag, step, time, value.simple_value)
    elif kind == "histo":
        _take_histogram(log, step, time, value)
    elif kind == "tensor" and plugin in ("", "scalars", "histograms"):
        _take_tensor(log, step, time, value)
    elif kind is not None:
        log.left[plugin or kind] += 1


def _take_histogram(log: Log, step: int, time: float, value: Any) -> None:
    if gradient_of(value.tag) is None:
        log.left["histograms of other things"] += 1
        return
    histogram = value.histo
    limits = np.clip([histogram.min, *histogram.bucket_limit], histogram.min, histogram.max)
    norm, estimated = norm_from_squares(histogram.sum_squares, limits, histogram.bucket)
    log.add_norm(value.tag, step, time, norm, size=round(histogram.num), estimated=estimated)


MOST_NUMBERS = 1_000_000
"""The most numbers of a tensor: a scalar has one, a histogram three per bin."""


def _take_tensor(log: Log, step: int, time: float, value: Any) -> None:
    from tensorboard.util.tensor_util import make_ndarray

    claimed = math.prod(max(1, dimension.size) for dimension in value.tensor.tensor_shape.dim)
    if claimed > MOST_NUMBERS:
        # TensorBoard would repeat a single number over the whole claimed shape.
        raise ValueError(f"a tensor of {claimed} numbers")
    numbers = make_ndarray(value.tensor)
    if numbers.ndim == 0 and numbers.dtype.kind in "fiu":
        log.add(value.tag, step, time, float(numbers))
    elif numbers.ndim == 2 and numbers.shape[1] == 3 and gradient_of(value.tag) is not None:
        # Each row has the left end of a bin, its right end, and its count.
        norm = sum(norm_from_bins(row[:2], row[2:]) ** 2 for row in numbers) ** 0.5
        log.add_norm(value.tag, step, time, norm, size=round(float(numbers[:, 2].sum())), estimated=True)
    elif numbers.ndim:
        log.left["histograms of other things"] += 1
