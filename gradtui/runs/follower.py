"""Follows a run: ten times a second, what is new in its folder becomes one whole state for the screens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gradtui.runs.events import Event, EventLog
from gradtui.runs.meta import RunMeta
from gradtui.runs.reader import Run
from gradtui.runs.source import TableFollower
from gradtui.runs.status import ENDS, RunStatus, current_status
from gradtui.runs.summary import Floats, Summary
from gradtui.runs.timeline import Timeline

CURVE_BUCKETS = 400
TIMELINE_ROWS = 512


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The whole state of a run at one moment. Nothing in it changes later."""

    meta: RunMeta | None
    """None until the trainer has written run.json."""
    status: RunStatus
    step: int
    """The last that is recorded; 0 before the first."""
    steps: int
    """How many are planned; 0 is unknown."""
    rate: float | None
    """Steps a second, over the last two seconds that were recorded; None before the second step."""
    seconds_left: float | None
    """At that rate; None where it is unknown or nothing is left to wait for."""
    measure: str
    layer_names: tuple[str, ...]
    """The columns of the measure: layers from input to output, or time lags. Empty until the net is built."""
    latest: Floats
    """(layers,): the measure's newest row; no numbers before the first."""
    latest_step: int
    """The step of that row; 0 before the first."""
    timeline: Timeline
    """All rows of the measure, folded to at most TIMELINE_ROWS."""
    curves: Mapping[str, Summary]
    """Each scalar over the whole run, in at most CURVE_BUCKETS buckets; statistics of the shape (n,)."""
    evaluations: tuple[Event, ...]
    """Oldest first, each with "step", "train_loss", "train_accuracy", "test_loss", "test_accuracy"."""
    findings: tuple[Event, ...]
    """The newest of each code."""
    events: tuple[Event, ...] = field(repr=False)
    """All that happened, oldest first."""


class Follower:
    """Follows one run and one measure of its layers. Not safe for several threads at once."""

    def __init__(self, run: Run, measure: str = "grad_norm") -> None:
        self.run = run
        self.measure = measure
        self._log = EventLog(run.folder)
        self._meta: RunMeta | None = None
        self._scalars = TableFollower(run.table_or_empty("scalars"), CURVE_BUCKETS)
        self._layers = TableFollower(run.table_or_empty(measure), TIMELINE_ROWS)
        self._logged: dict[str, TableFollower] = {}
        """Of what a script logs, each name by itself."""
        self._status: RunStatus | None = None
        self._told = False

    def watch(self, measure: str) -> None:
        """Follow another measure from now on. One that the run does not record has no rows."""
        self.measure = measure
        self._layers = TableFollower(self.run.table_or_empty(measure), TIMELINE_ROWS)
        self._told = False

    def poll(self) -> Snapshot | None:
        """The state now; None where nothing has changed since the last poll."""
        changed = self._look() or not self._told
        status = self._judge()
        if status.state in ENDS and self._look():
            # The end was found only when the process was found gone, after the tables had been read.
            changed, status = True, self._judge()
        if not changed and status == self._status:
            return None
        self._status = status
        self._told = True
        return self._snapshot(self._meta, status)

    def _look(self) -> bool:
        """Take in what is new, and say whether anything was.

        In the reverse of the order in which a trainer writes, events before run.json before rows: so whoever is
        told the end has seen all rows.
        """
        changed = self._log.poll()
        meta = self.run.meta
        if meta is not self._meta:
            self._meta = meta
            self._renew()
            changed = True
        for source in (self._scalars, self._layers, *self._logged.values()):
            changed |= source.poll()
        return changed

    def _judge(self) -> RunStatus:
        step = max(source.step for source in (self._scalars, self._layers, *self._logged.values()))
        return current_status(self.run.folder, self._meta, self._log, step)

    def latest(self, measure: str) -> tuple[int, Floats] | None:
        """Step and values (layers,) of the newest row of any measure; None where there is none (yet)."""
        table = self.run.table_or_empty(measure)
        rows = table.read(max(0, table.rows - 1))
        return (int(rows["step"][-1]), rows["values"][-1]) if len(rows) else None

    def _renew(self) -> None:
        """run.json was replaced: the net has been built, or the run was resumed."""
        for name, source in (("scalars", self._scalars), (self.measure, self._layers)):
            table = self.run.table_or_empty(name)
            if table.columns != source.table.columns:
                source.restart(table)
        for table in self.run.scalar_tables():
            if table.name != "scalars" and table.name not in self._logged:
                self._logged[table.name] = TableFollower(table, CURVE_BUCKETS)

    def _snapshot(self, meta: RunMeta | None, status: RunStatus) -> Snapshot:
        scalars = self._scalars.history.summary()
        names = self._scalars.table.columns
        curves = {name: scalars.column(index) for index, name in enumerate(names)}
        for source in self._logged.values():
            curves[source.table.columns[0]] = source.history.summary().column(0)
        clock = self._scalars if self._scalars.rows else self._layers
        rate, steps = clock.rate(), meta.steps if meta else 0
        left = max(0, steps - status.step)
        summary = self._layers.history.summary()
        return Snapshot(
            meta=meta,
            status=status,
            step=status.step,
            steps=steps,
            rate=rate,
            seconds_left=left / rate if rate and left and status.live else None,
            measure=self.measure,
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
