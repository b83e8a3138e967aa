"""All runs of a folder: listing, finding and deleting them."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from gradtui.runs.errors import RunError, RunNotFound
from gradtui.runs.folder import RUN_FILE, is_run_folder, runs_root
from gradtui.runs.meta import Parent, read_meta
from gradtui.runs.status import RunStatus, read_status, status_by


@dataclass(frozen=True)
class RunInfo:
    """A run in a list. A run whose run.json is corrupt is listed too, as failed, with the reason."""

    run: Path
    name: str
    status: RunStatus
    started: float
    """Seconds since the epoch."""
    parent: Parent | None = None
    """The run from which it was forked, or whose cure it tries."""

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.run.name

    @property
    def steps(self) -> int:
        """The last step recorded."""
        return self.status.step


def list_runs(root: Path | None = None) -> list[RunInfo]:
    """The runs in that folder (None: runs_root()), newest first. What is no run is passed over."""
    found = []
    try:
        folders = [Path(entry.path) for entry in os.scandir(root or runs_root()) if entry.is_dir()]
    except OSError:
        return []
    for folder in folders:
        try:
            if is_run_folder(folder):
                found.append(_info(folder))
        except OSError:
            # Deleted by somebody else while we looked.
            continue
    return sorted(found, key=lambda info: (info.started, info.id), reverse=True)


def _info(folder: Path) -> RunInfo:
    changed = folder.stat().st_mtime
    try:
        meta = read_meta(folder) if (folder / RUN_FILE).exists() else None
        status = status_by(folder, meta)
    except RunError as error:
        return RunInfo(folder, folder.name, RunStatus("failed", reason=str(error)), changed)
    if meta is None:
        return RunInfo(folder, folder.name, status, changed)
    return RunInfo(folder, meta.name, status, meta.started, meta.parent)


def find_run(text: str | None = None, root: Path | None = None) -> Path:
    """The folder of the run that a person means: by path, id, or a part of an id or name that only one run
    has.

    None is the newest. Raises RunNotFound, in one line.
    """
    place = root or runs_root()
    if text is not None and is_run_folder(Path(text).expanduser()):
        return Path(text).expanduser()
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


def delete(run: Path) -> None:
    """Remove a run's folder. Raises RunError, in one line, where it is live, no run, or cannot be removed."""
    if not is_run_folder(run) or run.is_symlink():
        raise RunError(f"{run}: no run")
    try:
        live = read_status(run).live
    except RunError:
        live = False
    if live:
        raise RunError(f"{run}: still training; stop it first")
    try:
        shutil.rmtree(run)
    except OSError as error:
        raise RunError(f"{error.filename or run}: {error.strerror}") from None
