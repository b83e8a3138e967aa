"""The processes of one training, and what passes between them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import torch
from torch import Tensor
from torch import distributed as dist

from gradtui.training.failures import TrainingFailed
from gradtui.training.session import Session

PATIENCE = timedelta(minutes=10)
"""How long a step may wait for a process that is there and does nothing. One that has gone is noticed at once: its
connections close, and torchrun ends the others."""
FOREVER = timedelta(days=3650)
"""Between two steps there may be an evaluation, or a pause over the summer."""

STEP, END = 1.0, 0.0


class Team:
    """This process among those that train together. Process 0 leads."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank = rank
        self.size = size
        # Always of the CPU: who waits for an order on a GPU would keep it from everybody else.
        self._orders = dist.new_group(backend="gloo", timeout=FOREVER)

    @classmethod
    def join(cls) -> Team:
        """Meet the others that torchrun has started; on a machine with GPUs each process takes its own.

        Raises TrainingFailed where they do not come together.
        """
        backend = "gloo"
        if torch.cuda.is_available():
            backend = "cpu:gloo,cuda:nccl"
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
        size = int(os.environ["WORLD_SIZE"])
        with _together(size):
            dist.init_process_group(backend, timeout=PATIENCE)
            return cls(dist.get_rank(), size)

    @property
    def leads(self) -> bool:
        """Whether this is process 0."""
        return self.rank == 0

    def take(self, session: Session) -> None:
        """From now on the session's steps are the team's. Raises TrainingFailed where the team is larger than its batch
        or this machine's GPUs allow."""
        if session.batch_size < self.size:
            raise TrainingFailed(f"{self.size} processes for a batch of {session.batch_size} examples")
        if session.device.type == "cuda" and torch.cuda.device_count() < self.size:
            raise TrainingFailed(
                f"{self.size} processes, and of CUDA devices this machine has {torch.cuda.device_count()}"
            )
        if session.device.type == "mps":
            raise TrainingFailed("mps cannot be shared by processes: --set run.device=cpu")
        session.team = self

    def announce(self, session: Session) -> None:
        """Of the leader: a step begins on the batch that comes next, with the weights as they are."""
        state = session.batches.state()
        order = [STEP, float(state["epoch"]), float(state["taken"]), session.scale.value]
        with _together(self.size):
            dist.broadcast(torch.tensor(order, dtype=torch.float64), 0, self._orders)
            dist.broadcast(session.flat.weights, 0)

    def listen(self, session: Session) -> bool:
        """Of a helper: wait for a step, and stand where the leader stands before it. False where there is none any
        more."""
        order = torch.zeros(4, dtype=torch.float64)
        with _together(self.size):
            dist.broadcast(order, 0, self._orders)
            kind, epoch, taken, session.scale.value = order.tolist()
            if kind == END:
                return False
            dist.broadcast(session.flat.weights, 0)
        place = {"epoch": int(epoch), "taken": int(taken)}
        # Else each step would shuffle the epoch anew.
        if session.batches.state() != place:
            session.batches.restore(place)
        return True

    def add_up(self, *parts: Tensor) -> None:
        """Make the leader's tensors the sum of everybody's, in place. What they hold elsewhere is of no use then."""
        with _together(self.size):
            for part in parts:
                dist.reduce(part, 0)

    def part_company(self) -> None:
        """Of the leader: let the helpers go. Never raises: who is gone needs no word."""
        with suppress(RuntimeError):
            if self.leads:
                dist.broadcast(torch.tensor([END, 0, 0, 1], dtype=torch.float64), 0, self._orders)
            dist.destroy_process_group()


@contextmanager
def _together(size: int) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise TrainingFailed(
            f"another of the {size} processes that train this run has ended; trainer.log says why"
        ) from error
