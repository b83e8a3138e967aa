"""Exchange tensors and orders between the processes of one training."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch import distributed as dist

from gradtui.training.distributed import STORE_FILE, STORE_FOLDER_VARIABLE
from gradtui.training.failures import TrainingFailed

STEP_TIMEOUT = timedelta(minutes=10)
"""The time that a step waits for a process that hangs. A process that has ended is noticed at once, because its
connections close and the agent ends the others."""
ORDER_TIMEOUT = timedelta(days=3650)
"""The time that a rank waits for an order, since an evaluation or a pause of weeks may lie between two steps."""

_STEP, _END = 1.0, 0.0


class StepOrder(NamedTuple):
    """A StepOrder names the batch of the next step, and the factor of its loss."""

    epoch: int
    taken: int
    scale: float


class ProcessGroup:
    """A ProcessGroup is this process among those that train one run. Rank 0 gives the orders."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank = rank
        self.size = size
        # Orders use the CPU, because waiting for an order on a GPU would block its other work.
        self._orders = dist.new_group(backend="gloo", timeout=ORDER_TIMEOUT)

    @classmethod
    def join(cls) -> ProcessGroup:
        """Connect to the other processes that the agent has started; on a machine with GPUs, each process takes one.

        Raises TrainingFailed where they cannot connect.
        """
        backend = "gloo"
        if torch.cuda.is_available():
            backend = "cpu:gloo,cuda:nccl"
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
        size = int(os.environ["WORLD_SIZE"])
        with _failing_together(size):
            store = Path(os.environ[STORE_FOLDER_VARIABLE]) / STORE_FILE
            dist.init_process_group(
                backend,
                init_method=store.as_uri(),
                rank=int(os.environ["RANK"]),
                world_size=size,
                timeout=STEP_TIMEOUT,
            )
            return cls(dist.get_rank(), size)

    @property
    def is_main(self) -> bool:
        """Return whether this is rank 0."""
        return self.rank == 0

    def broadcast(self, order: StepOrder, weights: Tensor) -> None:
        """Send the order of a step and the weights, from rank 0 to all others."""
        with _failing_together(self.size):
            dist.broadcast(torch.tensor([_STEP, *order], dtype=torch.float64), 0, self._orders)
            dist.broadcast(weights, 0)

    def receive(self, weights: Tensor) -> StepOrder | None:
        """Wait for the order of a step, and receive the weights in place. Returns None after the last step."""
        numbers = torch.zeros(4, dtype=torch.float64)
        with _failing_together(self.size):
            dist.broadcast(numbers, 0, self._orders)
            kind, epoch, taken, scale = numbers.tolist()
            if kind == _END:
                return None
            dist.broadcast(weights, 0)
        return StepOrder(int(epoch), int(taken), scale)

    def sum_on_main(self, *tensors: Tensor) -> None:
        """Replace the tensors of rank 0 by the sums over all ranks. Those of the other ranks are undefined then."""
        with _failing_together(self.size):
            for tensor in tensors:
                dist.reduce(tensor, 0)

    def close(self) -> None:
        """Leave the group; on rank 0, tell the others before that there are no more steps. Never raises."""
        with suppress(RuntimeError):
            if self.is_main:
                dist.broadcast(torch.tensor([_END, 0, 0, 1], dtype=torch.float64), 0, self._orders)
            dist.destroy_process_group()


@contextmanager
def _failing_together(size: int) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise TrainingFailed(
            f"another of the {size} processes that train this run has ended; trainer.log says why"
        ) from error
