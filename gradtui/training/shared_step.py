"""Take a step in which each process computes its part of the batch."""

from __future__ import annotations

import torch
from torch import Tensor

from gradtui.data.task import IGNORED
from gradtui.training.distributed.process_group import ProcessGroup, StepOrder
from gradtui.training.failures import TrainingFailed
from gradtui.training.session import Session
from gradtui.training.step import Stepper
from gradtui.words import several


class SharedStepper(Stepper):
    """A SharedStepper takes the steps of a session whose batch is split over a process group.

    After `backward`, the gradients, loss and accuracy of rank 0 are those of the whole batch, up to rounding, and only
    rank 0 does the rest of the step. Samples within a step (activations, the gradients of outputs) are of rank 0's part
    of the batch.
    """

    def __init__(self, session: Session, group: ProcessGroup) -> None:
        super().__init__(session)
        self._group = group

    def forward(self) -> tuple[Tensor, Tensor]:
        """Return loss and accuracy of this process's part of the batch; their sums over all parts are the batch's."""
        session = self.session
        if self._group.is_main:
            place = session.batches.state()
            order = StepOrder(place["epoch"], place["taken"], session.scale.value)
            self._group.broadcast(order, session.flat.weights)
        loss, accuracy = super().forward()
        self._accuracy = accuracy * self._share
        return loss * self._weight, self._accuracy

    def backward(self, loss: Tensor) -> Tensor:
        """Put the gradient into the buffer as one process does; also completes, in place, the accuracy that `forward`
        returned."""
        numbers = torch.stack([super().backward(loss), self._accuracy])
        self._group.sum_on_main(self.session.flat.gradients, numbers)
        self._accuracy.copy_(numbers[1])
        return numbers[0]

    def _batch(self) -> tuple[Tensor, Tensor]:
        x, y, self._share = part_of(*super()._batch(), self._group.rank, self._group.size)
        # The factor of the part's loss, which is a mean, or the mean times the examples where losses are summed.
        self._weight = self._share if self.reduction == 1 else self._share * self.reduction / len(y)
        return x, y


def part_of(x: Tensor, y: Tensor, rank: int, size: int) -> tuple[Tensor, Tensor, float | Tensor]:
    """Return the examples of process `rank` of `size`, and their share in the mean over the whole batch.

    Parts differ by at most one example. For sequences, the mean is over the steps that count, so the share is computed
    from these; each part must have some.
    """
    my_x, my_y = x.tensor_split(size)[rank], y.tensor_split(size)[rank]
    if y.dim() == 2 and not y.is_floating_point():
        return my_x, my_y, (my_y != IGNORED).sum() / (y != IGNORED).sum()
    return my_x, my_y, len(my_y) / len(y)


def split_batches(session: Session, group: ProcessGroup) -> None:
    """Split the batches of a session over a group from now on.

    Raises TrainingFailed where the group is larger than a batch or than this machine's GPUs allow.
    """
    if session.batch_size < group.size:
        raise TrainingFailed(f"{group.size} processes for a batch of {session.batch_size} examples")
    if session.device.type == "cuda" and torch.cuda.device_count() < group.size:
        raise TrainingFailed(
            f"{group.size} processes, but this machine has only {several(torch.cuda.device_count(), 'CUDA device')}"
        )
    if session.device.type == "mps":
        raise TrainingFailed("several processes cannot share mps; use --set run.device=cpu")
    session.group = group


def stepper_of(session: Session) -> Stepper:
    """Return the stepper for a session, split over processes or not."""
    return Stepper(session) if session.group is None else SharedStepper(session, session.group)


def follow_main_rank(session: Session, group: ProcessGroup) -> None:
    """Take part in every step, on a rank other than 0, until there are no more. Raises TrainingFailed where rank 0 has
    ended."""
    stepper = SharedStepper(session, group)
    while (order := group.receive(session.flat.weights)) is not None:
        session.scale.value = order.scale
        place = {"epoch": order.epoch, "taken": order.taken}
        # Without this check, each step would shuffle the epoch again.
        if session.batches.state() != place:
            session.batches.restore(place)
        loss, _ = stepper.forward()
        stepper.backward(loss)
