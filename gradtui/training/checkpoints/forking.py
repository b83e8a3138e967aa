"""Going on from another run's checkpoint under an experiment that was changed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from gradtui.experiment import Experiment, from_dict
from gradtui.training import optimizers
from gradtui.training.checkpoints.header import about
from gradtui.training.checkpoints.state import OPTIMIZER, fits, part_of, put_optimizer, restore_net
from gradtui.training.checkpoints.tensors import read
from gradtui.training.session import Session


class Forked(NamedTuple):
    """From where a fork goes on."""

    step: int
    why: str
    """Why the optimizer begins with nothing gathered; empty where it goes on with what the parent's had."""


def fork(session: Session, path: Path) -> Forked:
    """Put a session that was just built where the parent stood: its weights, its optimizer's state where it is of the
    same kind and size, the next of its batches, its step. All else is of the session's own experiment.

    Where the batches are of another size, they go on at the same place of the same order of examples. Raises
    CheckpointError.
    """
    tensors, texts = read(path)
    told = about(path, texts)
    then = from_dict(told["experiment"])
    restore_net(session, path, tensors)
    why = _take_state(session, then, part_of(tensors, OPTIMIZER))
    session.batches.restore(_place(session, then, told["batches"]))
    if (then.run.precision, then.run.loss_scale) == (session.exp.run.precision, session.exp.run.loss_scale):
        session.scale.restore(told["loss_scale"])
    session.step = told["step"]
    return Forked(session.step, why)


def _take_state(session: Session, then: Experiment, state: dict[str, Tensor]) -> str:
    now = session.exp.optimizer
    if then.optimizer.kind != now.kind:
        return f"{now.kind} cannot go on with what {then.optimizer.kind} has gathered"
    if not fits(session, state):
        return "other layers are frozen, so it moves other weights"
    put_optimizer(session, state)
    # Of rmsprop, whose parent may have had none.
    optimizers.set_momentum(session.optimizer, now.momentum)
    return ""


def _place(session: Session, then: Experiment, batches: dict[str, int]) -> dict[str, int]:
    """Where in the examples the parent's batches stood, in batches of the session's size."""
    size = min(then.data.batch_size, session.batches.count)
    taken = batches["taken"] * size // session.batches.size
    return {"epoch": batches["epoch"], "taken": min(taken, session.batches.per_epoch)}
