"""Write the tables and events of a run in a separate thread."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time as clock
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gradtui.runs.folder import EVENTS_FILE, HEARTBEAT_FILE, record_dtype, table_path
from gradtui.runs.jsonl import cut_torn_line, encode_line
from gradtui.runs.records import Levels, RecordFile, find_row, read_records, written_rows
from gradtui.runs.reserve import drop_reserve, write_last_event
from gradtui.runs.safe_files import append, remove, touch
from gradtui.runs.summary import Records
from gradtui.runs.viewer_diagnosis import DIAGNOSIS_FILE

HEARTBEAT_SECONDS = 1.0


class RowBuffer:
    """A RowBuffer is a pair of arrays: rows are copied into one while the other is written. The caller holds a lock."""

    FIRST_BYTES = 1 << 16
    MOST_BYTES = 1 << 26

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.dtype = record_dtype(columns)
        capacity = max(8, self.FIRST_BYTES // self.dtype.itemsize)
        self.count = 0
        self.dropped = 0
        self._spare = np.empty(capacity, self.dtype)
        self._use(np.empty(capacity, self.dtype))

    def _use(self, rows: Records) -> None:
        # The views of the fields are made once: each costs as much as copying a row.
        self._rows = rows
        self._steps, self._times, self._values = rows["step"], rows["time"], rows["values"]

    def put(self, step: int, time: float, values: npt.ArrayLike) -> None:
        """Copy one row in; drop it if the disk has been out of reach until the buffer was full."""
        index = self.count
        if index == len(self._rows) and not self._grow():
            self.dropped += 1
            return
        self._values[index] = values
        self._steps[index] = step
        self._times[index] = time
        self.count = index + 1

    def put_rows(self, steps: npt.ArrayLike, times: npt.ArrayLike, values: npt.NDArray[Any]) -> None:
        """Copy several rows in, and drop those that do not fit, as `put` does."""
        first, count = self.count, len(values)
        while first + count > len(self._rows) and self._grow():
            pass
        fits = min(count, len(self._rows) - first)
        place = slice(first, first + fits)
        self._values[place] = values[:fits]
        self._steps[place] = np.asarray(steps)[:fits]
        self._times[place] = np.asarray(times)[:fits]
        self.count += fits
        self.dropped += count - fits

    def _grow(self) -> bool:
        if 2 * self._rows.nbytes > self.MOST_BYTES:
            return False
        larger = np.empty(2 * len(self._rows), self.dtype)
        larger[: self.count] = self._rows[: self.count]
        self._use(larger)
        return True

    def swap(self) -> Records:
        """Return the rows that wait to be written, valid until the next swap."""
        rows, self.count = self._rows[: self.count], 0
        full = self._rows
        self._use(self._spare)
        self._spare = full
        return rows


def check_row(values: Any, columns: int, table: str) -> None:
    """Raise ValueError if a row has the wrong length: numpy would spread one number over all columns."""
    if len(values) != columns:
        raise ValueError(f"{table}: {len(values)} values for {columns} columns")


class RowSink(Protocol):
    """A RowSink takes measured rows: a run's writer, or a list in memory."""

    def append(self, table: str, step: int, values: npt.ArrayLike, time: float | None = None) -> None:
        """Take a row; `values` holds one number per column."""
        ...


class RunWriter:
    """A RunWriter is the only writer of a run's tables, levels, events and heartbeat.

    `append` and `event` only copy into memory; a thread writes ten times a second, the tables first and then
    the events, so a reader that sees an event can see the rows that came before it. The first error of the disk
    is kept in `error`; from then on everything is dropped and nothing is raised, because a failed recording must not
    end a training. A forked child never writes.

    A table that is there already is continued: a torn last record is cut off, and the levels are made whole.
    """

    def __init__(
        self,
        folder: Path,
        tables: Mapping[str, Sequence[str]],
        flush_every: float = 0.1,
        *,
        resume_at: int | None = None,
        unlevelled: Collection[str] = (),
    ) -> None:
        """`tables` gives the columns of each table, as in run.json; `flush_every` is in seconds. No levels are kept of
        `unlevelled` tables.

        `resume_at` rolls the run back to a step: rows of later steps are dropped, and an event "rewound"
        tells readers that evaluations and findings of later steps no longer count. Raises ValueError on a wrong name
        of a table.
        """
        self.folder = folder
        self.error: OSError | None = None
        self._flush_every = flush_every
        self._process = os.getpid()
        self._columns = {table: len(columns) for table, columns in tables.items()}
        self._buffers = {table: RowBuffer(columns) for table, columns in self._columns.items()}
        self._files: dict[str, RecordFile] = {}
        self._levels: dict[str, Levels] = {}
        self._unlevelled = frozenset(unlevelled)
        self._events: list[bytes] = []
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._closed = threading.Event()
        self._beat = 0.0
        try:
            for table, count in self._columns.items():
                self._files[table] = RecordFile(table_path(folder, table), record_dtype(count))
            self._take_up(resume_at)
        except OSError as error:
            self.error = error
        if resume_at is not None:
            self.event("rewound", resume_at)
        self._heartbeat()
        self._thread = threading.Thread(target=self._run, name="gradtui-writer", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def add_table(self, table: str, columns: Sequence[str], *, levelled: bool = True) -> None:
        """Begin another table after the run has begun. To be read, it must also be named in run.json.

        No levels are kept of it unless it is `levelled`. One that is there already is left as it is.

        Raises ValueError on a wrong name of a table.
        """
        if table in self._buffers or self._is_closed():
            return
        count = len(columns)
        path = table_path(self.folder, table)
        try:
            file = RecordFile(path, record_dtype(count))
            if levelled:
                self._levels[table] = Levels(self.folder, table, count, file)
            else:
                self._unlevelled |= {table}
        except OSError as error:
            self.error = error
            return
        # The writing thread goes through the buffers, so the buffer is added last, and under the lock.
        self._columns[table], self._files[table] = count, file
        with self._lock:
            self._buffers[table] = RowBuffer(count)

    def append(self, table: str, step: int, values: npt.ArrayLike, time: float | None = None) -> None:
        """Add a row; `values` holds one number per column, `time` is now. Steps of a table must ascend.

        Raises KeyError on an unknown table, ValueError on a wrong number of values.
        """
        if self._is_closed():
            return
        check_row(values, self._columns[table], table)
        moment = clock.time() if time is None else time
        # A number beyond float32 is stored as infinity, and a watched script must not see a warning about it.
        with self._lock, np.errstate(over="ignore", invalid="ignore", under="ignore"):
            self._buffers[table].put(step, moment, values)

    def extend(self, table: str, steps: Sequence[int], values: npt.ArrayLike, times: Sequence[float]) -> None:
        """Add several rows, (rows, columns), as `append` adds each: together they take little more time than one."""
        if self._is_closed():
            return
        rows = np.asarray(values)
        check_row(rows[0], self._columns[table], table)
        with self._lock, np.errstate(over="ignore", invalid="ignore", under="ignore"):
            self._buffers[table].put_rows(steps, times, rows)

    def insert(self, table: str, rows: Records) -> None:
        """Insert rows by their steps into a table. A new row replaces an old one of the same step.

        The rows behind the first are cut off and written again, so readers begin anew with the table, as after a
        rollback. This is meant to be done once in a run.
        """
        if self._is_closed() or not len(rows):
            return
        with self._flushing:
            if self.error is None:
                try:
                    self._write()
                    self._rewrite(table, rows)
                except OSError as error:
                    self.error = error

    def rewind(self, step: int) -> None:
        """Cut off the rows of later steps and add an event "rewound", as `resume_at` does, but later."""
        if self._is_closed():
            return
        with self._flushing:
            if self.error is None:
                try:
                    self._write()
                    self._take_up(step)
                except OSError as error:
                    self.error = error
        self.event("rewound", step)

    def _rewrite(self, table: str, rows: Records) -> None:
        file = self._files[table]
        keep = _rows_up_to(file, int(rows["step"][0]) - 1)
        behind = read_records(file.path, file.dtype, keep, file.count) if file.count > keep else rows[:0]
        both = np.concatenate([rows, behind[~np.isin(behind["step"], rows["step"])]])
        file.truncate(keep)
        if table not in self._unlevelled:
            self._levels[table] = Levels(self.folder, table, self._columns[table], file)
        both = both[np.argsort(both["step"], kind="stable")]
        file.append(both)
        if table in self._levels:
            self._levels[table].extend(both)

    def event(self, event: str, step: int | None = None, **fields: Any) -> None:
        """Add an event; `fields` may hold any JSON value, and numbers that are not finite."""
        if self._is_closed():
            return
        entry = {"event": event, "time": clock.time()}
        if step is not None:
            entry["step"] = step
        line = encode_line({**entry, **fields})
        with self._lock:
            self._events.append(line)

    def _is_closed(self) -> bool:
        return self.error is not None or self._closed.is_set() or os.getpid() != self._process

    def flush(self) -> None:
        """Write everything that waits, and return when the operating system has it."""
        if os.getpid() != self._process:
            return
        with self._flushing:
            if self.error is None:
                try:
                    self._write()
                except OSError as error:
                    self.error = error

    def end(self, status: str, reason: str, step: int | None = None) -> None:
        """Write how the run ended, and close. That is written even where the disk is full, if at all possible."""
        if self._closed.is_set() or os.getpid() != self._process:
            return
        self.event("end", step, status=status, reason=reason)
        self.close()
        if self.error is None:
            drop_reserve(self.folder)
        else:
            self._write_end(status, reason, step)

    def explain_end(self, status: str, reason: str, step: int | None = None) -> None:
        """Write once more how a run has ended, with a reason that was not known then."""
        if self._closed.is_set() and os.getpid() == self._process:
            self._write_end(status, reason, step)

    def _write_end(self, status: str, reason: str, step: int | None) -> None:
        entry = {"event": "end", "time": clock.time(), **({} if step is None else {"step": step})}
        write_last_event(self.folder, encode_line({**entry, "status": status, "reason": reason}))

    def close(self) -> None:
        """Write everything that waits and end the thread. Later rows and events are never written."""
        if os.getpid() != self._process or self._closed.is_set():
            return
        self._closed.set()
        self._thread.join()
        self.flush()
        self._heartbeat()
        atexit.unregister(self.close)

    def _run(self) -> None:
        # From one beginning to the next, so that a slow disk delays no row by its own time as well.
        pause = self._flush_every
        while not self._closed.wait(pause):
            began = clock.monotonic()
            self.flush()
            pause = max(self._flush_every / 5, self._flush_every - (clock.monotonic() - began))
            if clock.monotonic() - self._beat >= HEARTBEAT_SECONDS:
                self._heartbeat()

    def _write(self) -> None:
        with self._lock:
            waiting = {table: buffer.swap() for table, buffer in self._buffers.items() if buffer.count}
            events, self._events = self._events, []
            dropped = sum(buffer.dropped for buffer in self._buffers.values())
            for buffer in self._buffers.values():
                buffer.dropped = 0
        for table, rows in waiting.items():
            self._files[table].append(rows)
            if table in self._levels:
                self._levels[table].extend(rows)
        if dropped:
            events.append(encode_line({"event": "dropped", "time": clock.time(), "rows": dropped}))
        if events:
            append(self.folder / EVENTS_FILE, b"".join(events))

    def _heartbeat(self) -> None:
        self._beat = clock.monotonic()
        path = self.folder / HEARTBEAT_FILE
        with contextlib.suppress(OSError):
            touch(path)

    def _take_up(self, resume_at: int | None) -> None:
        for table, file in self._files.items():
            file.truncate(written_rows(file))
            if resume_at is not None:
                file.truncate(_rows_up_to(file, resume_at))
            if table not in self._unlevelled:
                self._levels[table] = Levels(self.folder, table, self._columns[table], file)
        cut_torn_line(self.folder / EVENTS_FILE)
        if resume_at is not None:
            # A viewer's diagnosis of the rows before would count again where the run ends at the same step.
            remove(self.folder / DIAGNOSIS_FILE)


def _rows_up_to(file: RecordFile, step: int) -> int:
    """Return how many of the first rows have at most that step. Raises OSError."""
    # Steps are whole and ascend, so there are no more rows than that.
    most = min(file.count, step + 1)
    return find_row(partial(read_records, file.path, file.dtype), most, "step", step + 1)
