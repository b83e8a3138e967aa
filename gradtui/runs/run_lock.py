"""Lock a file of a run's folder, so that only one trainer works on the run. The lock ends with its process.

run.json also tells whether a trainer is alive, but two trainers that start at the same moment would both find none.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from collections.abc import Callable
from pathlib import Path

from gradtui.runs.errors import RunError
from gradtui.runs.safe_files import open_file
from gradtui.runs.status import is_in_use

LOCK_FILE = "trainer.lock"
INHERITED_VARIABLE = "GRADTUI_RUN_LOCK"
"""The environment variable that passes the lock's descriptor to the trainer that a command starts."""

NOT_STARTED = 2
"""The exit code of a trainer that did not start, because another process trains the run or its folder is read-only."""


class RunTaken(RunError):
    """A RunTaken error says that another process works on the run."""


def train_alone(folder: Path, train: Callable[[], int], *, locked: bool = False) -> int:
    """Return the exit code of `train`, which is called while this process holds the lock on the run.

    Where another process trains the run, a line on stderr says so, and the exit code is NOT_STARTED.

    Args:
        locked: another process already holds the lock for this one.
    """
    try:
        lock = None if locked else lock_run(folder)
    except (RunTaken, OSError) as error:
        print(f"{folder}: {error}", file=sys.stderr)
        return NOT_STARTED
    try:
        if is_in_use(folder):
            print(f"{folder}: is being trained already", file=sys.stderr)
            return NOT_STARTED
        return train()
    finally:
        unlock_run(lock)


def lock_run(folder: Path) -> int | None:
    """Lock a run until this process and all that have inherited the returned descriptor have closed it.

    Returns None where the file system has no locks. Raises RunTaken, and OSError where the file cannot be made.
    """
    inherited = _inherited(folder)
    if inherited is not None:
        return inherited
    descriptor = open_file(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT)
    try:
        # On NFS, Linux turns this into a lock on the server, which also excludes other machines.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise RunTaken(
                f"{folder.name}: is being trained; gradtui attach {folder.name} shows it"
            ) from None
        if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            return None
        raise
    return descriptor


def unlock_run(lock: int | None) -> None:
    """Release a lock in this process. It remains while a process that inherited it runs."""
    if lock is not None:
        os.close(lock)


def _inherited(folder: Path) -> int | None:
    """Return the descriptor of this run's lock from the parent, at the first call only; None where there is none."""
    text = os.environ.pop(INHERITED_VARIABLE, "")
    try:
        descriptor = int(text)
        ours, wanted = os.fstat(descriptor), os.lstat(folder / LOCK_FILE)
    except (ValueError, OSError):
        return None
    if (ours.st_dev, ours.st_ino) != (wanted.st_dev, wanted.st_ino):
        return None
    os.set_inheritable(descriptor, False)
    return descriptor
