"""From a session to what its checkpoint holds, and back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradtui.experiment import to_dict
from gradtui.training.checkpoints.tensors import Array, CheckpointError
from gradtui.training.session import Session

MODEL = "model."
OPTIMIZER = "optimizer."
"""What the names of tensors begin with. Behind it: the net's own names (``dense1.weights1.weight``), and what
torch calls the optimizer's states, each one tensor over all weights that are trained."""
TEXT = "gradtui"
"""The key of the one text: JSON with format, step, experiment (as it was then, changes in mid-run included),
and the state of the batches and of fp16's loss scale. There is no state of random numbers beside: the batches
follow from the seed and two numbers, and nothing else in a step is random."""
FORMAT = 1


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

    def capture(self) -> Snapshot:
        """Copy everything: the weights as one block, so that a thousand layers cost what their bytes do."""
        session = self._session
        weights = _copied(session.flat.weights)
        tensors = {name: weights[place].reshape(shape) for name, (place, shape) in self._places.items()}
        tensors |= {name: _copied(buffer) for name, buffer in self._buffers.items()}
        for key, value in optimizer_state(session).items():
            tensors[OPTIMIZER + key] = _copied(value)
        about = {
            "format": FORMAT,
            "step": session.step,
            "experiment": to_dict(session.exp),
            "batches": session.batches.state(),
            "loss_scale": session.scale.state(),
        }
        return Snapshot(session.step, weights, tensors, json.dumps(about))


def optimizer_state(session: Session) -> dict[str, Tensor]:
    """What the optimizer has gathered so far, by torch's names; nothing before its first step."""
    (weights,) = session.optimizer.param_groups[0]["params"]
    return {key: value for key, value in session.optimizer.state[weights].items() if value is not None}


def about(path: Path, texts: dict[str, str]) -> dict[str, Any]:
    """What a checkpoint of a training says of itself. Raises CheckpointError."""
    try:
        told = json.loads(texts[TEXT])
        if told["format"] != FORMAT:
            raise CheckpointError(f"{path}: format {told['format']}, and this gradtui reads format {FORMAT}")
    except (KeyError, ValueError, TypeError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: not a checkpoint that gradtui wrote") from None
    return dict(told)


def restore(session: Session, path: Path, tensors: dict[str, Tensor], told: dict[str, Any]) -> None:
    """Put a session that was just built where it was when the checkpoint was taken, on any device.

    Raises CheckpointError where the checkpoint is of another net or optimizer; the session is then of no use.
    """
    model = {name[len(MODEL) :]: tensor for name, tensor in tensors.items() if name.startswith(MODEL)}
    own = session.net.state_dict()
    for name in {**own, **model}:
        if name not in own or name not in model or own[name].shape != model[name].shape:
            raise CheckpointError(f"{path}: holds another net than the experiment's: see {name}")
        own[name].copy_(model[name])
    state = {name[len(OPTIMIZER) :]: tensor for name, tensor in tensors.items() if name.startswith(OPTIMIZER)}
    optimizer = session.optimizer
    (weights,) = optimizer.param_groups[0]["params"]
    if any(tensor.shape not in (weights.shape, ()) for tensor in state.values()):
        raise CheckpointError(f"{path}: holds the state of another optimizer than the experiment's")
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": {0: state} if state else {}, "param_groups": groups})
    session.batches.restore(told["batches"])
    session.scale.restore(told["loss_scale"])
    session.step = told["step"]


def _copied(tensor: Tensor) -> Array:
    copy: Array = tensor.detach().to("cpu", copy=True).numpy()
    return copy


def is_finite(snapshot: Snapshot) -> bool:
    """Whether all weights are numbers."""
    return bool(np.isfinite(snapshot.weights).all())
