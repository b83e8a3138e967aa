"""Start a session from a checkpoint: resume a run, fork another run, or load some layers of one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from gradtui.experiment import Experiment, from_dict
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.overrides import diff
from gradtui.nets import Net
from gradtui.ordinary_files import given_path
from gradtui.runs.control import LIVE
from gradtui.runs.events import Event, step_of
from gradtui.runs.reader import open_run
from gradtui.training import optimizers
from gradtui.training.checkpoints.files import CheckpointError, list_checkpoints, parse_header, remove_after
from gradtui.training.checkpoints.state import (
    MODEL,
    OPTIMIZER,
    fits,
    part_of,
    put_optimizer,
    restore,
    restore_net,
)
from gradtui.training.checkpoints.tensors import read_tensors
from gradtui.training.session import Session

MAY_DIFFER = (
    "name",
    "description",
    "run.steps",
    "run.device",
    "run.threads",
    "run.eval_every",
    "run.checkpoint_every",
)
"""Fields in which experiment.toml may differ from the checkpoint when a run is resumed. For those that can be changed
in mid-run, the checkpoint's value holds; any other makes another training, which should be a run of its own."""

Changes = list[tuple[int, dict[str, Any]]]
"""The changes during a run, each with the step after which it was made."""


@dataclass(frozen=True)
class Resumed:
    """A Resumed says at which step a run continues."""

    step: int
    path: Path | None
    """The checkpoint; None where there is none and the run starts again from step 0."""
    unreadable: tuple[str, ...]
    """The reasons why newer checkpoints could not be used."""
    later: Changes
    """The changes that were made in the steps that are now repeated, to be made again at those steps."""


def resume(folder: Path, session: Session) -> Resumed:
    """Restore a new session from the newest readable checkpoint of the run in `folder`.

    A checkpoint whose steps are all recorded is preferred to a newer one: after a power cut a checkpoint may be on
    disk without the rows that came before it. Raises CheckpointError where there are checkpoints and none can be used.
    """
    recorded = _last_recorded_step(folder)
    problems: list[CheckpointError] = []
    for step, path in sorted(list_checkpoints(folder), key=lambda one: (one[0] > recorded, -one[0])):
        try:
            tensors, texts = read_tensors(path)
            header = parse_header(path, texts)
        except CheckpointError as error:
            problems.append(error)
            continue
        _repeat_changes(session, path, from_dict(header["experiment"]))
        restore(session, path, tensors, header)
        remove_after(folder, step)
        return Resumed(step, path, tuple(map(str, problems)), later_changes(open_run(folder).events(), step))
    if problems:
        raise problems[0]
    return Resumed(0, None, (), later_changes(open_run(folder).events(), 0))


def _repeat_changes(session: Session, path: Path, then: Experiment) -> None:
    """Repeat the changes that were made during the run before the checkpoint. Raises CheckpointError for others."""
    changed = diff(session.exp, then)
    other = [field for field in changed if field not in (*LIVE, *MAY_DIFFER)]
    if other:
        raise CheckpointError(f"{path}: was trained with another {other[0]} than experiment.toml has now")
    live = {field: value for field, value in changed.items() if field in LIVE}
    if live:
        session.change(live)


def later_changes(events: Iterable[Event], step: int) -> Changes:
    """Return the changes after `step` in a run's events, including those before the last rollback.

    A change that a person makes replaces earlier changes at later steps; changes that the trainer only repeated are
    left out, because the originals are among the events.
    """
    changes: Changes = []
    for event in events:
        if event["event"] == "control" and event.get("wish") == "set" and not event.get("repeated"):
            at = step_of(event) or 0
            changes = [*(change for change in changes if change[0] <= at), (at, dict(event["set"]))]
    return [change for change in changes if change[0] >= step]


def _last_recorded_step(folder: Path) -> int:
    """Return the last step that is in both tables that have a row at every step."""
    last = []
    for name in ("scalars", "grad_norm"):
        table = open_run(folder).table_or_empty(name)
        rows = table.read(max(0, table.rows - 1))
        last.append(int(rows["step"][-1]) if len(rows) else 0)
    return min(last)


class Forked(NamedTuple):
    """A Forked says at which step a fork continues."""

    step: int
    why: str
    """The reason why the optimizer begins with an empty state; empty where it continues with the parent's."""


def fork(session: Session, path: Path) -> Forked:
    """Restore a new session from the parent's checkpoint: its weights, its optimizer's state, its batches and its step.

    The optimizer's state is taken only where kind and size are the same. Everything else comes from the session's own
    experiment. Batches of another size continue at the same place in the same order of examples. Raises
    CheckpointError.
    """
    tensors, texts = read_tensors(path)
    header = parse_header(path, texts)
    then = from_dict(header["experiment"])
    restore_net(session, path, tensors)
    why = _take_optimizer_state(session, then, part_of(tensors, OPTIMIZER))
    session.batches.restore(_batches_place(session, then, header["batches"]))
    if (then.run.precision, then.run.loss_scale) == (session.exp.run.precision, session.exp.run.loss_scale):
        session.scale.restore(header["loss_scale"])
    session.step = header["step"]
    return Forked(session.step, why)


def _take_optimizer_state(session: Session, then: Experiment, state: dict[str, Tensor]) -> str:
    """Take the parent's optimizer state. Returns the reason where that is impossible, else an empty text."""
    now = session.exp.optimizer
    if then.optimizer.kind != now.kind:
        return f"{now.kind} cannot continue with the state of {then.optimizer.kind}"
    if not fits(session, state):
        return "other layers are frozen, so the optimizer moves other weights"
    put_optimizer(session, state)
    # rmsprop without momentum keeps no buffer for it, and the parent may have had none.
    optimizers.set_momentum(session.optimizer, now.momentum)
    return ""


def _batches_place(session: Session, then: Experiment, batches: dict[str, int]) -> dict[str, int]:
    """Return the position of the parent's batches among the examples, in batches of the session's size."""
    size = min(then.data.batch_size, session.batches.count)
    taken = batches["taken"] * size // session.batches.size
    return {"epoch": batches["epoch"], "taken": min(taken, session.batches.per_epoch)}


class LoadedLayers(NamedTuple):
    """A LoadedLayers names the layers, in forward order, that were loaded from a file and those that were not."""

    path: Path
    loaded: list[str]
    fresh: list[str]


def load_layers(net: Net, text: str) -> LoadedLayers:
    """Load each layer that a file has under the same name and in the same shapes; the rest stay as they are.

    `text` is a safetensors file, or a run's folder, which means its newest checkpoint. A layer is loaded as a whole,
    with its norm, the norm's running statistics and its learned slope, or not at all. Raises ExperimentError, in one
    line that names the file, where it is missing or unreadable, or where no layer matches.
    """
    path = _file(given_path(text))
    try:
        tensors, _ = read_tensors(path)
    except CheckpointError as error:
        raise _path_error(text, str(error)) from None
    there = {name.removeprefix(MODEL): tensor for name, tensor in tensors.items()}
    own = net.state_dict()
    loaded: list[str] = []
    fresh: list[str] = []
    for layer, names in _tensor_names(net).items():
        matches = all(name in there and there[name].shape == own[name].shape for name in names)
        for name in names if matches else ():
            own[name].copy_(there[name])
        (loaded if matches else fresh).append(layer)
    if not loaded:
        raise _path_error(text, f"{path}: none of its tensors has the name and shape of a layer of this net")
    return LoadedLayers(path, loaded, fresh)


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    checkpoints = list_checkpoints(path)
    if not checkpoints:
        raise _path_error(str(path), f"{path}: contains no checkpoint")
    return checkpoints[0][1]


def _path_error(text: str, problem: str) -> ExperimentError:
    return ExperimentError("cures.pretrain.path", text, problem=problem)


def _tensor_names(net: Net) -> dict[str, list[str]]:
    """Return, for each layer, its parameters and the buffers of the modules that hold them, named as in the state
    dict."""
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
