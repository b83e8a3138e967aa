"""List the runs of a folder, and find one of them."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from gradtui.absent import ABSENT, is_absent
from gradtui.experiment.layers import BESIDE_THE_PATH
from gradtui.judgement import judge
from gradtui.ordinary_files import given_path
from gradtui.runs.bounded_reads import NO_ANSWER, BoundedReads, answers
from gradtui.runs.errors import RunError, RunNotFound
from gradtui.runs.events import Event, EventLog
from gradtui.runs.folder import EVENTS_FILE, RUN_FILE, LastRow, is_run_folder, last_row, runs_root
from gradtui.runs.label import LABEL_FILE, read_label, shown_note
from gradtui.runs.list_cache import FEWEST_RUNS, Stamp, Stamps, read_cache, write_cache
from gradtui.runs.meta import RunMeta, change_of, config_of, read_meta
from gradtui.runs.run_info import RunInfo, RunSummary
from gradtui.runs.status import ENDS, RunStatus, current_status, last_step
from gradtui.runs.viewer_diagnosis import DIAGNOSIS_FILE, KnownFinding, read_viewer_diagnosis

BINS = 16
"""The most groups of neighbouring layers in a profile."""


def summary_of(folder: Path, meta: RunMeta, events: EventLog, status: RunStatus) -> RunSummary:
    """Return the summary of a run from its run.json, events and status."""
    judged = _judged(folder, events, status)
    scalars, gradients = (_last(folder, meta, name) for name in ("scalars", "grad_norm"))
    evaluations = events.evaluations
    return RunSummary(
        **judged,
        depth=sum(layer.kind not in BESIDE_THE_PATH for layer in meta.layers),
        loss=_loss(folder, meta),
        train=_newest(evaluations, "train_accuracy"),
        test=_newest(evaluations, "test_accuracy"),
        seconds=_seconds(events.entries, scalars or gradients),
        profile=profile_of(gradients.values) if gradients else (),
    )


def _judged(folder: Path, events: EventLog, status: RunStatus) -> dict[str, Any]:
    """Return the findings of a run, from a viewer's diagnosis if there is one, else from the run's events."""
    seen = None if status.live else read_viewer_diagnosis(folder, status.step)
    if seen is not None:
        codes = tuple(finding.code for finding in seen.findings)
        return {"findings": codes, "judgement": seen.judgement(), "diagnosed": True}
    recorded = tuple(
        KnownFinding(str(event.get("code", "")), str(event.get("severity", "")))
        for event in events.findings()
    )
    found = recorded if recorded or events.diagnosed else None
    return {
        "findings": tuple(finding.code for finding in recorded),
        "judgement": judge(found, live=status.live, step=status.step, enough=events.enough),
        "diagnosed": events.diagnosed,
    }


def needs_diagnosis(info: RunInfo) -> bool:
    """Return whether a run has ended and neither its trainer nor a viewer has diagnosed the whole of it."""
    return bool(info.steps) and not info.status.live and not info.summary.diagnosed


def _last(folder: Path, meta: RunMeta, table: str) -> LastRow | None:
    about = meta.tables.get(table)
    return last_row(folder, table, about.numbers) if about and about.columns else None


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
    """Return the sum over all processes of the time from the start of training to the last event or row."""
    total, began, before, known = 0.0, None, 0.0, False
    for event in events:
        time = event.get("time")
        if not isinstance(time, int | float):
            continue
        phase = event.get("phase") if event["event"] == "phase" else None
        if phase == "importing" and began is not None:
            # Another process resumed the run; the time in between does not count.
            total, began = total + max(0.0, before - began), None
        elif phase == "training" and began is None:
            began, known = float(time), True
        before = float(time)
    if began is not None and last is not None:
        total += max(0.0, last.time - began)
    return total if known else None


def profile_of(norms: Sequence[float], bins: int = BINS) -> tuple[float, ...]:
    """Return log10 of norms (layers,), combined into at most `bins` groups of neighbouring layers."""
    logs = [_log10(norm) for norm in norms]
    count = min(bins, len(logs))
    edges = [len(logs) * at // count for at in range(count + 1)] if count else []
    return tuple(_typical(logs[low:high]) for low, high in pairwise(edges))


def _log10(norm: float) -> float:
    """Return the logarithm of a norm; a NaN stays as it is, because it may be ABSENT."""
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


def list_runs(root: Path | None = None) -> list[RunInfo]:
    """Return the runs in the folder `root` (None: runs_root()), newest first. Other folders are skipped."""
    return Library(root).read()


UNCHANGED_ROUNDS = 10
"""The number of hasty readings in which each ended run is checked once."""

NEW_SECONDS = 3.0
"""The seconds after a change during which a folder is read every time."""


class Library:
    """A Library lists the runs of a folder repeatedly, and reads again only the runs whose files have changed."""

    def __init__(self, root: Path | None = None) -> None:
        """`root` is the folder of the runs; None is runs_root()."""
        self.root = root or runs_root()
        self._known: dict[str, _KnownRun] = {}
        self._reads = BoundedReads(self._refreshed)
        self._round = 0
        self._names: list[str] = []
        self._names_of = 0.0
        """The modification time of the folder when the names were read."""
        self._list: list[RunInfo] = []
        self._cached: dict[str, tuple[Stamps, RunInfo]] | None = None

    def read(self, *, hastily: bool = False) -> list[RunInfo]:
        """Return all runs as they are now, newest first; the same list object where nothing has changed.

        With `hastily`, only a part of the ended runs is checked; after UNCHANGED_ROUNDS calls, all have been.
        """
        names = self._folders()
        if self._cached is None:
            self._cached = read_cache(self.root) if len(names) >= FEWEST_RUNS else {}
        self._round = (self._round + 1) % UNCHANGED_ROUNDS
        before, turn = self._known, self._round
        due = names
        if hastily:
            due = [
                name
                for number, name in enumerate(names)
                if (run := before.get(name)) is None or not run.settled or number % UNCHANGED_ROUNDS == turn
            ]
        known = {name: before[name] for name in names if name in before}
        for name, run in self._reads.results(due):
            if run is None:
                run = self._known.get(name) or _KnownRun(self.root / name)
                run.does_not_answer()
            if run.info is None:
                known.pop(name, None)
            else:
                known[name] = run
        self._known = known
        found = [run.info for run in known.values() if run.info is not None]
        if len(found) != len(self._list) or {id(info) for info in found} != {id(info) for info in self._list}:
            self._list = sorted(found, key=lambda info: (info.started, info.id), reverse=True)
            self._keep()
        return self._list

    def _folders(self) -> list[str]:
        """Return the names of the folders, which are read again only when one was made, renamed or removed."""
        try:
            changed = os.stat(self.root).st_mtime
            # Two changes within one tick of the file system's clock have the same time.
            if self._names_of != changed or time.time() - changed < NEW_SECONDS:
                with os.scandir(self.root) as entries:
                    self._names = [entry.name for entry in entries if entry.is_dir()]
                self._names_of = changed
        except OSError:
            self._names, self._names_of = [], 0.0
        return self._names

    def _refreshed(self, name: str) -> _KnownRun:
        """Read a run again if it has changed; its info is None where there is no run. It runs in a thread."""
        run = self._known.get(name)
        if run is None:
            run = _KnownRun(self.root / name, *(self._cached or {}).get(name, ()))
        try:
            run.refresh()
        except OSError:
            # The run was deleted while it was read.
            run.info = None
        return run

    def _keep(self) -> None:
        """Write the cache of ended runs, if enough of them are new in it."""
        settled = {
            name: (run.stamps, run.info) for name, run in self._known.items() if run.settled and run.info
        }
        before = self._cached or {}
        if len(settled) < FEWEST_RUNS:
            return
        fresh = sum(before.get(name, ((), None))[0] != stamps for name, (stamps, _) in settled.items())
        if fresh * RUNS_PER_REWRITE >= len(settled) or fresh >= FEWEST_RUNS:
            self._cached = settled
            write_cache(self.root, settled)


RUNS_PER_REWRITE = 100
"""The cache is written again when one in this many runs is new."""


class _KnownRun:
    """A _KnownRun is one run as it was last read."""

    def __init__(self, folder: Path, stamps: Stamps = (), info: RunInfo | None = None) -> None:
        self.folder = folder
        self.info = info
        self.stamps = stamps
        self.settled = info is not None
        """This is true if the run has ended, so that it changes only if its files do."""
        self._paths = tuple(f"{folder}/{name}" for name in _STAMPED)
        self._log: EventLog | None = None
        """The event log of a run that has not ended, which is read further each time."""
        self._meta: RunMeta | None = None

    def does_not_answer(self) -> None:
        """Mark the run as unreadable for now."""
        if self.info is None or self.info.status.reason != NO_ANSWER:
            status = RunStatus("failed", reason=NO_ANSWER)
            name, started = (self.info.name, self.info.started) if self.info else (self.folder.name, 0.0)
            self.info = RunInfo(self.folder, name, status, started, readable=False)
        self.stamps, self.settled = (), False

    def refresh(self) -> None:
        """Read the run again if it has changed. Raises OSError if the folder is gone."""
        stamps = tuple(map(_stamp, self._paths))
        # A run that has not ended may change without its files: its process may die, or its start may time out.
        if stamps == self.stamps and self.settled:
            return
        # A folder whose run.json exists but is not an ordinary file counts as a run that cannot be read.
        if not is_run_folder(self.folder) and not os.path.lexists(self.folder / RUN_FILE):
            self.info = None
            return
        # Stamps are taken before the files are read, so that later changes are noticed the next time.
        self.stamps, before, self.settled = stamps, self.stamps, False
        try:
            if self._meta is None or before == () or stamps[0] != before[0]:
                self._meta = read_meta(self.folder) if stamps[0] is not None else None
            self.info = self._read(self._meta)
        except OSError:
            raise
        except Exception as error:
            # Any error is caught, because one run that cannot be read must not hide the others.
            reason = str(error) if isinstance(error, RunError) else f"{type(error).__name__}: {error}"
            changed = self.folder.stat().st_mtime
            status = RunStatus("failed", reason=reason)
            self.info = RunInfo(self.folder, self.folder.name, status, changed, readable=False)
            self._log = None
        if self.info.status.state in ENDS:
            # There may be thousands of runs, so only the listed numbers are kept.
            self._log = self._meta = None
            self.settled = True

    def _read(self, meta: RunMeta | None) -> RunInfo:
        self._log = log = self._log or EventLog(self.folder)
        log.poll()
        label = read_label(self.folder)
        status = current_status(self.folder, meta, log, last_step(self.folder, meta) if meta else 0)
        if meta is None:
            name, started = label.name or self.folder.name, self.folder.stat().st_mtime
            return RunInfo(self.folder, name, status, started, label=label, note=shown_note(label, ""))
        return RunInfo(
            self.folder,
            label.name or meta.name,
            status,
            meta.started,
            meta.parent,
            label,
            summary_of(self.folder, meta, log, status),
            meta.experiment,
            change_of(meta),
            config_of(meta),
            shown_note(label, meta.note),
        )


_STAMPED = (RUN_FILE, EVENTS_FILE, LABEL_FILE, DIAGNOSIS_FILE, "scalars.f32")
"""The files that determine what a list shows of an ended run."""


def _stamp(path: str) -> Stamp | None:
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino


def find_run(text: str | None = None, root: Path | None = None) -> Path:
    """Return the folder of a run, given by its path, its id, or a part of an id or name that only one run has.

    None means the newest run. Raises RunNotFound, in one line.
    """
    place = root or runs_root()
    for path in (place, *(() if text is None else (given_path(text), place / text))):
        if not answers(path):
            raise RunNotFound(f"{path}: {NO_ANSWER}")
    if text is not None and is_run_folder(given_path(text)):
        return given_path(text)
    if text and Path(text).name == text and is_run_folder(place / text):
        # For a complete id, no other run has to be read.
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
        raise RunNotFound(f"{text}: no run with this name in {place}")
    several = ", ".join(info.id for info in matching[:3]) + (", …" if len(matching) > 3 else "")
    raise RunNotFound(f"{text}: {len(matching)} runs match: {several}")
