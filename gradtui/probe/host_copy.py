"""Copy measurements from the device to the host without waiting for the device."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

Tag = TypeVar("Tag")
Number = float | Tensor
Arrived = tuple[np.ndarray, list[float]]


class HostCopyQueue(Generic[Tag]):
    """A HostCopyQueue copies measurements, each an array and some numbers, to the host, first in, first out.

    On CUDA the copy goes into pinned memory while the device computes; when `depth` copies are pending, `receive` waits
    for the oldest, so the host never runs further ahead. Elsewhere measurements are returned together after `hold`
    seconds: handling each between two steps, with other data in the processor's caches, would take several times as
    long.
    """

    def __init__(self, device: torch.device, *, depth: int = 8, hold: float = 0.02) -> None:
        self._cuda = device.type == "cuda"
        self._depth = depth
        self._hold = hold
        self._queue: deque[tuple[Tag, _CudaCopy | _HostValues]] = deque()
        self._since = 0.0

    @property
    def waiting(self) -> bool:
        """Return whether some measurements were sent and not yet received."""
        return bool(self._queue)

    def send(self, tag: Tag, values: np.ndarray | Tensor, numbers: list[Number]) -> None:
        """Start the copy of an array and numbers; `tag` comes back with them. They must not be changed afterwards."""
        if not self._queue:
            self._since = time.monotonic()
        copy = _CudaCopy(values, numbers) if self._cuda else _HostValues(values, numbers)
        self._queue.append((tag, copy))

    def receive(self, *, wait: bool = False) -> list[tuple[Tag, Arrived]]:
        """Return the measurements that have arrived; with `wait`, all that were sent."""
        if not self._cuda and not wait and time.monotonic() - self._since < self._hold:
            return []
        arrived: list[tuple[Tag, Arrived]] = []
        while self._queue:
            tag, copy = self._queue[0]
            if not (wait or len(self._queue) > self._depth or copy.done()):
                break
            arrived.append((tag, copy.result()))
            self._queue.popleft()
        return arrived


class _HostValues:
    """A _HostValues holds numbers that are on the host, or are copied to it when `result` is called."""

    def __init__(self, values: np.ndarray | Tensor, numbers: list[Number]) -> None:
        self._values = values
        self._numbers = numbers

    def done(self) -> bool:
        return True

    def result(self) -> Arrived:
        values = self._values
        array = values if isinstance(values, np.ndarray) else values.cpu().numpy()
        return array, [float(number) for number in self._numbers]


class _CudaCopy:
    """A _CudaCopy is one pending copy from CUDA, of all numbers as one tensor in float64."""

    def __init__(self, values: np.ndarray | Tensor, numbers: list[Number]) -> None:
        parts = [torch.as_tensor(values), *(torch.as_tensor(n) for n in numbers)]
        on_device = [part.detach().reshape(-1).double() for part in parts if part.is_cuda]
        self._here = [None if part.is_cuda else part.reshape(-1).double() for part in parts]
        self._event: Any = None
        self._sizes: list[int] = []
        if not on_device:
            return
        packed = torch.cat(on_device)
        self._sizes = [part.numel() for part in on_device]
        self._host = torch.empty(packed.shape, dtype=torch.float64, pin_memory=True)
        self._host.copy_(packed, non_blocking=True)
        self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._event.record()

    def done(self) -> bool:
        return self._event is None or bool(self._event.query())

    def result(self) -> Arrived:
        if self._event is not None:
            self._event.synchronize()
        copied = iter(torch.split(self._host, self._sizes) if self._sizes else ())
        values, *numbers = (next(copied) if part is None else part for part in self._here)
        return values.numpy(), [number.item() for number in numbers]
