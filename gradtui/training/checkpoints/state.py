"""Copy and restore a session's state, and convert it to and from the contents of a checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gradtui.experiment import Experiment, to_dict
from gradtui.experiment.memory import states
from gradtui.training import optimizers
from gradtui.training.checkpoints.files import FORMAT, CheckpointError
from gradtui.training.checkpoints.tensors import Array
from gradtui.training.session import Session

MODEL = "model."
OPTIMIZER = "optimizer."
"""Prefixes of the names of tensors. Behind them: the net's own names (``dense1.weights1.weight``), and torch's names of
the optimizer's states, each one tensor over all weights that are trained."""


class TrainingState(NamedTuple):
    """A TrainingState is the whole state of a session between two steps, on the session's device."""

    step: int
    exp: Experiment
    weights: Tensor
    """All weights of the net, as in its flat buffer."""
    buffers: dict[str, Tensor]
    """The net's other tensors, which are the running statistics of norms."""
    optimizer: dict[str, Tensor]
    """The optimizer's state, by torch's names; empty before its first step."""
    batches: dict[str, int]
    scale: dict[str, float]


@dataclass(frozen=True)
class HostState:
    """A HostState is the contents of a checkpoint: a copy of a state in the host's memory."""

    step: int
    weights: Array
    """All weights of the net; the model's tensors are views of it."""
    tensors: dict[str, Array]
    text: str

    def is_finite(self) -> bool:
        """Return whether all weights are finite numbers."""
        return bool(np.isfinite(self.weights).all())


class SessionStates:
    """A SessionStates copies the state of one session and puts copies back."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._places: dict[str, tuple[slice, torch.Size]] = {}
        """The position of each parameter in the flat weights, and its shape."""
        self._buffers: dict[str, Tensor] = {}
        flat = session.flat.weights.untyped_storage().data_ptr()
        for name, tensor in session.net.state_dict().items():
            if tensor.untyped_storage().data_ptr() == flat:
                start = tensor.storage_offset()
                self._places[MODEL + name] = slice(start, start + prod(tensor.shape)), tensor.shape
            else:
                self._buffers[MODEL + name] = tensor

    def current(self) -> TrainingState:
        """Return the present state without copying it; the next step changes it."""
        session = self._session
        return TrainingState(
            session.step,
            session.exp,
            session.flat.weights,
            self._buffers,
            optimizer_state(session),
            session.batches.state(),
            session.scale.state(),
        )

    def copy(self, into: TrainingState | None = None) -> TrainingState:
        """Return a copy of the state. It uses the memory of `into`, a copy that is no longer needed."""
        state = self.current()
        if into is None or into.optimizer.keys() != state.optimizer.keys():
            return state._replace(
                weights=state.weights.clone(),
                buffers={name: buffer.clone() for name, buffer in state.buffers.items()},
                optimizer={name: tensor.clone() for name, tensor in state.optimizer.items()},
            )
        into.weights.copy_(state.weights)
        for here, there in ((into.buffers, state.buffers), (into.optimizer, state.optimizer)):
            if here:
                torch._foreach_copy_([here[name] for name in there], list(there.values()))
        return state._replace(weights=into.weights, buffers=into.buffers, optimizer=into.optimizer)

    def put_back(self, state: TrainingState) -> None:
        """Restore the session to the state of a copy; the copy does not change."""
        session, current = self._session, self.current()
        current.weights.copy_(state.weights)
        for name, buffer in current.buffers.items():
            buffer.copy_(state.buffers[name])
        self.put_back_experiment(state.exp)
        put_optimizer(session, {name: tensor.clone() for name, tensor in state.optimizer.items()})
        session.batches.restore(state.batches)
        session.scale.restore(state.scale)
        session.step = state.step

    def put_back_experiment(self, exp: Experiment) -> None:
        """Restore the experiment to the values before a viewer's changes."""
        self._session.exp = exp
        optimizers.set_momentum(self._session.optimizer, exp.optimizer.momentum)

    def copy_bytes(self) -> int:
        """Return the bytes of a copy, once the optimizer has all its state."""
        state = self.current()
        numbers = state.weights.numel() * (1 + states(state.exp.optimizer))
        buffers = sum(buffer.numel() * buffer.element_size() for buffer in state.buffers.values())
        return state.weights.element_size() * numbers + buffers

    def to_host(self, state: TrainingState | None = None) -> HostState:
        """Copy a state, by default the current one, to the host.

        The weights are copied as one block, so that the number of layers does not matter.
        """
        state = state or self.current()
        weights = _on_host(state.weights)
        tensors = {name: weights[place].reshape(shape) for name, (place, shape) in self._places.items()}
        tensors |= {name: _on_host(buffer) for name, buffer in state.buffers.items()}
        for key, value in state.optimizer.items():
            tensors[OPTIMIZER + key] = _on_host(value)
        header = {
            "format": FORMAT,
            "step": state.step,
            "experiment": to_dict(state.exp),
            "batches": state.batches,
            "loss_scale": state.scale,
        }
        return HostState(state.step, weights, tensors, json.dumps(header))


def _on_host(tensor: Tensor) -> Array:
    copy: Array = tensor.detach().to("cpu", copy=True).numpy()
    return copy


def optimizer_state(session: Session) -> dict[str, Tensor]:
    """Return the optimizer's state, by torch's names; empty before its first step."""
    (weights,) = session.optimizer.param_groups[0]["params"]
    return {key: value for key, value in session.optimizer.state[weights].items() if value is not None}


def restore(session: Session, path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Restore a new session from a checkpoint, on any device.

    Raises CheckpointError where the checkpoint is of another net or optimizer; the session must then be discarded.
    """
    restore_net(session, path, tensors)
    state = part_of(tensors, OPTIMIZER)
    if not fits(session, state):
        raise CheckpointError(f"{path}: holds the state of another optimizer than the experiment's")
    put_optimizer(session, state)
    session.batches.restore(header["batches"])
    session.scale.restore(header["loss_scale"])
    session.step = header["step"]


def restore_net(session: Session, path: Path, tensors: dict[str, Tensor]) -> None:
    """Copy weights and buffers from a checkpoint. Raises CheckpointError where it is of another net."""
    model, own = part_of(tensors, MODEL), session.net.state_dict()
    for name in {**own, **model}:
        if name not in own or name not in model or own[name].shape != model[name].shape:
            raise CheckpointError(f"{path}: holds another net than the experiment's (see {name})")
        own[name].copy_(model[name])


def part_of(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors of MODEL or OPTIMIZER, by their names without the prefix."""
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def fits(session: Session, state: dict[str, Tensor]) -> bool:
    """Return whether an optimizer's state has as many weights as the session's optimizer."""
    (weights,) = session.optimizer.param_groups[0]["params"]
    return all(tensor.shape in (weights.shape, ()) for tensor in state.values())


def put_optimizer(session: Session, state: dict[str, Tensor]) -> None:
    """Set the state of the session's optimizer; it is copied."""
    groups = session.optimizer.state_dict()["param_groups"]
    session.optimizer.load_state_dict({"state": {0: state} if state else {}, "param_groups": groups})
