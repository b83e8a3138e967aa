"""Send messages to rank 0, and announcements of rank 0 to all ranks, through the store of torch's process group."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

CALL_TIMEOUT = timedelta(seconds=1)
"""The timeout of each call. It is short, since Python aborts a process that ends during a call."""
LARGEST_UNREAD_COUNT = 64
"""The most messages of one rank that may wait for rank 0; further ones are lost."""


class StoreMailbox:
    """A StoreMailbox exchanges messages without waiting for another process.

    Each call takes a round trip to the store. It raises RuntimeError where the store no longer exists.
    """

    def __init__(self, store: Any, session: int, rank: int, size: int) -> None:
        """Take a torch.distributed.Store, and the number of the watch session, which is the same on all ranks."""
        # The clone has its own connection, since the script's may be blocked for minutes.
        self._store = store
        if hasattr(store, "clone"):
            self._store = store.clone()
            self._store.set_timeout(CALL_TIMEOUT)
        self._prefix = f"gradtui/{session}"
        self._rank = rank
        self._sent = 0
        self._read = dict.fromkeys(range(1, size), 0)

    def send(self, message: bytes) -> bool:
        """Send a message to rank 0; return False if it is lost because rank 0 does not read."""
        last = self._sent - LARGEST_UNREAD_COUNT
        if last >= 0 and self._store.check([self._key(self._rank, last)]):
            return False
        self._store.set(self._key(self._rank, self._sent), message)
        self._sent += 1
        return True

    def receive(self) -> list[tuple[int, bytes]]:
        """Return the new messages of all ranks, each with its sender. Only rank 0 may call this."""
        found = []
        for rank in self._read:
            while self._store.check([key := self._key(rank, self._read[rank])]):
                found.append((rank, bytes(self._store.get(key))))
                self._store.delete_key(key)
                self._read[rank] += 1
        return found

    def announce(self, announcement: bytes) -> None:
        """Replace the announcement that all ranks can read. Only rank 0 may call this."""
        self._store.set(f"{self._prefix}/announcement", announcement)

    def announcement(self) -> bytes | None:
        """Return the newest announcement of rank 0; None where there is none yet."""
        key = f"{self._prefix}/announcement"
        return bytes(self._store.get(key)) if self._store.check([key]) else None

    def _key(self, rank: int, message: int) -> str:
        return f"{self._prefix}/{rank}/{message}"
