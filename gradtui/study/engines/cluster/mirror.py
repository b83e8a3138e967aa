"""A run folder copied to another machine while it is written: what is new in it, and how that is taken in.

Files that only grow travel by what was appended; all others, which are replaced at once, whole.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from gradtui.runs.folder import EVENTS_FILE, replacing

GROWING = (".f32", ".jsonl", ".log")
MOST = 32_000_000
"""Bytes after which the rest waits for the next time; one file that is replaced at once may be larger."""
TAIL = 64
"""Last bytes by which a file that grew is told from one that was cut and written anew: its rows have time stamps."""


@dataclass(frozen=True)
class News:
    """What is new of one file."""

    path: str
    """Within the run's folder."""
    data: bytes | None
    """None: the file is gone."""
    offset: int | None = None
    """Where the bytes begin, and the file ends with them; None: they are the whole of it, and replace it at once."""


@dataclass(frozen=True)
class _Sent:
    size: int
    inode: int
    changed: int
    tail: bytes = b""


class Sender:
    """Says what is new in a folder since it was asked last.

    Args:
        leave: names of files that never travel.
    """

    def __init__(self, folder: Path, leave: Collection[str] = ()) -> None:
        self.more = False
        """Whether there was too much for one time."""
        self._folder = folder
        self._leave = leave
        self._sent: dict[str, _Sent] = {}

    def news(self, most: int = MOST) -> list[News]:
        """What is new, as far as it fits into so many bytes. Events come last: who reads that a run has ended shall
        find all of it. A file that cannot be read is passed over."""
        there = sorted(self._files(), key=lambda path: (path == EVENTS_FILE, path))
        found = [News(path, None) for path in self._sent.keys() - set(there)]
        for one in found:
            del self._sent[one.path]
        self.more = False
        for path in there:
            if most <= 0:
                self.more = True
                break
            try:
                new = self._grown(path, most) if path.endswith(GROWING) else self._replaced(path)
            except OSError:
                # It was replaced or removed under our hands; next time it is seen as it then is.
                continue
            if new is not None and new.data is not None:
                found.append(new)
                most -= len(new.data)
        return found

    def skip(self) -> None:
        """Take what is there for sent."""
        self.news()
        while self.more:
            self.news()

    def _files(self) -> Iterable[str]:
        for root, _, names in os.walk(self._folder):
            here = Path(root).relative_to(self._folder)
            # Drafts begin with a dot.
            yield from (str(here / name) for name in names if name[0] != "." and name not in self._leave)

    def _grown(self, path: str, most: int) -> News | None:
        known = self._sent.get(path)
        with (self._folder / path).open("rb") as file:
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
        return News(path, data, offset)

    @staticmethod
    def _tail(descriptor: int, end: int) -> bytes:
        return os.pread(descriptor, min(TAIL, end), max(0, end - TAIL))

    def _replaced(self, path: str) -> News | None:
        with (self._folder / path).open("rb") as file:
            status = os.fstat(file.fileno())
            sent = _Sent(status.st_size, status.st_ino, status.st_mtime_ns)
            if self._sent.get(path) == sent:
                return None
            self._sent[path] = sent
            return News(path, file.read())


def receive(folder: Path, news: Iterable[News]) -> None:
    """Take it in. Raises OSError."""
    for one in news:
        path = folder / one.path
        if one.data is None:
            path.unlink(missing_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if one.offset is not None:
            with path.open("r+b" if path.exists() else "wb") as file:
                file.truncate(one.offset)
                file.seek(one.offset)
                file.write(one.data)
        elif one.data:
            with replacing(path) as file:
                file.write(one.data)
        else:
            # The heartbeat, once a second: nothing that could be torn.
            path.write_bytes(b"")
