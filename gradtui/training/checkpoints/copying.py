"""Copies of a session in its own memory, and back: quicker than a checkpoint, and on the device."""

from __future__ import annotations

import torch
from torch import Tensor

from gradtui.experiment.memory import states
from gradtui.training import optimizers
from gradtui.training.checkpoints.state import SessionState, Standing, put_optimizer
from gradtui.training.session import Session


def copied(standing: Standing, into: Standing | None = None) -> Standing:
    """A copy that no step changes; `into` one that is of no more use, in whose memory it then lies."""
    if into is None or into.optimizer.keys() != standing.optimizer.keys():
        return standing._replace(
            weights=standing.weights.clone(),
            buffers={name: buffer.clone() for name, buffer in standing.buffers.items()},
            optimizer={name: state.clone() for name, state in standing.optimizer.items()},
        )
    into.weights.copy_(standing.weights)
    for here, there in ((into.buffers, standing.buffers), (into.optimizer, standing.optimizer)):
        if here:
            torch._foreach_copy_([here[name] for name in there], list(there.values()))
    return standing._replace(weights=into.weights, buffers=into.buffers, optimizer=into.optimizer)


def put_back(session: Session, state: SessionState, standing: Standing) -> None:
    """Put a session where it stood when that copy of it was made; the copy stays as it is."""
    here = state.now()
    here.weights.copy_(standing.weights)
    for name, buffer in here.buffers.items():
        buffer.copy_(standing.buffers[name])
    use(session, standing)
    put_optimizer(session, {name: tensor.clone() for name, tensor in standing.optimizer.items()})
    session.batches.restore(standing.batches)
    session.scale.restore(standing.scale)
    session.step = standing.step


def use(session: Session, standing: Standing) -> None:
    """Take the experiment as it was then: what a viewer changed in mid-run is changed back."""
    session.exp = standing.exp
    optimizers.set_momentum(session.optimizer, standing.exp.optimizer.momentum)


def bytes_of(session: Session, state: SessionState) -> int:
    """What a copy takes, once the optimizer has gathered all that it will."""
    here = state.now()
    gathered = here.weights.numel() * (1 + states(session.exp.optimizer))
    return here.weights.element_size() * gathered + sum(map(_bytes, here.buffers.values()))


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
