"""From a run to the evidence of a diagnosis, by reading a bounded amount of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gradtui.diagnosis.absent import without_absent
from gradtui.diagnosis.evidence import Evaluation, Evidence, Series
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.shapes import net_shape
from gradtui.experiment.spec import Experiment

NUMBERS = 100_000
"""Of one table that are read at most: 1,000 rows of 100 layers …"""
FEWEST_ROWS = 400
"""… but so many rows of any number of layers."""
END_SHARE = 0.125
"""Of the rows that are read, at the beginning and again at the end, one by one; between them the table's own
summaries stand for many steps each."""
BEFORE_BREAK = 32
"""Rows that are read one by one before the first number that is not finite."""


class Buckets(Protocol):
    """Rows summarised (gradtui.runs.summary.Summary)."""

    @property
    def step(self) -> NDArray[Any]:
        """First step of each bucket, (n,)."""
        ...

    @property
    def mean(self) -> NDArray[Any]:
        """(n, columns)."""
        ...

    @property
    def max(self) -> NDArray[Any]:
        """(n, columns)."""
        ...


class Rows(Protocol):
    """A table of a run (gradtui.runs.table.Table)."""

    @property
    def name(self) -> str:
        """Its own."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """Their names."""
        ...

    @property
    def rows(self) -> int:
        """How many there are now."""
        ...

    def read(self, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Records with the fields step and values."""
        ...

    def row_of(self, step: int) -> int:
        """The first row whose step is not below."""
        ...

    def summary(self, start: int = 0, stop: int | None = None, buckets: int = 400) -> Buckets:
        """The same, summarised."""
        ...


class ReadableRun(Protocol):
    """What is needed of a run (gradtui.runs.reader.Run)."""

    @property
    def meta(self) -> Any:
        """Layers, chance loss, steps planned; None before the trainer has written it."""
        ...

    @property
    def experiment(self) -> Experiment | None:
        """None of a script."""
        ...

    @property
    def status(self) -> Any:
        """Whether it is live."""
        ...

    def events(self) -> Sequence[Mapping[str, Any]]:
        """All that happened."""
        ...

    def table_or_empty(self, name: str) -> Rows:
        """A table, without columns where it is not recorded."""
        ...

    def scalar_table(self, name: str) -> Rows:
        """The table that holds a scalar; without that column where it is not recorded."""
        ...


def evidence_of(run: ReadableRun) -> Evidence:
    """The evidence of a run as it stands on disk now, live or finished; empty before its first step."""
    meta, experiment, events = run.meta, run.experiment, run.events()
    layers = meta.layers if meta else ()
    # The status first: a run that ends while it is being read must not be judged finished without its last rows.
    finished = not run.status.live
    read: dict[str, Series] = {}

    def scalar(name: str) -> Series:
        table = run.scalar_table(name)
        if name not in table.columns:
            return Series.none()
        if table.name not in read:
            read[table.name] = _series(table)
        scalars, column = read[table.name], table.columns.index(name)
        return Series(scalars.steps, scalars.values[:, column], scalars.highest[:, column])

    def measure(name: str) -> Series:
        return _series(run.table_or_empty(name))

    evidence = Evidence(
        layers=tuple(layer.name for layer in layers),
        kinds=tuple(layer.kind for layer in layers),
        parameters=tuple(layer.parameters for layer in layers),
        positions=_positions(experiment, len(layers)),
        loss=scalar("loss"),
        accuracy=scalar("accuracy"),
        grad_norm=measure("grad_norm"),
        total_norm=scalar("grad_norm"),
        clipped_norm=scalar("grad_norm_clipped"),
        output_grad_rms=measure("output_grad_rms"),
        update_ratio=measure("update_ratio"),
        dead_fraction=measure("dead_fraction"),
        saturated_fraction=measure("saturated_fraction"),
        nonfinite=measure("nonfinite"),
        hidden_grad=measure("hidden_grad"),
        evaluations=_evaluations(events),
        clip_threshold=_clip_threshold(experiment, events),
        chance_loss=_number(meta.chance_loss) if meta else math.nan,
        experiment=experiment,
        finished=finished,
        steps_planned=meta.steps if meta else 0,
    )
    return without_absent(evidence) if meta and meta.kind == "script" else evidence


def _series(table: Rows) -> Series:
    """All rows of a short table; of a long one both ends, and summaries between, with the rows around the first
    number that is not finite."""
    columns, rows = len(table.columns), table.rows
    if not columns:
        return Series.none()
    most = max(FEWEST_ROWS, NUMBERS // columns)
    if rows <= most:
        return _exact(table, 0, rows)
    end = int(most * END_SHARE)
    parts = [
        _exact(table, 0, end),
        *_middle(table, end, rows - end, most - 2 * end),
        _exact(table, rows - end, rows),
    ]
    return Series(
        np.concatenate([part.steps for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.highest for part in parts]),
    )


def _exact(table: Rows, start: int, stop: int) -> Series:
    records = table.read(start, stop)
    return Series.of(records["step"], records["values"])


def _middle(table: Rows, start: int, stop: int, buckets: int) -> list[Series]:
    made = table.summary(start, stop, buckets)
    series = Series.of(made.step, made.mean, made.max)
    broken = np.flatnonzero(~np.isfinite(series.values).all(axis=1))
    if not len(broken):
        return [series]
    bucket = int(broken[0])
    first = table.row_of(int(series.steps[bucket]))
    last = table.row_of(int(series.steps[bucket + 1])) if bucket + 1 < len(series) else stop
    inside = _exact(table, first, last)
    bad = np.flatnonzero(~np.isfinite(inside.values).all(axis=1))
    at = int(bad[0]) if len(bad) else 0
    return [
        _part(series, 0, bucket),
        _part(inside, max(0, at - BEFORE_BREAK), at + 1),
        _part(series, bucket + 1, None),
    ]


def _part(series: Series, start: int, stop: int | None) -> Series:
    part = slice(start, stop)
    return Series(series.steps[part], series.values[part], series.highest[part])


def _positions(experiment: Experiment | None, layers: int) -> tuple[int, ...]:
    if experiment is None or not layers:
        return ()
    try:
        shapes = net_shape(experiment).layers
    except ExperimentError:
        # The data's file may be on another machine.
        return ()
    if len(shapes) != layers:
        return ()
    return tuple(math.prod(_places(layer.output)) for layer in shapes)


def _places(output: tuple[int, ...]) -> tuple[int, ...]:
    """(channels, height, width) has its places at the end, (steps, features) at the beginning."""
    return output[1:] if len(output) == 3 else output[:-1]


def _evaluations(events: Sequence[Mapping[str, Any]]) -> tuple[Evaluation, ...]:
    return tuple(
        Evaluation(
            int(event.get("step") or 0),
            *(
                _number(event.get(name))
                for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
            ),
        )
        for event in events
        if event.get("event") == "evaluation"
    )


def _clip_threshold(experiment: Experiment | None, events: Sequence[Mapping[str, Any]]) -> float:
    threshold = experiment.cures.clip_norm if experiment else 0.0
    for event in events:
        changes = event.get("set")
        if event.get("event") == "control" and isinstance(changes, Mapping):
            threshold = _number(changes.get("cures.clip_norm", threshold))
    return threshold


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
