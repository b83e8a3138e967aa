"""The folder of a study: what it is, which runs are its own, and who is at it::

    study.toml     a copy of the study, whole by itself
    runs.jsonl     one JSON object a line: "key" of an experiment, "run", its folder as seen from here; of equal keys
                   the last counts
    keeper.json    which process begins the runs; a process that has gone keeps nothing
    heartbeat      an empty file whose time of change that process renews

The results stand in the runs themselves, which are ordinary ones. A study of the same name is the same study: what was
trained of it is not trained again, whatever else was added to it.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gradtui.experiment.errors import ExperimentError
from gradtui.runs.folder import HEARTBEAT_FILE, replacing, runs_root, slug_of
from gradtui.runs.jsonl import LineReader, encode_line
from gradtui.runs.meta import RunMeta
from gradtui.runs.status import is_alive
from gradtui.study.parse import dumps, load
from gradtui.study.spec import StudySpec

STUDY_FILE = "study.toml"
JOURNAL_FILE = "runs.jsonl"
KEEPER_FILE = "keeper.json"
BEAT_SECONDS = 5.0


def studies_root(runs: Path | None = None) -> Path:
    """Where studies are kept: beside the folder of runs."""
    return (runs or runs_root()).absolute().parent / "studies"


def folder_of(name: str, root: Path, *, fresh: bool = False) -> Path:
    """The folder of the study of that name, made or not; `fresh`: of another one, that begins anew."""
    slug = slug_of(name) or "study"
    there = [0]
    try:
        for entry in os.scandir(root):
            found = re.fullmatch(re.escape(slug) + r"(?:\.(\d+))?", entry.name)
            if found:
                there.append(int(found[1] or 1))
    except OSError:
        # No study yet.
        pass
    number = max(there) + 1 if fresh else max(*there, 1)
    return root / (slug if number == 1 else f"{slug}.{number}")


@dataclass(frozen=True)
class StudyInfo:
    """A study in a list."""

    folder: Path
    spec: StudySpec
    runs: int
    """How many were begun."""
    changed: float
    """When one was begun last, in seconds since the epoch."""


def list_studies(root: Path | None = None) -> list[StudyInfo]:
    """The studies in that folder (None: studies_root()), the newest first. What is no study is passed over."""
    found = []
    try:
        folders = [Path(entry.path) for entry in os.scandir(root or studies_root()) if entry.is_dir()]
    except OSError:
        return []
    for folder in folders:
        try:
            spec = load(folder / STUDY_FILE)
        except ExperimentError:
            continue
        journal = Journal(folder)
        found.append(StudyInfo(folder, spec, len(journal.read()), journal.changed))
    return sorted(found, key=lambda info: info.changed, reverse=True)


def write_study(folder: Path, spec: StudySpec) -> None:
    """Make the folder and write down what the study is. Raises OSError, and ExperimentError as `dumps` does."""
    text = dumps(spec)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / STUDY_FILE) as file:
        file.write(text.encode())


class Journal:
    """Which runs are the study's. One process writes it, any may read."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL_FILE
        self._lines = LineReader(self._path)
        self._runs: dict[str, Path] = {}

    def read(self) -> dict[str, Path]:
        """Folders of the runs by their experiment's key, as they stand now; some may be gone."""
        entries, restarted = self._lines.poll()
        if restarted:
            self._runs = {}
        for entry in entries:
            key, run = entry.get("key"), entry.get("run")
            if isinstance(key, str) and isinstance(run, str):
                self._runs[key] = Path(os.path.normpath(self._path.parent / run))
        return self._runs

    def add(self, key: str, run: Path) -> None:
        """Say that a run is the study's, before its trainer is started. Raises OSError."""
        line = encode_line({"key": key, "run": os.path.relpath(run, self._path.parent), "time": time.time()})
        with self._path.open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    @property
    def changed(self) -> float:
        """When it was written last; 0 where it never was."""
        try:
            return self._path.stat().st_mtime
        except OSError:
            return 0.0


class Keeper(msgspec.Struct, frozen=True):
    """The content of keeper.json: a process."""

    pid: int
    pid_started: int | None
    host: str
    machine: str

    @classmethod
    def this_process(cls) -> Keeper:
        """Ours."""
        meta = RunMeta.of_this_process(id="", name="")
        return cls(meta.pid, meta.pid_started, meta.host, meta.machine)

    def alive(self, folder: Path) -> bool:
        """Whether it is still there."""
        return is_alive(folder, RunMeta(id="", name="", **msgspec.structs.asdict(self)))

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class Claim:
    """The right to begin the runs of a study: one process at a time has it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / KEEPER_FILE
        self._ours = Keeper.this_process()
        self._beat = 0.0

    def take(self) -> Keeper | None:
        """Have it, or say who has. None: we have. Raises OSError where the folder takes no file."""
        there = self._read()
        if there is not None and there != self._ours and there.alive(self._path.parent):
            return there
        if there != self._ours:
            with replacing(self._path) as file:
                file.write(msgspec.json.encode(self._ours) + b"\n")
            # Of two that take it in the same moment, the one whose name stands there has it.
            there = self._read()
            if there is not None and there != self._ours:
                return there
        if time.monotonic() - self._beat >= BEAT_SECONDS:
            self._beat = time.monotonic()
            (self._path.parent / HEARTBEAT_FILE).touch()
        return None

    def release(self) -> None:
        """Give it back. Never raises."""
        if self._read() == self._ours:
            self._path.unlink(missing_ok=True)

    def _read(self) -> Keeper | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Keeper)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None
