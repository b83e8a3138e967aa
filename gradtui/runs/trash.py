"""Delete runs, and restore them within a week, the last deletion first.

Deleted runs are moved to `<runs>/.trash/<when>/` on the same file system, so that a deletion and its undoing are one
rename each for a run of any size.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from gradtui.runs.errors import RunError
from gradtui.runs.folder import is_run_folder
from gradtui.runs.safe_files import make_folder, make_subfolder, opened_folder
from gradtui.runs.status import read_status

TRASH_FOLDER = ".trash"
_HEAP_NAME = re.compile(r"[0-9]{19}")
"""The name of a folder in the trash: nanoseconds since 1970, for the years 2001 to 2286."""
KEPT_SECONDS = 7 * 24 * 3600.0


def delete(runs: Sequence[Path]) -> None:
    """Move runs of one folder into its trash together; they are also restored together.

    Raises RunError, in one line, if one is live, is not a run, or cannot be moved; the runs before it are deleted then.
    """
    for run in runs:
        if not is_run_folder(run) or run.is_symlink():
            raise RunError(f"{run}: no run")
        if _is_live(run):
            raise RunError(f"{run.name}: still training; stop it first")
    if not runs:
        return
    with _in_one_line():
        trash = runs[0].parent / TRASH_FOLDER
        heap = _new_heap(trash)
        with opened_folder(runs[0].parent.resolve()) as place, opened_folder(heap) as folder:
            for run in runs:
                os.rename(run.name, run.name, src_dir_fd=place, dst_dir_fd=folder)


def undelete(root: Path) -> list[Path]:
    """Restore the runs of the last deletion, and return their folders; empty if the trash is empty.

    Raises RunError, in one line, if a run of the same name exists by now, or one cannot be moved.
    """
    back: list[Path] = []
    with _in_one_line():
        for heap in reversed(_heaps(root)):
            with opened_folder(heap) as folder, opened_folder(root.resolve()) as runs:
                for name in sorted(os.listdir(folder)):
                    place = root / name
                    if os.path.lexists(place):
                        raise RunError(f"{place}: another run has this name")
                    os.rename(name, name, src_dir_fd=folder, dst_dir_fd=runs)
                    back.append(place)
            heap.rmdir()
            if back:
                break
    return back


def purge(root: Path, older_than: float = KEPT_SECONDS) -> None:
    """Remove the runs that were deleted more than `seconds` ago forever. Those that cannot be removed stay.

    Files that gradtui did not name, targets of symbolic links, and the trash of other users stay too.
    """
    with contextlib.suppress(OSError), opened_folder(root / TRASH_FOLDER) as trash:
        if os.fstat(trash).st_uid != os.getuid():
            return
        for heap in _heaps(root):
            if time.time() - _deleted_at(heap) >= older_than:
                # Symbolic links in them are removed and never followed.
                shutil.rmtree(heap.name, ignore_errors=True, dir_fd=trash)


def count(root: Path) -> int:
    """Return how many runs can be restored."""
    return sum(len(os.listdir(heap)) for heap in _heaps(root))


def can_restore(run: Path) -> bool:
    """Return whether the trash beside a deleted run has it."""
    return any((heap / run.name).is_dir() for heap in _heaps(run.parent))


def _is_live(run: Path) -> bool:
    try:
        return read_status(run).live
    except RunError:
        return False


def _new_heap(trash: Path) -> Path:
    """Make a folder for the runs of one deletion, named by the time in nanoseconds."""
    make_subfolder(trash)
    while True:
        heap = trash / str(time.time_ns())
        with contextlib.suppress(FileExistsError):
            make_folder(heap)
            return heap


def _heaps(root: Path) -> list[Path]:
    """Return the folders of all deletions, the newest last."""
    trash = root / TRASH_FOLDER
    try:
        with opened_folder(trash) as folder, os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                if _HEAP_NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []
    return [trash / name for name in sorted(names, key=int)]


def _deleted_at(heap: Path) -> float:
    return int(heap.name) / 1e9


@contextlib.contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(f"{error.filename}: {error.strerror}") from None
