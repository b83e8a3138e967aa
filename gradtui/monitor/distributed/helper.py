"""Any process but 0: what it measures goes to process 0."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gradtui.monitor.distributed.paces import FIRST
from gradtui.monitor.distributed.post import Post
from gradtui.monitor.distributed.processes import counted_elsewhere
from gradtui.monitor.parts import Part
from gradtui.probe.sampling_budget import SamplingBudget

INTERVAL = 0.05
"""Seconds between two messages, of up to CROWD processes; of more, as many times that."""
CROWD = 32
LONGEST = 512
"""Steps that may wait to be sent."""
PATIENCE = 2.0
"""Seconds that the end of a process may be held up by what is still to be sent or received."""

Sent = tuple[str, int, bytes]
"""Kind, step, and norms in float64."""


class Message(msgspec.Struct, array_like=True):
    """What a process has measured since its last message."""

    parts: list[Sent]
    last: bool = False
    """Whether there will be no more."""


def interval_of(size: int) -> float:
    """Seconds between two messages of so many processes: the store serves them one by one."""
    return INTERVAL * max(1.0, size / CROWD)


class Helper:
    """Follows the protocol `Parts`. When the store has gone it measures nothing any more, in silence: it is
    process 0 that has something to say."""

    shared = True
    writes = False

    def __init__(self, post: Post, rank: int, size: int) -> None:
        self._post = post
        self._rank = rank
        self._interval = interval_of(size)
        self._periods = dict(FIRST)
        self._waiting: list[Sent] = []
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._gone = False
        self._thread = threading.Thread(target=self._work, name="gradtui", daemon=True)

    def add(self, kind: str, part: Part) -> None:
        """See Parts."""
        with self._lock:
            if len(self._waiting) < LONGEST:
                self._waiting.append((kind, part.step, part.measures.norms.tobytes()))
        if not self._thread.ident:
            self._thread.start()

    def whole(self, kind: str) -> list[Part]:
        """See Parts. Here nothing ever is."""
        return []

    def settle(self) -> None:
        """See Parts. There is nothing to wait for."""

    def due(self, kind: str, step: int, thinning: SamplingBudget) -> bool:
        """See Parts."""
        return not self._gone and step % self._periods[kind] == 0

    def elsewhere(self, parameters: Sequence[Tensor | None]) -> NDArray[np.bool_]:
        """See Parts."""
        return counted_elsewhere(parameters, self._rank)

    def close(self) -> None:
        """See Parts. Waits until all is sent, but not long."""
        self._ending.set()
        if self._thread.ident:
            self._thread.join(PATIENCE)

    def _work(self) -> None:
        try:
            while not self._ending.wait(self._interval):
                self._deliver(last=False)
                notice = self._post.notice()
                if notice is not None:
                    self._periods = msgspec.msgpack.decode(notice, type=dict[str, int])
            self._deliver(last=True)
        except Exception:
            self._gone = True

    def _deliver(self, *, last: bool) -> None:
        with self._lock:
            parts, self._waiting = self._waiting, []
        if parts or last:
            self._post.send(msgspec.msgpack.encode(Message(parts, last)))
