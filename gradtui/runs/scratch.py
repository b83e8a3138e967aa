"""Make temporary folders that are removed even if their process is killed.

A process keeps its folder locked. An unlocked folder was left by a killed process, and is removed when the next process
makes such a folder, as the app does when it starts.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from types import TracebackType

PREFIX = "gradtui-scratch-"
YOUNG_SECONDS = 60.0
"""The age below which an unlocked folder is kept, because its process may not have locked it yet."""


class Scratch:
    """A Scratch is a folder of the mode 0700, which is removed by `remove` or at the end of a `with` block.

    Raises OSError where no folder can be made.
    """

    def __init__(self) -> None:
        sweep()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            # On network file systems without locks, the folder of a killed process stays.
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def remove(self) -> None:
        """Remove the folder with its content. It may be called twice."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.let_go()

    def let_go(self) -> None:
        """Leave the folder to another process, which removes it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


def sweep() -> None:
    """Remove this user's folders that killed processes have left. Errors are ignored."""
    with contextlib.suppress(OSError):
        place = os.open(tempfile.gettempdir(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in os.listdir(place):
                if name.startswith(PREFIX):
                    with contextlib.suppress(OSError):
                        _remove_unlocked(name, place)
        finally:
            os.close(place)


def _remove_unlocked(name: str, place: int) -> None:
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place)
    try:
        about = os.fstat(folder)
        if about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) != stat.S_IRWXU:
            return
        if time.time() - about.st_mtime < YOUNG_SECONDS:
            return
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(name, ignore_errors=True, dir_fd=place)
    finally:
        os.close(folder)
