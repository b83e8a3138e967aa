"""Follow a run's folder as it grows, and return a snapshot for the screens whenever it has changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from gradtui.runs.events import Event, EventLog
from gradtui.runs.meta import RunMeta
from gradtui.runs.reader import Run
from gradtui.runs.status import ENDS, RunStatus, current_status
from gradtui.runs.summary import Floats, Steps, Summary, concatenate, empty, halve, mean_of_two, merge
from gradtui.runs.table import Table, coarsest_bucket


class History:
    """A History holds all rows of a growing table in at most `most` buckets of `stride` rows each.

    The stride is the smallest power of two that suffices; when the history is full, neighbours are merged and
    it continues. Only the last bucket may hold fewer rows. A bucket's numbers depend only on its rows: not on how many
    came at once, nor on whether they were read from a level.
    """

    def __init__(self, columns: int, most: int) -> None:
        self.rows = 0
        self.stride = 1
        self._columns = columns
        self._most = most
        self._full = empty(columns)
        # Rows that fill no bucket yet: at most one merged bucket for each smaller power of two, which is its key.
        self._waiting: dict[int, Summary] = {}

    def take(self, table: Table, stop: int) -> None:
        """Add the rows of a table from where the history ends up to `stop`."""
        stride = self._stride_for(stop)
        while self.stride < stride:
            self._coarsen()
        fresh: list[Summary] = []
        for size, buckets in table.pieces(self.rows, stop, coarsest_bucket(stride)):
            self.rows += size * len(buckets)
            fresh.append(self._carry(buckets, size))
        self._full = concatenate([self._full, *fresh])

    def _stride_for(self, rows: int) -> int:
        stride = 1
        while rows > self._most * stride:
            stride *= 2
        return stride

    def _coarsen(self) -> None:
        even = len(self._full) // 2 * 2
        if even < len(self._full):
            self._waiting[self.stride] = self._full[even:]
        self._full = halve(self._full[:even])
        self.stride *= 2

    def _carry(self, buckets: Summary, size: int) -> Summary:
        """Merge new buckets with those that wait, like the carry of a binary counter, and return the full ones."""
        while size < self.stride:
            waiting = self._waiting.pop(size, None)
            if waiting is not None:
                buckets = concatenate([waiting, buckets])
            even = len(buckets) // 2 * 2
            if even < len(buckets):
                self._waiting[size] = buckets[even:]
            buckets = halve(buckets[:even])
            size *= 2
        return buckets

    @property
    def last_rows(self) -> int:
        """Return the number of rows in the last bucket; 0 if there is none."""
        return (self.rows - 1) % self.stride + 1 if self.rows else 0

    def summary(self) -> Summary:
        """Return the buckets, oldest first. They are not changed later."""
        if not self._waiting:
            return self._full
        sizes = sorted(self._waiting, reverse=True)
        parts = concatenate([self._waiting[size] for size in sizes])
        last = merge(parts, np.array(sizes, np.float64), np.zeros(1, np.intp))
        return concatenate([self._full, last])


RATE_SECONDS = 2.0


class TableFollower:
    """A TableFollower reads the new rows of a table, and keeps its history, its newest row and how fast it grows.

    It starts again if the table was cut back because the run was resumed.
    """

    def __init__(self, table: Table, most: int) -> None:
        """`most` is the largest number of buckets in the history."""
        self._most = most
        self.restart(table)

    def restart(self, table: Table) -> None:
        """Drop all data and follow a table from its beginning."""
        self.table = table
        self.history = History(len(table.columns), self._most)
        self.rows = 0
        self.step = 0
        self.last_values: Floats = np.zeros(0, np.float32)
        self._last_time = 0.0
        self._marks: deque[tuple[float, int]] = deque()
        self._known_rate: float | None = None

    def poll(self) -> bool:
        """Read the new rows, and return whether there were any. Without new rows, it only checks the file's size."""
        rows = self.table.rows
        if rows == self.rows:
            return False
        if self.rows and not self._goes_on(rows):
            self.restart(self.table)
        last = self.table.read(max(0, rows - 1), rows)
        if not len(last):
            return True
        if not self._marks:
            self._mark_past(float(last["time"][0]), rows - 2)
        self.rows = rows
        self.step, self._last_time = int(last["step"][0]), float(last["time"][0])
        self.last_values = np.array(last["values"][0])
        self.history.take(self.table, rows)
        if self.history.rows != rows:
            # The table was cut back while it was read.
            self.restart(self.table)
            return True
        self._mark(self._last_time, self.step)
        return True

    def _goes_on(self, rows: int) -> bool:
        """Return whether the last row that was read is still in its place."""
        if rows < self.rows:
            return False
        row = self.table.read(self.rows - 1, self.rows)
        return bool(len(row)) and (int(row["step"][0]), float(row["time"][0])) == (self.step, self._last_time)

    def _mark_past(self, now: float, latest: int) -> None:
        row = max(0, min(latest, self.table.row_at(now - RATE_SECONDS)))
        past = self.table.read(row, row + 1)
        if len(past):
            self._mark(float(past["time"][0]), int(past["step"][0]))

    def _mark(self, time: float, step: int) -> None:
        self._marks.append((time, step))
        # Two marks always stay, even old ones, because a step may take minutes.
        while len(self._marks) > 2 and self._marks[0][0] < time - RATE_SECONDS:
            self._marks.popleft()

    def rate(self, resumed: float = 0.0) -> float | None:
        """Return the steps a second over the last two seconds recorded, or over the last two rows if they lie further
        apart; None before the second row.

        resumed: the time at which a pause ended. Until two rows were recorded after it, the rate before the pause
        holds, since the pause itself is not a time of a step.
        """
        after = [mark for mark in self._marks if mark[0] >= resumed]
        if len(after) < 2 and self._known_rate is not None:
            return self._known_rate
        marks = after if len(after) > 1 else self._marks
        if len(marks) < 2:
            return None
        (before, first), (now, last) = marks[0], marks[-1]
        self._known_rate = (last - first) / (now - before) if now > before and last > first else None
        return self._known_rate


@dataclass(frozen=True, eq=False)
class Timeline:
    """A Timeline holds the means of a metric over `stride` (a power of two) recorded steps each, for every layer.

    Only the last row may be a mean of fewer (`last_count`). NaN and infinity in a step stay in the row's
    mean.
    """

    table: Table
    rows: Floats
    """The shape is (n, layers)."""
    steps: Steps
    """The step at which each row begins, (n,)."""
    stride: int
    last_count: int

    @property
    def first_step(self) -> int:
        """Return the step at which the first row begins; 0 if there is none."""
        return int(self.steps[0]) if len(self.steps) else 0

    @property
    def recorded(self) -> int:
        """Return how many recorded steps the rows stand for."""
        return (len(self.rows) - 1) * self.stride + self.last_count if len(self.rows) else 0

    def fold(self, most: int) -> tuple[Floats, Steps, int]:
        """Return the same in at most `most` rows, at least one: (matrix, the step at which each row begins, stride).

        Full rows are the very ones that a shorter timeline would hold, so a pane that grows row by row
        changes only at its end, until its stride doubles.
        """
        matrix, steps, stride, last = self.rows, self.steps, self.stride, self.last_count
        while len(matrix) > max(1, most):
            odd = len(matrix) % 2
            # The last row is merged separately, because it may weigh less than its neighbour.
            pairs = len(matrix) // 2 - (0 if odd else 1)
            merged = mean_of_two(matrix[0 : 2 * pairs : 2], matrix[1 : 2 * pairs : 2])
            tail = matrix[-1:] if odd else _weighed(matrix[-2:], stride, last)
            last = last if odd else stride + last
            matrix, steps = np.concatenate([merged, tail]), steps[::2]
            stride *= 2
        return matrix, steps, stride

    def window(self, first_step: int, last_step: int, most: int) -> Summary:
        """Return the recorded steps from `first_step` to `last_step`, both included, in at most `most` buckets.

        They are read from the disk, which holds them more finely than `rows`.
        """
        return self.table.summary(self.table.row_of(first_step), self.table.row_of(last_step + 1), most)


def _weighed(two: Floats, first: int, second: int) -> Floats:
    if first == second:
        return mean_of_two(two[:1], two[1:])
    with np.errstate(invalid="ignore"):
        weights = np.array([first, second], np.float64)[:, None]
        mean: Floats = ((two * weights).sum(axis=0, keepdims=True) / (first + second)).astype(np.float32)
    return mean


CURVE_BUCKETS = 400
PROGRESS = "progress"
"""The name under which a script logs the share of its training that is done."""
TIMELINE_ROWS = 512


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A Snapshot is the whole state of a run at one moment. Nothing in it changes later."""

    meta: RunMeta | None
    """None until the trainer has written run.json."""
    status: RunStatus
    step: int
    """The last step recorded; 0 before the first."""
    steps: int
    """The number of steps that are planned; 0 if unknown."""
    rate: float | None
    """Steps a second, over the last two seconds that were recorded; None before the second step."""
    seconds_left: float | None
    """The time left at that rate; None if it is unknown or the run has ended."""
    metric: str
    layer_names: tuple[str, ...]
    """The columns of the metric: layers from input to output, or time lags. Empty until the net is built."""
    latest: Floats
    """(layers,): the metric's newest row; no numbers before the first."""
    latest_step: int
    """The step of that row; 0 before the first."""
    timeline: Timeline
    """All rows of the metric, folded to at most TIMELINE_ROWS."""
    curves: Mapping[str, Summary]
    """Each scalar over the whole run, in at most CURVE_BUCKETS buckets; statistics of the shape (n,)."""
    evaluations: tuple[Event, ...]
    """Oldest first, each with "step", "train_loss", "train_accuracy", "test_loss", "test_accuracy"."""
    findings: tuple[Event, ...]
    """The newest finding of each code."""
    events: tuple[Event, ...] = field(repr=False)
    """All events, oldest first."""


class Follower:
    """A Follower follows one run and one metric of its layers. It is not safe for several threads at once."""

    def __init__(self, run: Run, metric: str = "grad_norm") -> None:
        self.run = run
        self.metric = metric
        self._log = EventLog(run.folder)
        self._meta: RunMeta | None = None
        self._scalars = TableFollower(run.table_or_empty("scalars"), CURVE_BUCKETS)
        self._layers = TableFollower(run.table_or_empty(metric), TIMELINE_ROWS)
        self._logged: dict[str, TableFollower] = {}
        """The scalars that a script logs, by name; each has its own table."""
        self._status: RunStatus | None = None
        self._returned = False
        self._rollbacks = 0

    def follow_metric(self, metric: str) -> None:
        """Follow another metric from now on. One that the run does not record has no rows."""
        self.metric = metric
        self._layers = TableFollower(self.run.table_or_empty(metric), TIMELINE_ROWS)
        self._returned = False

    def poll(self) -> Snapshot | None:
        """Return the state now; None if nothing has changed since the last poll."""
        changed = self._read_new() or not self._returned
        status = self._read_status()
        if status.state in ENDS and self._read_new():
            # The end was noticed only because the process is gone, after the tables had been read.
            changed, status = True, self._read_status()
        if not changed and status == self._status:
            return None
        self._status = status
        self._returned = True
        return self._snapshot(self._meta, status)

    def _read_new(self) -> bool:
        """Read the new data, and return whether there were any.

        This goes in the reverse of the order in which a trainer writes: events, then run.json, then rows. So a snapshot
        that says the run has ended has all rows.
        """
        changed = self._log.poll()
        if self._log.rollbacks != self._rollbacks:
            # As many other rows may stand where the old ones were.
            self._rollbacks = self._log.rollbacks
            for source in (self._scalars, self._layers, *self._logged.values()):
                source.restart(source.table)
        meta = self.run.meta
        if meta is not self._meta:
            self._meta = meta
            self._renew()
            changed = True
        for source in (self._scalars, self._layers, *self._logged.values()):
            changed |= source.poll()
        return changed

    def _read_status(self) -> RunStatus:
        step = max(source.step for source in (self._scalars, self._layers, *self._logged.values()))
        return current_status(self.run.folder, self._meta, self._log, step)

    def latest(self, metric: str) -> tuple[int, Floats] | None:
        """Return the step and values (layers,) of the newest row of any metric; None if there is none yet."""
        table = self.run.table_or_empty(metric)
        rows = table.read(max(0, table.rows - 1))
        return (int(rows["step"][-1]), rows["values"][-1]) if len(rows) else None

    def _renew(self) -> None:
        """Adapt to a new run.json: the net has been built, or the run was resumed."""
        for name, source in (("scalars", self._scalars), (self.metric, self._layers)):
            table = self.run.table_or_empty(name)
            if table.columns != source.table.columns:
                source.restart(table)
        for table in self.run.scalar_tables():
            if table.name != "scalars" and table.name not in self._logged:
                self._logged[table.name] = TableFollower(table, CURVE_BUCKETS)

    def _left_by_progress(self) -> float | None:
        """Return the seconds left at the pace of the newest half of what a script logs as its progress, from 0 to 1."""
        source = next((one for one in self._logged.values() if one.table.columns == (PROGRESS,)), None)
        if source is None or source.rows < 2:
            return None
        rows = [source.table.read(row, row + 1) for row in (source.rows // 2 - 1, source.rows - 1)]
        if not all(map(len, rows)):
            return None
        (began, before), (now, share) = ((float(one["time"][0]), float(one["values"][0, 0])) for one in rows)
        return (1 - share) * (now - began) / (share - before) if before < share < 1 else None

    def _snapshot(self, meta: RunMeta | None, status: RunStatus) -> Snapshot:
        scalars = self._scalars.history.summary()
        names = self._scalars.table.columns
        curves = {name: scalars.column(index) for index, name in enumerate(names)}
        for source in self._logged.values():
            curves[source.table.columns[0]] = source.history.summary().column(0)
        clock = self._scalars if self._scalars.rows else self._layers
        rate, steps = clock.rate(self._log.run_phase.resumed), meta.steps if meta else 0
        left = max(0, steps - status.step)
        summary = self._layers.history.summary()
        return Snapshot(
            meta=meta,
            status=status,
            step=status.step,
            steps=steps,
            rate=rate,
            seconds_left=(left / rate if rate and left else self._left_by_progress())
            if status.live
            else None,
            metric=self.metric,
            layer_names=self._layers.table.columns,
            latest=self._layers.last_values,
            latest_step=self._layers.step,
            timeline=Timeline(
                table=self._layers.table,
                rows=summary.mean,
                steps=summary.step,
                stride=self._layers.history.stride,
                last_count=self._layers.history.last_rows,
            ),
            curves=MappingProxyType(curves),
            evaluations=tuple(self._log.evaluations),
            findings=tuple(self._log.findings()),
            events=tuple(self._log.entries),
        )
