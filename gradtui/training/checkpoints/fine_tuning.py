"""Starting from a checkpoint of another run, or any safetensors file with the same names."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from gradtui.experiment.errors import ExperimentError
from gradtui.nets import Net
from gradtui.training.checkpoints.files import listed
from gradtui.training.checkpoints.header import CheckpointError
from gradtui.training.checkpoints.state import MODEL
from gradtui.training.checkpoints.tensors import read


class Loaded(NamedTuple):
    """Names of layers, in forward order."""

    path: Path
    loaded: list[str]
    fresh: list[str]


def load_layers(net: Net, text: str) -> Loaded:
    """Load each layer that the file has under the same name and in the same shapes; the rest stay as they are.

    `text` is a file or a run's folder, whose newest checkpoint is meant. A layer is loaded whole or not at
    all: with its norm, what that has learned of its inputs, a learned slope. Raises ExperimentError, in one
    line that names the file, where it is missing or unreadable, or where no layer matches.
    """
    path = _file(Path(text).expanduser())
    try:
        tensors, _ = read(path)
    except CheckpointError as error:
        raise _error(text, str(error)) from None
    there = {name.removeprefix(MODEL): tensor for name, tensor in tensors.items()}
    own = net.state_dict()
    loaded: list[str] = []
    fresh: list[str] = []
    for layer, names in _names(net).items():
        fits = all(name in there and there[name].shape == own[name].shape for name in names)
        for name in names if fits else ():
            own[name].copy_(there[name])
        (loaded if fits else fresh).append(layer)
    if not loaded:
        raise _error(text, f"{path}: none of its tensors has the name and shape of a layer of this net")
    return Loaded(path, loaded, fresh)


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    checkpoints = listed(path)
    if not checkpoints:
        raise _error(str(path), f"{path}: no checkpoint in this folder")
    return checkpoints[0][1]


def _error(text: str, problem: str) -> ExperimentError:
    return ExperimentError("cures.pretrain.path", text, problem=problem)


def _names(net: Net) -> dict[str, list[str]]:
    """Of each layer, its parameters and the buffers of the modules that hold them, as the state dict says."""
    owners = {id(parameter): layer.name for layer in net.layers for parameter in layer.parameters}
    names: dict[str, list[str]] = {layer.name: [] for layer in net.layers}
    stored = set(net.state_dict())
    for place, module in net.named_modules():
        layers = []
        for name, parameter in module.named_parameters(place, recurse=False):
            layers.append(owners[id(parameter)])
            names[layers[-1]].append(name)
        buffers = [name for name, _ in module.named_buffers(place, recurse=False) if name in stored]
        if buffers:
            names[layers[0]] += buffers
    return names
