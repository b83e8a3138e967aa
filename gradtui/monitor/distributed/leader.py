"""Process 0: it adds up what all have measured."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gradtui.monitor.distributed.helper import LONGEST, PATIENCE, Message, interval_of
from gradtui.monitor.distributed.paces import FIRST, next_period
from gradtui.monitor.distributed.post import Post
from gradtui.monitor.distributed.processes import counted_elsewhere
from gradtui.monitor.parts import Part
from gradtui.probe.sampling_budget import SamplingBudget

SILENCE = 60.0
"""Seconds after which a process that has sent nothing at all is taken not to watch."""
QUICK = 0.005
"""Seconds between two looks for messages while somebody waits."""

Floats = NDArray[np.float64]


class NotTogether(RuntimeError):
    """The processes do not watch the same."""


class Leader:
    """Follows the protocol `Parts`. A norm of all is the root of the sum of the processes' squares."""

    shared = True
    writes = True

    def __init__(self, post: Post, size: int) -> None:
        self._post = post
        self._others = range(1, size)
        self._interval = interval_of(size)
        self._periods, self._posted = dict(FIRST), dict(FIRST)
        self._own: defaultdict[str, deque[Part]] = defaultdict(lambda: deque(maxlen=LONGEST))
        self._arrived: defaultdict[str, dict[int, dict[int, Floats]]] = defaultdict(dict)
        self._reached: dict[tuple[str, int], float] = {}
        self._done: defaultdict[str, int] = defaultdict(int)
        self._silent = set(self._others)
        self._begun: float | None = None
        self._whole: defaultdict[str, list[Part]] = defaultdict(list)
        self._error: Exception | None = None
        self._lock = threading.Lock()
        self._hurry, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="gradtui", daemon=True)

    def add(self, kind: str, part: Part) -> None:
        """See Parts."""
        with self._lock:
            self._own[kind].append(part)
        if self._begun is None:
            self._begun = time.monotonic()
            self._thread.start()

    def whole(self, kind: str) -> list[Part]:
        """See Parts. Raises NotTogether, and what the store did wrong."""
        if self._error is not None:
            raise self._error
        if not self._whole[kind]:
            return []
        with self._lock:
            return self._whole.pop(kind)

    def settle(self) -> None:
        """See Parts. What a process that has crashed did not send is given up soon."""
        end = time.monotonic() + PATIENCE
        self._hurry.set()
        while any(self._own.values()) and self._error is None and time.monotonic() < end:
            time.sleep(QUICK)

    def due(self, kind: str, step: int, thinning: SamplingBudget) -> bool:
        """See Parts."""
        self._periods[kind] = next_period(self._periods[kind], thinning, step - 1)
        return step % self._periods[kind] == 0

    def elsewhere(self, parameters: Sequence[Tensor | None]) -> NDArray[np.bool_]:
        """See Parts."""
        return counted_elsewhere(parameters, 0)

    def close(self) -> None:
        """See Parts."""
        self._ending.set()
        self._hurry.set()
        if self._thread.ident:
            self._thread.join(PATIENCE)

    def _work(self) -> None:
        try:
            while not self._ending.is_set():
                self._hurry.wait(self._interval)
                if self._hurry.is_set():
                    time.sleep(QUICK)
                self._turn()
        except Exception as error:
            self._error = error

    def _turn(self) -> None:
        for rank, message in self._post.receive():
            self._take(rank, msgspec.msgpack.decode(message, type=Message))
        with self._lock:
            for kind in self._own:
                self._match(kind)
        if self._periods != self._posted:
            self._posted = dict(self._periods)
            self._post.post_up(msgspec.msgpack.encode(self._posted))
        if self._silent and self._begun is not None and time.monotonic() - self._begun > SILENCE:
            raise NotTogether(
                f"of this sharded model process {min(self._silent)} has sent nothing: "
                "gradtui.watch has to be called in every process"
            )

    def _take(self, rank: int, message: Message) -> None:
        self._silent.discard(rank)
        for kind, step, norms in message.parts:
            self._arrived[kind].setdefault(step, {})[rank] = np.frombuffer(norms)
            self._reached[kind, rank] = step
        if message.last:
            self._reached.update({(kind, rank): np.inf for kind in FIRST})

    def _match(self, kind: str) -> None:
        """Move from what is our own to what is whole, in order; what lacks a part that will not come any more is
        given up."""
        own, arrived = self._own[kind], self._arrived[kind]
        while own:
            part = own[0]
            there = arrived.get(part.step, {})
            missing = [rank for rank in self._others if rank not in there]
            if any(self._reached.get((kind, rank), 0) <= part.step for rank in missing):
                break
            own.popleft()
            if not missing:
                self._whole[kind].append(_added(part, there))
            self._done[kind] = part.step
        # Steps that we have not measured, or that were given up.
        for step in [s for s in arrived if s <= self._done[kind]]:
            del arrived[step]
        while len(arrived) > LONGEST:
            del arrived[min(arrived)]


def _added(part: Part, others: dict[int, Floats]) -> Part:
    norms = part.measures.norms
    for rank, theirs in others.items():
        if len(theirs) != len(norms):
            raise NotTogether(f"process {rank} watches other layers than process 0")
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.sqrt(sum((np.square(theirs) for theirs in others.values()), np.square(norms)))
    return part._replace(measures=part.measures.with_norms(total))
