"""Runs that were deleted, kept for a week beside the others: what was deleted last comes back first.

They lie in `<runs>/.trash/<when>/`, on the file system that they were on, so that deleting and undoing are a rename
each, however large the run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from gradtui.runs.errors import RunError
from gradtui.runs.folder import is_run_folder
from gradtui.runs.status import read_status

TRASH_FOLDER = ".trash"
KEPT_SECONDS = 7 * 24 * 3600.0


def delete(runs: Sequence[Path]) -> None:
    """Put runs of one folder into its trash, all at once: they come back together.

    Raises RunError, in one line, where one is live, is no run, or cannot be moved; those before it are deleted then.
    """
    for run in runs:
        if not is_run_folder(run) or run.is_symlink():
            raise RunError(f"{run}: no run")
        if _is_live(run):
            raise RunError(f"{run.name}: still training; stop it first")
    if not runs:
        return
    with _in_one_line():
        heap = _new_heap(runs[0].parent / TRASH_FOLDER)
        for run in runs:
            run.rename(heap / run.name)


def undelete(root: Path) -> list[Path]:
    """Bring back what was deleted last from that folder, and say where it is; nothing where the trash is empty.

    Raises RunError, in one line, where there is a run of its name by now, or it cannot be moved.
    """
    back: list[Path] = []
    with _in_one_line():
        for heap in reversed(_heaps(root)):
            for run in sorted(heap.iterdir()):
                place = root / run.name
                if place.exists():
                    raise RunError(f"{place}: there is another run of that name")
                run.rename(place)
                back.append(place)
            heap.rmdir()
            if back:
                break
    return back


def purge(root: Path, older_than: float = KEPT_SECONDS) -> None:
    """Remove for good what was deleted longer ago than so many seconds. What cannot be removed stays."""
    for heap in _heaps(root):
        if time.time() - _deleted_at(heap) >= older_than:
            shutil.rmtree(heap, ignore_errors=True)


def count(root: Path) -> int:
    """How many runs could come back."""
    return sum(len(os.listdir(heap)) for heap in _heaps(root))


def _is_live(run: Path) -> bool:
    try:
        return read_status(run).live
    except RunError:
        return False


def _new_heap(trash: Path) -> Path:
    """A folder for what is deleted together, named by when, in nanoseconds."""
    trash.mkdir(exist_ok=True)
    while True:
        heap = trash / str(time.time_ns())
        with contextlib.suppress(FileExistsError):
            heap.mkdir()
            return heap


def _heaps(root: Path) -> list[Path]:
    """What was deleted together, the newest last."""
    try:
        heaps = [Path(entry.path) for entry in os.scandir(root / TRASH_FOLDER) if entry.name.isdecimal()]
    except OSError:
        return []
    return sorted(heaps, key=lambda heap: int(heap.name))


def _deleted_at(heap: Path) -> float:
    return int(heap.name) / 1e9


@contextlib.contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(f"{error.filename}: {error.strerror}") from None
