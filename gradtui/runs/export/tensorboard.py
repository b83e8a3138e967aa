"""Write a run as a TensorBoard event file, with the package tensorboard and without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gradtui.experiment import dumps
from gradtui.runs.errors import RunError
from gradtui.runs.export.sheets import PIECE_NUMBERS, Show, sheet_of_all, show_nothing
from gradtui.runs.histograms import PARTS, TABLE, of_rows
from gradtui.runs.reader import Run

KEPT_BYTES = 4_000_000
"""The bytes of buffered records at which they are written."""

_POLYNOMIAL = 0x82F63B78
"""The reflected polynomial of CRC-32C (Castagnoli, RFC 3720)."""
_MASK = 0xA282EAD8
"""The number that TensorFlow's record format adds to a checksum that is stored beside its data."""

FILE = "events.out.tfevents.0.gradtui"
"""TensorBoard recognises the second and third word. The name never changes, so that a second export replaces the
first."""

Doubles = npt.NDArray[np.float64]

LOG10_2 = float(np.log10(2))


class _Library(NamedTuple):
    """A _Library holds the used parts of the package tensorboard."""

    event: Any
    summary: Any
    text: Any
    tensor: Any


def write_events(run: Run, file: IO[bytes], show: Show = show_nothing) -> int:
    """Write a run as events and return how many steps were written.

    Scalars are the columns of the wide sheet, with the steps and times at which they were recorded. Histograms are
    `gradient_log10/LAYER`, of the log10 of the sizes of the gradient's finite numbers except 0; a linear axis would
    show nothing. The text `experiment` is the experiment's TOML. Raises RunError where tensorboard is missing, and
    OSError.
    """
    library = _library()
    records = EventFile(file)

    def put(**fields: Any) -> None:
        records.write(library.event(**fields).SerializeToString())

    meta = run.meta
    began = meta.started if meta else 0.0
    # With version 2, readers keep earlier data when steps start again from the first, as with the histograms here.
    put(wall_time=began, file_version="brain.Event:2")
    experiment = run.experiment
    if experiment is not None:
        put(wall_time=began, summary=_text(library, "experiment", f"```toml\n{dumps(experiment)}```"))
    steps = 0
    sheet = sheet_of_all(run, show)
    summary_of = _summaries(library, sheet.columns)
    for piece in sheet.pieces():
        steps += len(piece.steps)
        for row, (step, time) in enumerate(zip(piece.steps.tolist(), piece.times.tolist(), strict=True)):
            put(wall_time=time, step=step, summary=summary_of(piece.present[row], piece.values[row]))
    for step, time, value in _histograms(run, library):
        put(wall_time=time, step=step, summary=library.summary(value=[value]))
    records.flush()
    return steps


def _summaries(
    library: _Library, columns: tuple[str, ...]
) -> Callable[[npt.NDArray[np.bool_], npt.NDArray[np.float32]], Any]:
    """Return a function that makes the summary of a row.

    It reuses one message for each set of columns, which is ten times as fast as making one for each number.
    """
    made: dict[bytes, tuple[Any, list[Any], npt.NDArray[np.intp]]] = {}

    def summary_of(present: npt.NDArray[np.bool_], values: npt.NDArray[np.float32]) -> Any:
        key = present.tobytes()
        if key not in made:
            there = np.flatnonzero(present)
            summary = library.summary()
            made[key] = summary, [summary.value.add(tag=columns[column]) for column in there], there
        summary, numbers, there = made[key]
        for number, value in zip(numbers, values[there].tolist(), strict=True):
            number.simple_value = value
        return summary

    return summary_of


def _histograms(run: Run, library: _Library) -> Iterator[tuple[int, float, Any]]:
    table, meta = run.table_or_empty(TABLE), run.meta
    at_once = max(1, PIECE_NUMBERS // max(1, len(table.columns)))
    layers = meta.layers if meta and table.columns else ()
    for start in range(0, table.rows, at_once):
        rows = table.read(start, start + at_once)
        for index, layer in enumerate(layers):
            part = rows["values"][:, index * len(PARTS) : (index + 1) * len(PARTS)]
            found = of_rows(layer.name, rows["step"].astype(np.int64), part)
            for row, (step, time) in enumerate(
                zip(rows["step"].tolist(), rows["time"].tolist(), strict=True)
            ):
                if found.shares[row].any():
                    counts = np.rint(found.shares[row].astype(np.float64) * max(1, layer.parameters))
                    histogram = _histogram(found.edges, counts)
                    tag = f"gradient_log10/{layer.name}"
                    yield step, time, library.summary.Value(tag=tag, histo=histogram)


def _histogram(edges: Doubles, counts: Doubles) -> dict[str, Any]:
    """Return the fields of a HistogramProto.

    A bucket ends at its limit and begins at that of the bucket before; a first, empty bucket gives the lowest edge.
    """
    filled = np.flatnonzero(counts)
    first, last = filled[0], filled[-1] + 1
    middle = edges[first:last] + LOG10_2 / 2
    counts, edges = counts[first:last], edges[first : last + 1]
    return {
        "min": edges[0],
        "max": edges[-1],
        "num": counts.sum(),
        "sum": (counts * middle).sum(),
        "sum_squares": (counts * middle**2).sum(),
        "bucket_limit": edges.tolist(),
        "bucket": [0.0, *counts.tolist()],
    }


def _text(library: _Library, tag: str, text: str) -> Any:
    tensor = library.tensor([text.encode()])
    metadata = library.text(tag, "")
    return library.summary(value=[library.summary.Value(tag=tag, tensor=tensor, metadata=metadata)])


def _library() -> _Library:
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.text.metadata import create_summary_metadata
        from tensorboard.util.tensor_util import make_tensor_proto
    except ImportError:
        raise RunError("TensorBoard files need tensorboard: pip install 'gradtui[tensorboard]'") from None
    return _Library(Event, Summary, create_summary_metadata, make_tensor_proto)


class EventFile:
    """An EventFile appends records to an open file, many at a time; `flush` writes the buffered ones."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._kept: list[bytes] = []
        self._bytes = 0

    def write(self, record: bytes) -> None:
        """Append a record. Raises OSError."""
        self._kept.append(record)
        self._bytes += len(record)
        if self._bytes >= KEPT_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the buffered records. Raises OSError."""
        lengths = [len(record).to_bytes(8, "little") for record in self._kept]
        of_lengths, of_data = masked_checksums(lengths), masked_checksums(self._kept)
        whole = zip(lengths, of_lengths, self._kept, of_data, strict=True)
        self._file.write(b"".join(part for record in whole for part in record))
        self._kept.clear()
        self._bytes = 0


def masked_checksums(records: Sequence[bytes]) -> list[bytes]:
    """Return the masked CRC-32C of each record as four bytes, the lowest first."""
    sums = np.empty(len(records), np.uint32)
    by_length: dict[int, list[int]] = {}
    for number, record in enumerate(records):
        by_length.setdefault(len(record), []).append(number)
    for length, numbers in by_length.items():
        joined = b"".join(records[number] for number in numbers)
        # One row for each position, so that a step of the loop reads memory in order.
        columns = np.frombuffer(joined, np.uint8).reshape(len(numbers), length).T.copy()
        sums[numbers] = _checksums(columns)
    rotated = (sums >> np.uint32(15)) | (sums << np.uint32(17))
    masked = (rotated + np.uint32(_MASK)).astype("<u4").tobytes()
    return [masked[start : start + 4] for start in range(0, len(masked), 4)]


def _checksums(columns: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    state = np.full(columns.shape[1], 0xFFFFFFFF, np.uint32)
    for column in columns:
        state = _TABLE[(state ^ column) & np.uint32(0xFF)] ^ (state >> np.uint32(8))
    return ~state


def _table() -> npt.NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1)
    return table


_TABLE = _table()
