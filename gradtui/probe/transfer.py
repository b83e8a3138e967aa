"""Numbers on their way from the device to the host, without waiting for the device."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Transfer:
    """A queue of small tensors. They come out in the order in which they were sent, once they have arrived.

    On CUDA the copy goes into pinned memory beside the computation; when `depth` of them are under way,
    sending waits for the oldest, so the host never runs further ahead. Elsewhere everything has arrived at
    once.
    """

    def __init__(self, device: torch.device, depth: int = 8) -> None:
        self._cuda = device.type == "cuda"
        self._depth = depth
        self._queue: deque[tuple[Any, list[np.ndarray] | _Flight]] = deque()

    def send(self, tag: Any, tensors: list[Tensor]) -> None:
        """Send floating-point tensors off; `tag` comes back with them.

        They must not be changed afterwards.
        """
        if self._cuda:
            self._queue.append((tag, _Flight(tensors)))
        else:
            self._queue.append((tag, [tensor.detach().cpu().numpy() for tensor in tensors]))

    def receive(self, *, wait: bool = False) -> list[tuple[Any, list[np.ndarray]]]:
        """What has arrived, flattened where it came from CUDA. `wait`: everything that was sent."""
        arrived = []
        while self._queue:
            tag, load = self._queue[0]
            if isinstance(load, _Flight):
                if not (wait or len(self._queue) > self._depth or load.done()):
                    break
                load = load.land()
            arrived.append((tag, load))
            self._queue.popleft()
        return arrived


class _Flight:
    """One copy from CUDA under way: all tensors as one, in float64."""

    def __init__(self, tensors: list[Tensor]) -> None:
        packed = torch.cat([tensor.detach().reshape(-1).double() for tensor in tensors])
        self._sizes = [tensor.numel() for tensor in tensors]
        self._host = torch.empty(packed.shape, dtype=torch.float64, pin_memory=True)
        self._host.copy_(packed, non_blocking=True)
        self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._event.record()

    def done(self) -> bool:
        return bool(self._event.query())  # type: ignore[no-untyped-call]

    def land(self) -> list[np.ndarray]:
        self._event.synchronize()
        return [part.numpy() for part in torch.split(self._host, self._sizes)]
