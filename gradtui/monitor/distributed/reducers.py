"""Add up the norms of a sharded model: each rank measures its shards, and rank 0 adds up the results of all ranks."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, Protocol, Self

import msgspec
import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from gradtui.absent import ABSENT, absent_in
from gradtui.monitor.distributed.mailbox import StoreMailbox
from gradtui.monitor.distributed.ranks import (
    CannotMeasure,
    check_keeps_gradients,
    counted_elsewhere,
    is_sharded,
    pipeline_stage,
    rank_and_size,
)
from gradtui.probe.sampling_budget import SamplingBudget

SEND_SECONDS = 0.05
"""The seconds between two messages of a rank, with up to RANKS_AT_FULL_RATE ranks; with more ranks they grow."""
RANKS_AT_FULL_RATE = 32
LONGEST_QUEUE = 512
"""The most steps that may wait to be sent or added up."""
CLOSE_SECONDS = 2.0
"""The longest time for which sending and receiving may delay the end of a process."""
SILENCE_SECONDS = 60.0
"""A rank that has sent nothing for this long is taken not to watch the model."""
HURRIED_POLL_SECONDS = 0.005
"""The seconds between two checks for messages at the end of the training."""
FIRST_PERIODS = {"steps": 1, "samples": 16}
"""The sampling periods until the costs are known."""
PERIOD_MARGIN = 1.25
"""A period is halved only if half of it would be enough by this factor, so that it does not swing."""

Kind = Literal["steps", "samples"]
Floats = NDArray[np.float64]

_session_numbers = itertools.count()
"""Counts the sharded models that are watched; all ranks get the same numbers."""


class Reducible(Protocol):
    """A Reducible holds the norms of this rank's parts, together with values that are the same on every rank."""

    @property
    def norms(self) -> Floats:
        """Return the L2 norms, (norms,)."""
        ...

    def with_norms(self, norms: Floats) -> Self:
        """Return a copy with other norms, in the order of `norms`."""
        ...


class RankPart(NamedTuple):
    """A RankPart holds the measurements of one rank at a step, or the sum of all ranks."""

    step: int
    moment: float
    measured: Any
    """A Reducible."""


class RankReducer(Protocol):
    """A RankReducer adds up the measurements of all ranks at the same steps."""

    def add(self, kind: Kind, part: RankPart) -> None:
        """Add what this rank has measured of a step."""
        ...

    def take_reduced(self, kind: Kind) -> list[RankPart]:
        """Return the steps of which the parts of all ranks have been added up since the last call, in order."""
        ...

    def settle(self) -> None:
        """Wait a short time for the parts that have not arrived yet."""
        ...

    def due(self, kind: Kind, step: int, budget: SamplingBudget) -> bool:
        """Return whether to measure that step, as all ranks do."""
        ...

    def counted_elsewhere(self, parameters: Sequence[Tensor | None]) -> NDArray[np.bool_]:
        """Return (parameters,) for which of them another rank counts."""
        ...

    def close(self) -> None:
        """End the exchange with the other ranks."""
        ...


class DifferentModels(RuntimeError):
    """A DifferentModels error says that the ranks do not watch the same model."""


def reducer_for(models: Iterable[nn.Module]) -> tuple[bool, RankReducer | None]:
    """Return whether this process measures anything, and the reducer of the norms of all ranks.

    The reducer is None if each process holds the whole model. Then only rank 0 measures, but each stage of a pipeline.

    Raises CannotMeasure and ValueError where sharded parameters cannot be measured.
    """
    models = list(models)
    check_keeps_gradients(models)
    rank, size = rank_and_size()
    stage = pipeline_stage(models)
    if size == 1 or not is_sharded(models):
        return rank == 0 or (stage is not None and stage.first_group), None
    if stage is not None:
        raise CannotMeasure("stages of a pipeline whose parameters are sharded are not supported")
    # Imported here, since a torch built without torch.distributed lacks it.
    from torch.distributed.distributed_c10d import _get_default_store

    mailbox = StoreMailbox(_get_default_store(), next(_session_numbers), rank, size)
    return True, RankSender(mailbox, rank, size) if rank else Rank0Reducer(mailbox, size)


def next_period(now: int, budget: SamplingBudget, steps: int) -> int:
    """Return the sampling period that keeps within a budget after `steps` steps.

    Ranks measure the steps that are divisible by a period that rank 0 announces, so they need not ask each other.
    A period is a power of two. While it changes, two ranks may use different periods; since the rank with the shorter
    one also measures every step of the other, there are only fewer rows for a moment, and none is wrong.
    """
    needed = budget.period(steps)
    if needed > now:
        return int(2 ** math.ceil(math.log2(needed)))
    return now // 2 if now > 1 and needed * PERIOD_MARGIN <= now / 2 else now


def _send_seconds(size: int) -> float:
    """Return the seconds between two messages; they depend on `size`, since the store serves the ranks one by one."""
    return SEND_SECONDS * max(1.0, size / RANKS_AT_FULL_RATE)


class _Message(msgspec.Struct, array_like=True):
    """A _Message holds the measurements of a rank since its last message."""

    parts: list[tuple[str, int, bytes]]
    """Kind, step, and norms in float64."""
    last: bool = False


class RankSender:
    """A RankSender is the reducer of every rank except 0: it sends this rank's measurements to rank 0.

    When the store no longer exists it stops without a warning, since rank 0 warns.
    """

    def __init__(self, mailbox: StoreMailbox, rank: int, size: int) -> None:
        self._mailbox = mailbox
        self._rank = rank
        self._send_seconds = _send_seconds(size)
        self._periods = dict(FIRST_PERIODS)
        self._waiting: list[tuple[str, int, bytes]] = []
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._disconnected = False
        self._thread = threading.Thread(target=self._work, name="gradtui", daemon=True)

    def add(self, kind: Kind, part: RankPart) -> None:
        """Queue this rank's measurements of a step for sending."""
        with self._lock:
            if len(self._waiting) < LONGEST_QUEUE:
                self._waiting.append((kind, part.step, part.measured.norms.tobytes()))
        if not self._thread.ident:
            self._thread.start()

    def take_reduced(self, kind: Kind) -> list[RankPart]:
        """Return nothing: the parts are added up on rank 0."""
        return []

    def settle(self) -> None:
        """Return at once: there is nothing to wait for."""

    def due(self, kind: Kind, step: int, budget: SamplingBudget) -> bool:
        """Return whether to measure that step, by the period that rank 0 has announced."""
        return not self._disconnected and step % self._periods[kind] == 0

    def counted_elsewhere(self, parameters: Sequence[Tensor | None]) -> NDArray[np.bool_]:
        """Return (parameters,) for which of them another rank counts."""
        return counted_elsewhere(parameters, self._rank)

    def close(self) -> None:
        """Send everything that is queued, within a short time."""
        self._ending.set()
        if self._thread.ident:
            self._thread.join(CLOSE_SECONDS)

    def _work(self) -> None:
        try:
            while not self._ending.wait(self._send_seconds):
                self._send(last=False)
                announcement = self._mailbox.announcement()
                if announcement is not None:
                    self._periods = msgspec.msgpack.decode(announcement, type=dict[str, int])
            self._send(last=True)
        except Exception:
            self._disconnected = True

    def _send(self, *, last: bool) -> None:
        with self._lock:
            parts, self._waiting = self._waiting, []
        if parts or last:
            self._mailbox.send(msgspec.msgpack.encode(_Message(parts, last)))


class Rank0Reducer:
    """A Rank0Reducer is the reducer of rank 0: the norm over all ranks is the root of the sum of their squares."""

    def __init__(self, mailbox: StoreMailbox, size: int) -> None:
        self._mailbox = mailbox
        self._others = range(1, size)
        self._receive_seconds = _send_seconds(size)
        self._periods, self._announced = dict(FIRST_PERIODS), dict(FIRST_PERIODS)
        self._own: defaultdict[str, deque[RankPart]] = defaultdict(lambda: deque(maxlen=LONGEST_QUEUE))
        self._arrived: defaultdict[str, dict[int, dict[int, Floats]]] = defaultdict(dict)
        """The parts that have arrived, by kind, step and rank."""
        self._last_sent: dict[tuple[str, int], float] = {}
        """The last step that has arrived, by kind and rank."""
        self._last_matched: defaultdict[str, int] = defaultdict(int)
        self._silent = set(self._others)
        self._begun: float | None = None
        self._reduced: defaultdict[str, list[RankPart]] = defaultdict(list)
        self._error: Exception | None = None
        self._lock = threading.Lock()
        self._hurry, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="gradtui", daemon=True)

    def add(self, kind: Kind, part: RankPart) -> None:
        """Add rank 0's measurements of a step."""
        with self._lock:
            self._own[kind].append(part)
        if self._begun is None:
            self._begun = time.monotonic()
            self._thread.start()

    def take_reduced(self, kind: Kind) -> list[RankPart]:
        """Return the steps that have been added up since the last call, in order.

        Raises DifferentModels, and the errors of the store.
        """
        if self._error is not None:
            raise self._error
        if not self._reduced[kind]:
            return []
        with self._lock:
            return self._reduced.pop(kind)

    def settle(self) -> None:
        """Wait for the parts that have not arrived yet, but not long for those of a rank that has crashed."""
        end = time.monotonic() + CLOSE_SECONDS
        self._hurry.set()
        while any(self._own.values()) and self._error is None and time.monotonic() < end:
            time.sleep(HURRIED_POLL_SECONDS)

    def due(self, kind: Kind, step: int, budget: SamplingBudget) -> bool:
        """Return whether to measure that step, and adapt the period that all ranks follow."""
        self._periods[kind] = next_period(self._periods[kind], budget, step - 1)
        return step % self._periods[kind] == 0

    def counted_elsewhere(self, parameters: Sequence[Tensor | None]) -> NDArray[np.bool_]:
        """Return (parameters,) for which of them another rank counts."""
        return counted_elsewhere(parameters, 0)

    def close(self) -> None:
        """Stop receiving."""
        self._ending.set()
        self._hurry.set()
        if self._thread.ident:
            self._thread.join(CLOSE_SECONDS)

    def _work(self) -> None:
        try:
            while not self._ending.is_set():
                self._hurry.wait(self._receive_seconds)
                if self._hurry.is_set():
                    time.sleep(HURRIED_POLL_SECONDS)
                self._exchange()
        except Exception as error:
            self._error = error

    def _exchange(self) -> None:
        for rank, message in self._mailbox.receive():
            self._take(rank, msgspec.msgpack.decode(message, type=_Message))
        with self._lock:
            for kind in self._own:
                self._match(kind)
        if self._periods != self._announced:
            self._announced = dict(self._periods)
            self._mailbox.announce(msgspec.msgpack.encode(self._announced))
        if self._silent and self._begun is not None and time.monotonic() - self._begun > SILENCE_SECONDS:
            raise DifferentModels(
                f"process {min(self._silent)} of this sharded model has sent nothing: gradtui.watch "
                "has to be called in every process"
            )

    def _take(self, rank: int, message: _Message) -> None:
        self._silent.discard(rank)
        for kind, step, norms in message.parts:
            self._arrived[kind].setdefault(step, {})[rank] = np.frombuffer(norms)
            self._last_sent[kind, rank] = step
        if message.last:
            self._last_sent.update({(kind, rank): np.inf for kind in FIRST_PERIODS})

    def _match(self, kind: str) -> None:
        """Add up the steps whose parts have all arrived, in order, and give up those that will stay incomplete."""
        own, arrived = self._own[kind], self._arrived[kind]
        while own:
            part = own[0]
            others = arrived.get(part.step, {})
            missing = [rank for rank in self._others if rank not in others]
            if any(self._last_sent.get((kind, rank), 0) <= part.step for rank in missing):
                break
            own.popleft()
            if not missing:
                self._reduced[kind].append(_added_up(part, others))
            self._last_matched[kind] = part.step
        # Drop the parts of steps that rank 0 has not measured, or that were given up.
        for step in [s for s in arrived if s <= self._last_matched[kind]]:
            del arrived[step]
        while len(arrived) > LONGEST_QUEUE:
            del arrived[min(arrived)]


def _added_up(part: RankPart, others: dict[int, Floats]) -> RankPart:
    norms = part.measured.norms
    for rank, theirs in others.items():
        if len(theirs) != len(norms):
            raise DifferentModels(f"process {rank} watches other layers than process 0")
    parts = np.stack([norms, *others.values()])
    absent = absent_in(parts)
    with np.errstate(over="ignore", invalid="ignore"):
        total: Floats = np.sqrt(np.square(np.where(absent, 0.0, parts)).sum(axis=0))
    # A rank may hold no part of a parameter that others hold.
    total[absent.all(axis=0)] = ABSENT
    return part._replace(measured=part.measured.with_norms(total))
