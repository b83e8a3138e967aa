"""A Library lists the runs of a folder and finds one of them."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from gradtui.absent import ABSENT, is_absent
from gradtui.experiment.layers import BESIDE_THE_PATH
from gradtui.ordinary_files import given_path
from gradtui.runs.errors import RunError, RunNotFound
from gradtui.runs.events import Event, EventLog
from gradtui.runs.folder import EVENTS_FILE, RUN_FILE, LastRow, is_run_folder, last_row, runs_root, table_path
from gradtui.runs.label import LABEL_FILE, Label, read_label
from gradtui.runs.meta import Parent, RunMeta, change_of, config_of, read_meta
from gradtui.runs.status import ENDS, RunStatus, current_status, last_step

BINS = 16
"""The most stretches of layers to which a profile is folded."""


@dataclass(frozen=True)
class RunSummary:
    """A RunSummary holds the numbers that a list shows of a run.

    They come from the ends of its files, without numpy. A number is None if it is not known yet; NaN and infinity are
    values."""

    findings: tuple[str, ...] = ()
    """Codes, in the order in which they came up."""
    depth: int = 0
    """Layers without projections and gates, the output layer counted; 0 until the net is built."""
    loss: float | None = None
    """The loss of the last batch."""
    train: float | None = None
    """The accuracy on the training set, by the last evaluation."""
    test: float | None = None
    """The accuracy on the test set, by the last evaluation."""
    seconds: float | None = None
    """The wall time of the training, without the time between its processes."""
    profile: tuple[float, ...] = ()
    """log10 of the gradient's norm at the last step, from input to output: the median of each of at most BINS
    stretches of layers; NaN and infinity where one layer of it is, -inf where it is exactly 0."""


def summary_of(folder: Path, meta: RunMeta, events: EventLog) -> RunSummary:
    """Return the summary of a run whose run.json and events were read just now."""
    scalars, gradients = (_last(folder, meta, name) for name in ("scalars", "grad_norm"))
    evaluations = events.evaluations
    return RunSummary(
        findings=tuple(str(event.get("code", "")) for event in events.findings()),
        depth=sum(layer.kind not in BESIDE_THE_PATH for layer in meta.layers),
        loss=_loss(folder, meta),
        train=_newest(evaluations, "train_accuracy"),
        test=_newest(evaluations, "test_accuracy"),
        seconds=_seconds(events.entries, scalars or gradients),
        profile=profile_of(gradients.values) if gradients else (),
    )


def _last(folder: Path, meta: RunMeta, table: str) -> LastRow | None:
    about = meta.tables.get(table)
    return last_row(folder, table, len(about.columns)) if about and about.columns else None


def _loss(folder: Path, meta: RunMeta) -> float | None:
    for name, about in meta.tables.items():
        if about.kind == "scalars" and "loss" in about.columns and (row := _last(folder, meta, name)):
            return _plain(row.values[about.columns.index("loss")])
    return None


def _plain(value: float) -> float:
    """Return a float32 without the digits beyond its precision."""
    return float(f"{value:.7g}")


def _newest(evaluations: Sequence[Event], key: str) -> float | None:
    for event in reversed(evaluations):
        value = event.get(key)
        if isinstance(value, int | float) and not math.isnan(value):
            return float(value)
    return None


def _seconds(events: Sequence[Event], last: LastRow | None) -> float | None:
    """Return the time from the start of each process's training to the last sign of it."""
    total, began, before, known = 0.0, None, 0.0, False
    for event in events:
        time = event.get("time")
        if not isinstance(time, int | float):
            continue
        phase = event.get("phase") if event["event"] == "phase" else None
        if phase == "importing" and began is not None:
            # Another process resumes the run; the time in between does not count.
            total, began = total + max(0.0, before - began), None
        elif phase == "training" and began is None:
            began, known = float(time), True
        before = float(time)
    if began is not None and last is not None:
        total += max(0.0, last.time - began)
    return total if known else None


def profile_of(norms: Sequence[float], bins: int = BINS) -> tuple[float, ...]:
    """Return log10 of norms (layers,), folded to at most so many stretches of layers."""
    logs = [_log10(norm) for norm in norms]
    count = min(bins, len(logs))
    edges = [len(logs) * at // count for at in range(count + 1)] if count else []
    return tuple(_typical(logs[low:high]) for low, high in pairwise(edges))


def _log10(norm: float) -> float:
    """The logarithm of a norm; what is NaN stays, for NaN may stand for none."""
    return math.log10(norm) if norm > 0 else -math.inf if norm == 0 else norm if norm != norm else math.nan


def _typical(logs: Sequence[float]) -> float:
    logs = [value for value in logs if not is_absent(value)]
    if not logs:
        return ABSENT
    for bad in (math.isnan, lambda value: value == math.inf):
        worst = next(filter(bad, logs), None)
        if worst is not None:
            return worst
    finite = sorted(value for value in logs if value > -math.inf)
    return finite[len(finite) // 2] if finite else -math.inf


@dataclass(frozen=True)
class RunInfo:
    """A RunInfo is a run in a list. A run whose run.json is corrupt is listed as failed, with the reason."""

    run: Path
    name: str
    """The name that a person gave it, else that of its experiment or script, else of its folder."""
    status: RunStatus
    started: float
    """Seconds since the epoch."""
    parent: Parent | None = None
    """The run from which it was forked, or whose cure it tries."""
    label: Label = field(default_factory=Label)
    """The name and the tags that people gave it."""
    summary: RunSummary = field(default_factory=RunSummary)
    """The numbers that the list shows."""
    experiment: Mapping[str, Any] | None = field(default=None, repr=False)
    """The experiment that is trained, as plain data; None for a script's own net."""
    change: str | None = None
    """What a trial of a script has changed, empty for nothing; None where the run is no trial."""
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What a script was started with, by the paths of its fields; empty where it is not known."""

    @property
    def id(self) -> str:
        """Return the folder's name, which is the run's id."""
        return self.run.name

    @property
    def steps(self) -> int:
        """Return the last step recorded."""
        return self.status.step


def list_runs(root: Path | None = None) -> list[RunInfo]:
    """Return the runs in that folder (None: runs_root()), newest first. Other folders are skipped."""
    return Library(root).read()


class Library:
    """A Library lists the runs of a folder repeatedly, and reads again only the runs whose files have changed."""

    def __init__(self, root: Path | None = None) -> None:
        """`root` is the folder of the runs; None is runs_root()."""
        self.root = root or runs_root()
        self._known: dict[Path, _Known] = {}

    def read(self) -> list[RunInfo]:
        """Return all runs as they are now, newest first."""
        try:
            folders = [Path(entry.path) for entry in os.scandir(self.root) if entry.is_dir()]
        except OSError:
            folders = []
        known: dict[Path, _Known] = {}
        for folder in folders:
            run = self._known.get(folder) or _Known(folder)
            try:
                # What stands in place of the files of a run is a run that cannot be read.
                if is_run_folder(folder) or os.path.lexists(folder / RUN_FILE):
                    run.look()
                    known[folder] = run
            except OSError:
                # The run was deleted while it was read.
                continue
        self._known = known
        infos = [run.info for run in known.values() if run.info is not None]
        return sorted(infos, key=lambda info: (info.started, info.id), reverse=True)


class _Known:
    """A _Known is one run as it was last read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.info: RunInfo | None = None
        self._log: EventLog | None = None
        """The events of a run that has not ended, to be read on."""
        self._meta: RunMeta | None = None
        self._stamps: tuple[object, ...] = ()

    def look(self) -> None:
        """Read what has changed. Raises OSError if the folder is gone."""
        scalars = table_path(self.folder, "scalars").name
        stamps = tuple(_stamp(self.folder / name) for name in (RUN_FILE, EVENTS_FILE, LABEL_FILE, scalars))
        # No file tells whether a process is alive, or whether a folder is too old to wait for.
        if stamps == self._stamps and self.info is not None and self.info.status.state in ENDS:
            return
        # Stamps are taken before the files are read, so what is written meanwhile is seen the next time.
        self._stamps, before = stamps, self._stamps
        try:
            if self._meta is None or stamps[0] != before[0]:
                self._meta = read_meta(self.folder) if stamps[0] is not None else None
            self.info = self._read(self._meta)
        except OSError:
            raise
        except Exception as error:
            # Whatever it is, one run that cannot be read must not hide the others.
            reason = str(error) if isinstance(error, RunError) else f"{type(error).__name__}: {error}"
            changed = self.folder.stat().st_mtime
            self.info = RunInfo(self.folder, self.folder.name, RunStatus("failed", reason=reason), changed)
            self._log = None
        if self.info.status.state in ENDS:
            # There may be thousands of runs: of each, only what is listed is kept.
            self._log = self._meta = None

    def _read(self, meta: RunMeta | None) -> RunInfo:
        self._log = log = self._log or EventLog(self.folder)
        log.poll()
        label = read_label(self.folder)
        status = current_status(self.folder, meta, log, last_step(self.folder, meta) if meta else 0)
        if meta is None:
            name, started = label.name or self.folder.name, self.folder.stat().st_mtime
            return RunInfo(self.folder, name, status, started, label=label)
        return RunInfo(
            self.folder,
            label.name or meta.name,
            status,
            meta.started,
            meta.parent,
            label,
            summary_of(self.folder, meta, log),
            meta.experiment,
            change_of(meta),
            config_of(meta),
        )


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino


def find_run(text: str | None = None, root: Path | None = None) -> Path:
    """Return the folder of a run, given by its path, its id, or a part of an id or name that only one run has.

    None is the newest. Raises RunNotFound, in one line.
    """
    place = root or runs_root()
    if text is not None and is_run_folder(given_path(text)):
        return given_path(text)
    if text and Path(text).name == text and is_run_folder(place / text):
        # Nothing else has to be read for a whole id.
        return place / text
    runs = list_runs(place)
    if text is None:
        if not runs:
            raise RunNotFound(f"{place}: no runs yet")
        return runs[0].run
    matching = [info for info in runs if text in (info.id, info.name)]
    matching = matching or [info for info in runs if text in info.id or text in info.name]
    if len(matching) == 1:
        return matching[0].run
    if not matching:
        raise RunNotFound(f"{text}: no run of that name in {place}")
    several = ", ".join(info.id for info in matching[:3]) + (", …" if len(matching) > 3 else "")
    raise RunNotFound(f"{text}: {len(matching)} runs match: {several}")
