"""From a session to what its checkpoint holds, and back."""

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
from gradtui.training.checkpoints.header import FORMAT, CheckpointError
from gradtui.training.checkpoints.tensors import Array
from gradtui.training.session import Session

MODEL = "model."
OPTIMIZER = "optimizer."
"""What the names of tensors begin with. Behind it: the net's own names (``dense1.weights1.weight``), and what
torch calls the optimizer's states, each one tensor over all weights that are trained."""


class Standing(NamedTuple):
    """Where a session stands between two steps; all that a checkpoint holds, on the session's device."""

    step: int
    exp: Experiment
    weights: Tensor
    """All of the net's, as they lie in its flat buffer."""
    buffers: dict[str, Tensor]
    """What the net knows besides: what norms have learned of their inputs."""
    optimizer: dict[str, Tensor]
    """What the optimizer has gathered, by torch's names; nothing before its first step."""
    batches: dict[str, int]
    scale: dict[str, float]


@dataclass(frozen=True)
class Snapshot:
    """A copy of a session on the host, that nothing changes any more."""

    step: int
    weights: Array
    """All of the net's, in which the tensors of the model lie."""
    tensors: dict[str, Array]
    text: str


class SessionState:
    """Takes snapshots of one session. What must be looked up only once is."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._places: dict[str, tuple[slice, torch.Size]] = {}
        """Of each parameter, where in the flat weights it lies, and its shape."""
        self._buffers: dict[str, Tensor] = {}
        flat = session.flat.weights.untyped_storage().data_ptr()
        for name, tensor in session.net.state_dict().items():
            if tensor.untyped_storage().data_ptr() == flat:
                start = tensor.storage_offset()
                self._places[MODEL + name] = slice(start, start + prod(tensor.shape)), tensor.shape
            else:
                self._buffers[MODEL + name] = tensor

    def now(self) -> Standing:
        """As it stands: not a copy, so the next step changes it."""
        session = self._session
        return Standing(
            session.step,
            session.exp,
            session.flat.weights,
            self._buffers,
            optimizer_state(session),
            session.batches.state(),
            session.scale.state(),
        )

    def capture(self, standing: Standing | None = None) -> Snapshot:
        """Copy everything to the host: the weights as one block, so that a thousand layers cost what their bytes
        do. `standing`: of the session at an earlier step; by default as it is now."""
        standing = standing or self.now()
        weights = _copied(standing.weights)
        tensors = {name: weights[place].reshape(shape) for name, (place, shape) in self._places.items()}
        tensors |= {name: _copied(buffer) for name, buffer in standing.buffers.items()}
        for key, value in standing.optimizer.items():
            tensors[OPTIMIZER + key] = _copied(value)
        about = {
            "format": FORMAT,
            "step": standing.step,
            "experiment": to_dict(standing.exp),
            "batches": standing.batches,
            "loss_scale": standing.scale,
        }
        return Snapshot(standing.step, weights, tensors, json.dumps(about))


def optimizer_state(session: Session) -> dict[str, Tensor]:
    """What the optimizer has gathered so far, by torch's names; nothing before its first step."""
    (weights,) = session.optimizer.param_groups[0]["params"]
    return {key: value for key, value in session.optimizer.state[weights].items() if value is not None}


def restore(session: Session, path: Path, tensors: dict[str, Tensor], told: dict[str, Any]) -> None:
    """Put a session that was just built where it was when the checkpoint was taken, on any device.

    Raises CheckpointError where the checkpoint is of another net or optimizer; the session is then of no use.
    """
    restore_net(session, path, tensors)
    state = part_of(tensors, OPTIMIZER)
    if not fits(session, state):
        raise CheckpointError(f"{path}: holds the state of another optimizer than the experiment's")
    put_optimizer(session, state)
    session.batches.restore(told["batches"])
    session.scale.restore(told["loss_scale"])
    session.step = told["step"]


def restore_net(session: Session, path: Path, tensors: dict[str, Tensor]) -> None:
    """Weights and buffers, from a checkpoint. Raises CheckpointError where it is of another net."""
    model, own = part_of(tensors, MODEL), session.net.state_dict()
    for name in {**own, **model}:
        if name not in own or name not in model or own[name].shape != model[name].shape:
            raise CheckpointError(f"{path}: holds another net than the experiment's: see {name}")
        own[name].copy_(model[name])


def part_of(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors of MODEL or OPTIMIZER, by their names without it."""
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def fits(session: Session, state: dict[str, Tensor]) -> bool:
    """Whether an optimizer's state is of as many weights as the session's optimizer moves."""
    (weights,) = session.optimizer.param_groups[0]["params"]
    return all(tensor.shape in (weights.shape, ()) for tensor in state.values())


def put_optimizer(session: Session, state: dict[str, Tensor]) -> None:
    """What the session's optimizer has gathered, from here on; the state is copied."""
    groups = session.optimizer.state_dict()["param_groups"]
    session.optimizer.load_state_dict({"state": {0: state} if state else {}, "param_groups": groups})


def _copied(tensor: Tensor) -> Array:
    copy: Array = tensor.detach().to("cpu", copy=True).numpy()
    return copy


def is_finite(snapshot: Snapshot) -> bool:
    """Whether all weights are numbers."""
    return bool(np.isfinite(snapshot.weights).all())
