"""Copy a run folder from another machine while it is written: collect the changes there, and apply them here.

Of files that only grow, the appended bytes are copied; all other files are copied as a whole.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from gradtui.ordinary_files import open_to_read
from gradtui.runs.folder import EVENTS_FILE
from gradtui.runs.safe_files import make_subfolder, open_file, remove, replacing

GROWING_SUFFIXES = (".f32", ".jsonl", ".log")
MOST_BYTES = 32_000_000
"""The most bytes of one collection, after which the rest waits; a file that is copied as a whole may be larger."""
TAIL_BYTES = 64
"""The last bytes of a file that distinguish growth from a cut and rewritten file, because rows carry time stamps."""


@dataclass(frozen=True)
class FileChange:
    """A FileChange is the new content of one file."""

    path: str
    """The path relative to the run's folder."""
    data: bytes | None
    """The bytes; None if the file was deleted."""
    offset: int | None = None
    """The place where the bytes begin, with the file ending after them; None: they are the whole file, to be replaced
    at once."""


@dataclass(frozen=True)
class _Sent:
    size: int
    inode: int
    changed: int
    tail: bytes = b""


class FolderChanges:
    """A FolderChanges collects what has changed in a folder since the last collection.

    Args:
        leave: names of files that are never copied.
    """

    def __init__(self, folder: Path, leave: Collection[str] = ()) -> None:
        self.more = False
        """Whether there was more than one collection holds."""
        self._folder = folder
        self._leave = leave
        self._sent: dict[str, _Sent] = {}

    def collect(self, most: int = MOST_BYTES) -> list[FileChange]:
        """Return the changes, up to about `most` bytes; a file that cannot be read is skipped.

        Events come last, so that the whole run has arrived when its end is read.
        """
        there = sorted(self._files(), key=lambda path: (path == EVENTS_FILE, path))
        found = [FileChange(path, None) for path in self._sent.keys() - set(there)]
        for change in found:
            del self._sent[change.path]
        self.more = False
        for path in there:
            if most <= 0:
                self.more = True
                break
            try:
                new = self._grown(path, most) if path.endswith(GROWING_SUFFIXES) else self._replaced(path)
            except OSError:
                # It was replaced or removed meanwhile; the next call reads its new content.
                continue
            if new is not None and new.data is not None:
                found.append(new)
                most -= len(new.data)
        return found

    def collect_all(self) -> list[FileChange]:
        """Return all changes, of any size."""
        found = self.collect()
        while self.more:
            found += self.collect()
        return found

    def _files(self) -> Iterable[str]:
        for root, _, names in os.walk(self._folder):
            here = Path(root).relative_to(self._folder)
            # The names of temporary files begin with a dot.
            yield from (str(here / name) for name in names if name[0] != "." and name not in self._leave)

    def _grown(self, path: str, most: int) -> FileChange | None:
        known = self._sent.get(path)
        with os.fdopen(open_to_read(self._folder / path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            offset = known.size if known else 0
            if known and (size < offset or self._tail(file.fileno(), offset) != known.tail):
                offset = 0
            elif known and size == offset:
                return None
            data = os.pread(file.fileno(), min(size - offset, most), offset)
            end = offset + len(data)
            self.more |= end < size
            self._sent[path] = _Sent(end, 0, 0, self._tail(file.fileno(), end))
        return FileChange(path, data, offset)

    @staticmethod
    def _tail(descriptor: int, end: int) -> bytes:
        return os.pread(descriptor, min(TAIL_BYTES, end), max(0, end - TAIL_BYTES))

    def _replaced(self, path: str) -> FileChange | None:
        with os.fdopen(open_to_read(self._folder / path), "rb") as file:
            status = os.fstat(file.fileno())
            sent = _Sent(status.st_size, status.st_ino, status.st_mtime_ns)
            if self._sent.get(path) == sent:
                return None
            self._sent[path] = sent
            return FileChange(path, file.read())


def apply_changes(folder: Path, changes: Iterable[FileChange]) -> None:
    """Write changes into the folder. Raises OSError."""
    for change in changes:
        path = folder / change.path
        if change.data is None:
            remove(path)
            continue
        if path.parent != folder:
            make_subfolder(path.parent)
        if change.offset is not None:
            with os.fdopen(open_file(path, os.O_RDWR | os.O_CREAT), "r+b") as file:
                file.truncate(change.offset)
                file.seek(change.offset)
                file.write(change.data)
        elif change.data:
            with replacing(path) as file:
                file.write(change.data)
        else:
            # This is the empty heartbeat, once a second; a write that is cut off cannot damage it.
            descriptor = open_file(path, os.O_WRONLY | os.O_CREAT)
            try:
                os.ftruncate(descriptor, 0)
                os.utime(descriptor)
            finally:
                os.close(descriptor)
