"""Write a run as a TensorBoard event file, with the package tensorboard and without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gradtui.experiment import dumps
from gradtui.runs.errors import RunError
from gradtui.runs.export.record_files import RecordFile
from gradtui.runs.export.sheets import PIECE_NUMBERS, Show, sheet_of_all, show_nothing
from gradtui.runs.histograms import PARTS, TABLE, of_rows
from gradtui.runs.reader import Run

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
    records = RecordFile(file)

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
        raise RunError("TensorBoard's files need tensorboard: pip install 'gradtui[tensorboard]'") from None
    return _Library(Event, Summary, create_summary_metadata, make_tensor_proto)
