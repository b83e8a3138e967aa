"""Open the folder of a run, live or finished, and return its numbers as numpy arrays."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.recorded_shape import set_recorded_shape, shape_in
from gradtui.experiment.spec import Experiment
from gradtui.experiment.toml import from_dict, load
from gradtui.ordinary_files import given_path, open_to_read
from gradtui.runs.errors import RunError
from gradtui.runs.events import Event, EventLog
from gradtui.runs.folder import EXPERIMENT_FILE, LOG_FILE, RUN_FILE, is_run_folder
from gradtui.runs.histograms import TABLE, Histogram, empty, read_histogram
from gradtui.runs.label import Label, read_label, shown_note
from gradtui.runs.meta import Parent, RunMeta, change_of, read_meta, read_origin
from gradtui.runs.status import RunStatus, status_by
from gradtui.runs.summary import Floats, Steps
from gradtui.runs.table import Table

_LOG_TAIL_BYTES = 1 << 16


def open_run(path: str | os.PathLike[str]) -> Run:
    """Open the run in a folder. Raises RunError, in one line that names the file, if it cannot be read."""
    return Run(Path(path))


class Run:
    """A Run reads a run's folder. Each call reads the present files, so the data of a live run grow."""

    def __init__(self, folder: Path) -> None:
        """Open the folder. Raises RunError if it is not a run or its run.json is corrupt."""
        self.folder = given_path(folder).absolute()
        if not os.path.isdir(self.folder):
            raise RunError(f"{folder}: no such folder")
        if not is_run_folder(self.folder):
            raise RunError(f"{folder}: not a run (it contains neither {RUN_FILE} nor {EXPERIMENT_FILE})")
        self._events = EventLog(self.folder)
        """The events so far; each call reads only the new ones."""
        self._stamp: tuple[int, int, int] | None = None
        self._meta: RunMeta | None = None
        self._stamp = self._current_stamp()
        if self._stamp is not None:
            self._meta = read_meta(self.folder)

    @property
    def meta(self) -> RunMeta | None:
        """Return the content of run.json; None until the trainer has written it."""
        stamp = self._current_stamp()
        if stamp is not None and stamp != self._stamp:
            try:
                self._meta = read_meta(self.folder)
            except RunError:
                return self._meta
            self._stamp = stamp
        return self._meta

    def _current_stamp(self) -> tuple[int, int, int] | None:
        try:
            about = os.stat(self.folder / RUN_FILE)
        except OSError:
            return None
        return about.st_mtime_ns, about.st_size, about.st_ino

    @property
    def name(self) -> str:
        """Return the name that a person gave the run, else that of its experiment or script, else the folder's."""
        label = self.label
        if label.name:
            return label.name
        meta = self.meta
        if meta is not None:
            return meta.name
        experiment = self.experiment
        return experiment.name if experiment is not None else self.folder.name

    @property
    def label(self) -> Label:
        """Return the name, the tags and the note that people gave the run."""
        return read_label(self.folder)

    @property
    def note(self) -> str:
        """Return the note that people wrote, else the one that the script gave the run; empty where there is none."""
        meta = self.meta
        return shown_note(self.label, "" if meta is None else meta.note)

    @property
    def experiment(self) -> Experiment | None:
        """Return the experiment that is trained; None for a script's own net.

        The shape of its data comes from run.json. No file that the experiment names is opened.
        """
        meta = self.meta
        try:
            if meta is not None and meta.experiment is not None:
                experiment = from_dict(meta.experiment)
            elif (self.folder / EXPERIMENT_FILE).is_file():
                experiment = load(self.folder / EXPERIMENT_FILE)
            else:
                return None
        except ExperimentError:
            # Another version of gradtui may have written it; the run's numbers can still be read.
            return None
        set_recorded_shape(experiment.data, shape_in(meta.data) if meta is not None else None)
        return experiment

    @property
    def parent(self) -> Parent | None:
        """Return the run from which this one was forked, or with which its cure is compared; None if there is none."""
        meta = self.meta
        try:
            return meta.parent if meta is not None else read_origin(self.folder).parent
        except RunError:
            return None

    @property
    def change(self) -> str | None:
        """Return what `gradtui watch --try` has changed in the training, empty for nothing; None for all other runs."""
        return change_of(self.meta)

    @property
    def layer_names(self) -> list[str]:
        """Return the layers from input to output; empty until the net is built."""
        meta = self.meta
        return [layer.name for layer in meta.layers] if meta else []

    @property
    def scalar_names(self) -> list[str]:
        """Return the names that `scalars` takes, apart from "time"."""
        return [column for table in self.scalar_tables() for column in table.columns]

    @property
    def metrics(self) -> list[str]:
        """Return the names that `layers` takes: those of the tables with one column per layer or time lag."""
        meta = self.meta
        tables = meta.tables if meta else {}
        return [name for name, table in tables.items() if table.kind in ("layers", "lags")]

    @property
    def status(self) -> RunStatus:
        """Return the status of the run now."""
        meta = read_meta(self.folder) if self._current_stamp() is not None else None
        return status_by(self.folder, meta, self._log())

    @property
    def steps(self) -> int:
        """Return the last step recorded; 0 before the first."""
        return self.status.step

    def events(self) -> list[Event]:
        """Return all events, oldest first."""
        return list(self._log().entries)

    @property
    def findings(self) -> list[Event]:
        """Return the newest finding of each code."""
        return self._log().findings()

    @property
    def diagnosed(self) -> bool:
        """Return whether its trainer has diagnosed the whole run, so that `findings` are complete."""
        return self._log().diagnosed

    def _log(self) -> EventLog:
        self._events.poll()
        return self._events

    def log_tail(self, lines: int = 20) -> list[str]:
        """Return the last lines that the trainer printed."""
        try:
            with os.fdopen(open_to_read(self.folder / LOG_FILE), "rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
                return file.read().decode(errors="replace").splitlines()[-lines:] if lines > 0 else []
        except OSError:
            return []

    def scalars(self, name: str) -> tuple[Steps, npt.NDArray[np.floating]]:
        """Return (steps (n,), values (n,)) of a scalar; "time" is in seconds since the epoch.

        Raises RunError if the run does not record this scalar but others.
        """
        if name == "time":
            steps, times, _ = self.table("scalars").values()
            return steps, times
        table = self.scalar_table(name)
        if name not in table.columns:
            if not self.meta or not self.meta.tables:
                return np.zeros(0, np.int64), np.zeros(0, np.float32)
            raise RunError(f"{self.folder}: no scalar {name!r}; recorded: {', '.join(self.scalar_names)}")
        steps, _, values = table.column(name)
        return steps, values

    def scalar_table(self, name: str) -> Table:
        """Return the table that holds a scalar: `scalars`, or the scalar's own table if a script logged it.

        If the run does not record the scalar, the table lacks that column.
        """
        tables = (table for table in self.scalar_tables() if name in table.columns)
        return next(tables, self.table_or_empty("scalars"))

    def scalar_tables(self) -> list[Table]:
        """Return all tables of scalars: `scalars`, and one for each name that a script has logged."""
        meta = self.meta
        named = meta.tables.items() if meta else ()
        return [Table(self.folder, name, about.columns) for name, about in named if about.kind == "scalars"]

    def layers(self, metric: str = "grad_norm") -> tuple[Steps, Floats]:
        """Return (steps (n,), values (n, layers)) of a metric; hidden_grad has values (n, time lags).

        Raises RunError if the run does not record this metric but others.
        """
        steps, _, values = self.table(metric).values()
        return steps, values

    def histogram(self, layer: str, most: int = 256) -> Histogram:
        """Return the histogram of one layer's gradient at up to `most` recorded steps, evenly spaced.

        It is empty if the run records no histograms. Raises RunError if the run has no such layer.
        """
        meta = self.meta
        about = meta.tables.get(TABLE) if meta else None
        if about is None:
            return empty(layer)
        try:
            return read_histogram(self.folder, about.columns, layer, most)
        except ValueError:
            raise RunError(f"{self.folder}: no layer {layer!r}") from None

    def table(self, name: str) -> Table:
        """Return a table by name; it has no columns and no rows until the net is built.

        Raises RunError if the run does not record this table but others.
        """
        table = self.table_or_empty(name)
        if not table.columns and self.meta and self.meta.tables:
            raise RunError(f"{self.folder}: no metric {name!r}; recorded: {', '.join(self.meta.tables)}")
        return table

    def table_or_empty(self, name: str) -> Table:
        """Return a table by name; it has no columns and no rows if the run does not record it."""
        meta = self.meta
        about = meta.tables.get(name) if meta else None
        return Table(self.folder, name, about.columns, about.width) if about else Table(self.folder, name, ())
