"""Make, write and remove the files of a run folder without access for other users and without changes outside it.

Run folders may have been written by somebody else. So nothing is written or removed through a symbolic link, and only
ordinary files are opened, because opening a FIFO would wait forever. Folders are made with the mode 0700 and files
with 0600, whatever the umask. A shared run's folder has the mode 0750, and the group can read the files in it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

from gradtui.ordinary_files import NOT_ORDINARY

FOLDER_MODE, SHARED_FOLDER_MODE = 0o700, 0o750
FILE_MODE, SHARED_FILE_MODE = 0o600, 0o640
PARENT_MODE = 0o755

_DRAFT = re.compile(r"\.(.+)\.[0-9a-f]{16}")
DRAFT_SECONDS = 60.0
"""The seconds without growth after which an unlocked draft counts as left by a killed process."""

NOT_THROUGH_LINKS = "is a symbolic link, and gradtui changes nothing through one"


def make_folder(path: Path, *, share: bool = False) -> None:
    """Make a folder for this user alone, or with `share` one that the group may read.

    Raises OSError, as a FileExistsError where the name is taken.
    """
    path.mkdir(FOLDER_MODE)
    # The umask may have removed bits that a shared folder needs.
    path.chmod(SHARED_FOLDER_MODE if share else FOLDER_MODE)


def make_parents(folder: Path) -> None:
    """Make a folder of the user's own data with all above it, unless they exist. Raises OSError.

    Others can list them, so that a shared run can be reached, but only this user can change them, whatever the umask.
    """
    if folder.is_dir():
        return
    make_parents(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(PARENT_MODE)


def make_subfolder(path: Path) -> None:
    """Make a folder in a run folder, with the same readers, unless it exists. Raises OSError."""
    with contextlib.suppress(FileExistsError):
        make_folder(path, share=bool(path.parent.stat().st_mode & stat.S_IRGRP))
    if path.is_symlink():
        raise OSError(errno.ELOOP, NOT_THROUGH_LINKS, str(path))
    if not path.is_dir():
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


@contextlib.contextmanager
def opened_folder(path: Path) -> Iterator[int]:
    """Open a folder that is not a symbolic link, and yield its descriptor. Raises OSError."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, NOT_THROUGH_LINKS, str(path))
    # O_NOFOLLOW is the safe check; the check above gives a clear message, but the folder may change after it.
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_file(path: Path, flags: int) -> int:
    """Open a file of a run folder for writing, and return its descriptor. Raises OSError.

    With O_CREAT a file that is missing is made. Neither the file nor its folder may be a symbolic link.
    """
    flags |= os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    with _Naming(path), opened_folder(path.parent) as folder:
        try:
            descriptor = os.open(path.name, flags & ~os.O_CREAT, dir_fd=folder)
        except FileNotFoundError:
            if not flags & os.O_CREAT:
                raise
            return _create(path.name, flags, folder)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, NOT_ORDINARY, str(path))
        except OSError:
            os.close(descriptor)
            raise
        return descriptor


def _create(name: str, flags: int, folder: int) -> int:
    try:
        descriptor = os.open(name, flags | os.O_CREAT | os.O_EXCL, FILE_MODE, dir_fd=folder)
    except FileExistsError:
        # Another viewer made the file at the same moment.
        return os.open(name, flags & ~os.O_CREAT, dir_fd=folder)
    os.fchmod(descriptor, _file_mode(folder))
    return descriptor


def _file_mode(folder: int) -> int:
    return SHARED_FILE_MODE if os.fstat(folder).st_mode & stat.S_IRGRP else FILE_MODE


class _Naming:
    """Add the whole path of the file to errors, and a clear text to errors about symbolic links.

    This is no generator: in Python 3.13 an error that a generator replaces forms a cycle with its frames, and these
    keep the objects of a watched script until the garbage collector runs.
    """

    def __init__(self, path: Path) -> None:
        """Take the path of the file."""
        self._path = path

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, OSError) or (
            error.filename == str(self._path.parent) and error.errno == errno.ELOOP
        ):
            return
        # Opening a FIFO that has no reader fails with ENXIO.
        texts = {errno.ELOOP: NOT_THROUGH_LINKS, errno.ENXIO: NOT_ORDINARY}
        code = error.errno or 0
        raise OSError(code, texts.get(code, error.strerror), str(self._path)) from None


def append(path: Path, content: bytes) -> None:
    """Append to a file of a run folder, and make it if it is missing. Raises OSError."""
    with os.fdopen(open_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab") as file:
        file.write(content)


def touch(path: Path) -> None:
    """Make a file of a run folder, or update its modification time. Raises OSError."""
    descriptor = open_file(path, os.O_WRONLY | os.O_CREAT)
    try:
        os.utime(descriptor)
    finally:
        os.close(descriptor)


def truncate(path: Path, size: int) -> None:
    """Cut a file of a run folder to a size. Raises OSError."""
    descriptor = open_file(path, os.O_WRONLY)
    try:
        os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file of a run folder, or a symbolic link in it, if it exists. Raises OSError."""
    with contextlib.suppress(FileNotFoundError), opened_folder(path.parent) as folder, _Naming(path):
        os.unlink(path.name, dir_fd=folder)


@contextlib.contextmanager
def replacing(
    path: Path, buffering: int = -1, *, exported: bool = False, private: bool = False
) -> Iterator[IO[bytes]]:
    """Open a draft beside `path` to write into; it takes the file's name when the block ends. Raises OSError.

    If the block raises an exception, the file stays unchanged and the draft is removed. `exported`: the file is not
    part of a run folder but at a path of the user's choice, which may lead through a symbolic link; its mode comes from
    the umask. `private`: the group cannot read it even in a shared folder.
    """
    parent = Path(os.path.realpath(path.parent)) if exported else path.parent
    with opened_folder(parent) as folder:
        with contextlib.suppress(OSError):
            _sweep_drafts(folder, path.name, exported=exported)
        # The name is random, so no other user can have made such a file before.
        draft = f".{path.name}.{secrets.token_hex(8)}"
        try:
            with _Naming(path):
                descriptor, named = _open_draft(draft, 0o666 if exported else FILE_MODE, folder)
            with os.fdopen(descriptor, "wb", buffering=buffering) as file:
                if not exported:
                    os.fchmod(descriptor, FILE_MODE if private else _file_mode(folder))
                yield file
                file.flush()
                # Without fsync, the file could be empty after a power cut.
                os.fsync(file.fileno())
                if not named:
                    with _Naming(path):
                        _name_draft(descriptor, draft, folder)
            with _Naming(path):
                os.replace(draft, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(draft, dir_fd=folder)
            raise


def _open_draft(draft: str, mode: int, folder: int) -> tuple[int, bool]:
    """Open a draft, and return its descriptor and whether it has a name already.

    Where the file system allows it, the draft has no name, so that nothing of it remains if this process is killed.
    """
    with contextlib.suppress(OSError, AttributeError):
        if os.path.isdir("/proc/self/fd"):
            return os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, mode, dir_fd=folder), False
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(draft, flags, mode, dir_fd=folder)
    with contextlib.suppress(OSError):
        # The lock shows other processes that this draft is in use.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor, True


def _name_draft(nameless: int, draft: str, folder: int) -> None:
    """Give a draft its name, or copy it to a draft with a name where the file system refuses that."""
    try:
        os.link(f"/proc/self/fd/{nameless}", draft, dst_dir_fd=folder, follow_symlinks=True)
    except OSError:
        mode = stat.S_IMODE(os.fstat(nameless).st_mode)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, mode, dir_fd=folder), "wb") as file:
            with os.fdopen(os.dup(nameless), "rb") as source:
                source.seek(0)
                shutil.copyfileobj(source, file)
            file.flush()
            os.fsync(file.fileno())


def _sweep_drafts(folder: int, name: str, *, exported: bool) -> None:
    """Remove drafts that killed processes have left: in a run folder all, elsewhere only those of this file."""
    for found in os.listdir(folder):
        match = _DRAFT.fullmatch(found)
        if match is None or (exported and match[1] != name):
            continue
        with contextlib.suppress(OSError):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(found, flags, dir_fd=folder)
            try:
                about = os.fstat(descriptor)
                old = time.time() - about.st_mtime > DRAFT_SECONDS
                if stat.S_ISREG(about.st_mode) and about.st_uid == os.getuid() and old:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(found, dir_fd=folder)
            finally:
                os.close(descriptor)


def is_own_link(path: Path) -> bool:
    """Return whether the path is a symbolic link that this user or root has made. Raises OSError."""
    try:
        about = os.lstat(path)
    except FileNotFoundError:
        return False
    return stat.S_ISLNK(about.st_mode) and about.st_uid in (os.getuid(), 0)


def place_for_person(path: Path) -> Path:
    """Return where a file at a path of the user's choice is to be written, which may be behind a symbolic link.

    Raises OSError, also for a folder, and for a device or a FIFO, whose name the file would take; and ValueError.
    """
    real = Path(os.path.realpath(path))
    if os.path.lexists(real) and not real.is_file():
        raise OSError(errno.EINVAL, os.strerror(errno.EISDIR) if real.is_dir() else NOT_ORDINARY, str(path))
    if not real.name:
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return real


def write_for_person(path: Path, content: bytes) -> None:
    """Write a file at a path of the user's choice, also through a symbolic link. Raises OSError and ValueError."""
    with replacing(place_for_person(path), exported=True) as file:
        file.write(content)
