"""Read and write the folder of a study: its description, the list of its runs, and the process that trains it.

    study.toml     a copy of the study with its base written out
    runs.jsonl     one JSON object a line: "key" of an experiment, "run", the path of its folder relative to this one;
                   of equal keys the last one counts
    keeper.json    the process that trains the runs; it has no effect after that process has ended
    heartbeat      an empty file whose modification time that process renews

The results are in the runs, which are ordinary ones. A study of the same name is the same study: its runs are not
trained again, even if experiments were added to it.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gradtui.experiment.errors import ExperimentError
from gradtui.ordinary_files import read_whole
from gradtui.runs.bounded_reads import BoundedReads
from gradtui.runs.errors import RunError
from gradtui.runs.folder import HEARTBEAT_FILE, is_run_folder, runs_root, slug_of
from gradtui.runs.jsonl import LineReader, encode_line
from gradtui.runs.meta import RunMeta
from gradtui.runs.safe_files import make_folder, make_parents, open_file, remove, replacing, touch
from gradtui.runs.status import COMPLETED_STATES, State, is_alive, read_status
from gradtui.study.plan import Member
from gradtui.study.spec import StudySpec, dumps, load

STUDY_FILE = "study.toml"
INDEX_FILE = "runs.jsonl"
OWNER_FILE = "keeper.json"
LARGEST_OWNER = 10_000
"""The most bytes of keeper.json that are read; gradtui writes about 150."""
BEAT_SECONDS = 5.0
"""The seconds between two renewals of the heartbeat."""


def studies_root(runs: Path | None = None) -> Path:
    """Return the folder that holds the studies, beside the folder of runs."""
    return (runs or runs_root()).absolute().parent / "studies"


def folder_of(name: str, root: Path, *, fresh: bool = False) -> Path:
    """Return the newest folder of the study of that name, or with `fresh` the path of a new folder."""
    slug = slug_of(name) or "study"
    there = [0]
    try:
        for entry in os.scandir(root):
            found = re.fullmatch(re.escape(slug) + r"(?:\.(\d+))?", entry.name)
            if found:
                there.append(int(found[1] or 1))
    except OSError:
        # There is no study yet.
        pass
    number = max(there) + 1 if fresh else max(*there, 1)
    return root / (slug if number == 1 else f"{slug}.{number}")


@dataclass(frozen=True)
class StudyInfo:
    """A StudyInfo is one study in the list of those that have a folder."""

    folder: Path
    spec: StudySpec
    runs: int
    """The number of runs that were created."""
    completed: int
    """The number of those that ended in a way that allows comparisons; the others can be continued."""
    changed: float
    """The time at which the last run was created, in seconds since the epoch."""


def list_studies(
    root: Path | None = None, silent: Callable[[Path], object] = lambda folder: None
) -> list[StudyInfo]:
    """Return the studies in a folder, by default `studies_root()`, the newest first; other folders are left out.

    silent: called with each folder whose file server does not answer; it is left out too.
    """
    found: list[StudyInfo] = []
    for place, folders in BoundedReads(_folders_in).results([root or studies_root()]):
        if folders is None:
            silent(place)
        for folder, info in BoundedReads(_study_in).results(folders or []):
            if info is None:
                silent(folder)
            else:
                found += info
    return sorted(found, key=lambda info: info.changed, reverse=True)


def _folders_in(root: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(root) if not entry.is_file(follow_symlinks=False)]
    except OSError:
        return []


def _study_in(folder: Path) -> list[StudyInfo]:
    """Return the study in a folder; an empty list where there is none."""
    try:
        spec = load(folder / STUDY_FILE)
    except ExperimentError:
        return []
    index = StudyIndex(folder)
    return [StudyInfo(folder, spec, len(index.read()), index.completed, index.changed)]


def studies_of_runs(root: Path) -> dict[Path, str]:
    """Return the name of the study's folder of each run that a study in a folder has trained."""
    found: dict[Path, str] = {}
    with contextlib.suppress(OSError):
        for entry in os.scandir(root):
            if entry.is_dir():
                found |= dict.fromkeys(StudyIndex(Path(entry.path)).read().values(), entry.name)
    return found


def write_study(folder: Path, spec: StudySpec) -> None:
    """Create the folder and write the study into it. Raises OSError, and ExperimentError as `dumps` does."""
    text = dumps(spec)
    make_parents(folder.parent)
    with contextlib.suppress(FileExistsError):
        make_folder(folder)
    with replacing(folder / STUDY_FILE) as file:
        file.write(text.encode())


class StudyIndex:
    """A StudyIndex records which runs belong to a study; one process writes it, and any process may read it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / INDEX_FILE
        self._lines = LineReader(self._path)
        self._runs: dict[str, Path] = {}

    def read(self) -> dict[str, Path]:
        """Return the folders of the runs by the key of their member; some may have been deleted."""
        entries, restarted = self._lines.poll()
        if restarted:
            self._runs = {}
        for entry in entries:
            key, run = entry.get("key"), entry.get("run")
            if isinstance(key, str) and isinstance(run, str):
                self._runs[key] = Path(os.path.normpath(self._path.parent / run))
        return self._runs

    def refresh(self) -> None:
        """Read the lines that were added since."""
        self.read()

    @property
    def completed(self) -> int:
        """Return the number of the known runs that have ended by themselves."""
        return sum(self._state_of(run) in COMPLETED_STATES for run in self._runs.values())

    def _state_of(self, run: Path) -> State | None:
        try:
            return read_status(run).state if is_run_folder(run) else None
        except RunError:
            return None

    def find(self, member: Member) -> tuple[Path, State] | None:
        """Return the folder and the state of the member's run; None if there is none that can be read."""
        folder = self._runs.get(member.key)
        # The experiment of a damaged run is trained again.
        state = None if folder is None else self._state_of(folder)
        return None if folder is None or state is None else (folder, state)

    def add(self, member: Member, folder: Path) -> None:
        """Record that the run in `folder` is the member's, before its trainer is started. Raises OSError."""
        entry = {
            "key": member.key,
            "run": os.path.relpath(folder, self._path.parent),
            "time": time.time(),
        }
        with os.fdopen(open_file(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab") as file:
            file.write(encode_line(entry))
            file.flush()
            os.fsync(file.fileno())

    @property
    def changed(self) -> float:
        """Return when it was written last, in seconds since the epoch; 0 if it was never written."""
        try:
            return self._path.stat().st_mtime
        except OSError:
            return 0.0


class StudyOwner(msgspec.Struct, frozen=True):
    """A StudyOwner is the content of keeper.json: the process that trains the runs of a study."""

    pid: int
    pid_started: int | None
    host: str
    machine: str

    @classmethod
    def this_process(cls) -> StudyOwner:
        """Return an owner that names this process."""
        meta = RunMeta.of_this_process(id="", name="")
        return cls(meta.pid, meta.pid_started, meta.host, meta.machine)

    def alive(self, folder: Path) -> bool:
        """Return whether the process exists; on another machine, whether the study's heartbeat is fresh."""
        return is_alive(folder, RunMeta(id="", name="", **msgspec.structs.asdict(self)))

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class OwnerLock:
    """An OwnerLock lets only one process at a time start the runs of a study."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / OWNER_FILE
        self._ours = StudyOwner.this_process()
        self._beat = 0.0

    def take(self) -> StudyOwner | None:
        """Take or keep the lock and return None; if another process has it, return that one. Raises OSError."""
        there = self._read()
        if there is not None and there != self._ours and there.alive(self._path.parent):
            return there
        if there != self._ours:
            with replacing(self._path) as file:
                file.write(msgspec.json.encode(self._ours) + b"\n")
            # If two processes write it at the same moment, the one whose content remains has the lock.
            there = self._read()
            if there is not None and there != self._ours:
                return there
        if time.monotonic() - self._beat >= BEAT_SECONDS:
            self._beat = time.monotonic()
            touch(self._path.parent / HEARTBEAT_FILE)
        return None

    def release(self) -> None:
        """Give the lock back, if this process has it."""
        if self._read() == self._ours:
            remove(self._path)

    def _read(self) -> StudyOwner | None:
        try:
            return msgspec.json.decode(read_whole(self._path, LARGEST_OWNER), type=StudyOwner)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None
