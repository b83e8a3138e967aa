"""Delete runs, and bring them back for a week: the last deletion is undone first.

Deleted runs lie in `<runs>/.trash/<when>/`, on the same file system, so that deleting and undoing are one rename each,
however large the run is.
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
    """Move runs of one folder into its trash together; they also come back together.

    Raises RunError, in one line, if one is live, is no run, or cannot be moved; the runs before it are deleted then.
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
    """Bring back the runs of the last deletion, and return their folders; none if the trash is empty.

    Raises RunError, in one line, if a run of the same name exists by now, or one cannot be moved.
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
    """Remove for good the runs that were deleted longer ago than so many seconds. What cannot be removed stays."""
    for heap in _heaps(root):
        if time.time() - _deleted_at(heap) >= older_than:
            shutil.rmtree(heap, ignore_errors=True)


def count(root: Path) -> int:
    """Return how many runs could be brought back."""
    return sum(len(os.listdir(heap)) for heap in _heaps(root))


def _is_live(run: Path) -> bool:
    try:
        return read_status(run).live
    except RunError:
        return False


def _new_heap(trash: Path) -> Path:
    """Make a folder for runs that are deleted together, named by the time in nanoseconds."""
    trash.mkdir(exist_ok=True)
    while True:
        heap = trash / str(time.time_ns())
        with contextlib.suppress(FileExistsError):
            heap.mkdir()
            return heap


def _heaps(root: Path) -> list[Path]:
    """Return the folders of runs that were deleted together, the newest last."""
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
