"""Messages to process 0, and its notices to all, through the store by which torch's processes have met."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

TIMEOUT = timedelta(seconds=1)
"""Of each call. At the end of a process none may be under way: Python would abort it."""
UNREAD = 64
"""Messages of a process that process 0 may leave lying; further ones are lost."""


class Post:
    """Each call takes a round trip to the store, and waits for no other process. Raises RuntimeError where the
    store has gone."""

    def __init__(self, store: Any, number: int, rank: int, size: int) -> None:
        """`store`: a torch.distributed.Store; `number`: of the watching, as each process counts."""
        # A connection of its own: on the script's one, somebody may wait for minutes.
        self._store = store
        if hasattr(store, "clone"):
            self._store = store.clone()
            self._store.set_timeout(TIMEOUT)
        self._prefix = f"gradtui/{number}"
        self._rank = rank
        self._sent = 0
        self._read = dict.fromkeys(range(1, size), 0)

    def send(self, message: bytes) -> bool:
        """To process 0; False where it does not read."""
        if self._sent >= UNREAD and self._store.check([self._key(self._rank, self._sent - UNREAD)]):
            return False
        self._store.set(self._key(self._rank, self._sent), message)
        self._sent += 1
        return True

    def receive(self) -> list[tuple[int, bytes]]:
        """Of process 0: what others have sent since, each with its sender."""
        found = []
        for rank in self._read:
            while self._store.check([key := self._key(rank, self._read[rank])]):
                found.append((rank, bytes(self._store.get(key))))
                self._store.delete_key(key)
                self._read[rank] += 1
        return found

    def post_up(self, notice: bytes) -> None:
        """Of process 0: a notice that takes the place of the one before."""
        self._store.set(f"{self._prefix}/notice", notice)

    def notice(self) -> bytes | None:
        """The last one; None where there is none yet."""
        key = f"{self._prefix}/notice"
        return bytes(self._store.get(key)) if self._store.check([key]) else None

    def _key(self, rank: int, message: int) -> str:
        return f"{self._prefix}/{rank}/{message}"
