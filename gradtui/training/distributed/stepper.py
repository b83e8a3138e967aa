"""A step of which each process takes its part."""

from __future__ import annotations

import torch
from torch import Tensor

from gradtui.training.distributed.parts import part_of
from gradtui.training.distributed.team import Team
from gradtui.training.session import Session
from gradtui.training.step import Stepper


class SharedStepper(Stepper):
    """Takes the steps of a session whose batch is split over a team. Once `backward` is through, the leader's
    gradients, loss and accuracy are those of the whole batch, to rounding: the leader alone does what follows.

    What is looked at inside a step (activations, the gradients of outputs) is of the leader's part of the batch.
    """

    def __init__(self, session: Session, team: Team) -> None:
        super().__init__(session)
        self._team = team

    def forward(self) -> tuple[Tensor, Tensor]:
        """As of one process, but of this one's part: the sum over all parts is the batch's."""
        if self._team.leads:
            self._team.announce(self.session)
        loss, accuracy = super().forward()
        self._accuracy = accuracy * self._share
        return loss * self._weight, self._accuracy

    def backward(self, loss: Tensor) -> Tensor:
        """As of one process; also completes the accuracy that `forward` returned, in place."""
        numbers = torch.stack([super().backward(loss), self._accuracy])
        self._team.add_up(self.session.flat.gradients, numbers)
        self._accuracy.copy_(numbers[1])
        return numbers[0]

    def _batch(self) -> tuple[Tensor, Tensor]:
        x, y, self._share = part_of(*super()._batch(), self._team.rank, self._team.size)
        # What the part's loss is multiplied by: its mean, or where losses are summed its mean times its examples.
        self._weight = self._share if self.reduction == 1 else self._share * self.reduction / len(y)
        return x, y


def stepper_of(session: Session) -> Stepper:
    """What takes a session's steps."""
    return Stepper(session) if session.team is None else SharedStepper(session, session.team)


def help_along(session: Session, team: Team) -> None:
    """Of a helper: take part in every step, until the leader has no more. Raises TrainingFailed where the leader is
    gone."""
    stepper = SharedStepper(session, team)
    while team.listen(session):
        loss, _ = stepper.forward()
        stepper.backward(loss)
