"""Train a run from its experiment to its last step (build, describe, pretrain, resume, train), or only preflight it."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec.structs import replace

from gradtui.experiment import Experiment
from gradtui.runs.control import ControlReader
from gradtui.runs.meta import LayerMeta, RunMeta, RunOrigin, TableMeta, write_meta
from gradtui.runs.writer import RunWriter
from gradtui.training.checkpoints.restoring import Forked, Resumed, fork, load_layers, resume
from gradtui.training.controls import Controls, Ending, StopRequest
from gradtui.training.distributed.process_group import ProcessGroup
from gradtui.training.failures import recording_problem
from gradtui.training.loop import Loop
from gradtui.training.pretraining import Pretraining
from gradtui.training.recorder import Recorder, tables_of
from gradtui.training.sampling import StepSampler
from gradtui.training.session import Session, build
from gradtui.training.shared_step import split_batches
from gradtui.training.step import Stepper, take_step

FRESH = RunOrigin()
"""The start of a run from fresh weights and step 0."""


def train(
    folder: Path,
    exp: Experiment,
    meta: RunMeta,
    stop: StopRequest,
    *,
    commands: ControlReader | None = None,
    start: RunOrigin = FRESH,
    shared: bool = False,
) -> Ending:
    """Train `exp` in `folder`, whose run.json is `meta` so far. Returns the status and reason of the end.

    Args:
        commands: reads the commands to obey from now on; given for a run that was trained before, which is resumed from
            its newest checkpoint.
        start: the origin of a run that has no checkpoint yet.
        shared: whether this process is rank 0 of several that an agent has started.

    Raises the errors of `session.build`, ExperimentError and CheckpointError.
    """
    group = ProcessGroup.join() if shared else None
    session = _build(folder, exp)
    if group is not None:
        split_batches(session, group)
    resumed = None if commands is None else resume(folder, session)
    forked = None
    if start.checkpoint and (resumed is None or resumed.path is None):
        # A fork that was killed before its first checkpoint begins at its parent's checkpoint again.
        forked = fork(session, folder / start.checkpoint)
    # Otherwise the garbage collector would repeatedly visit about 300,000 objects of the imports.
    gc.freeze()
    tables = tables_of(session)
    write_meta(folder, _described(meta, session, tables))
    recorder = Recorder(folder, session, tables, resume_at=session.step if resumed else None)
    try:
        if forked:
            _write_forked(recorder.writer, forked, start)
        elif resumed:
            _write_resumed(recorder.writer, resumed)
        later = resumed.later if resumed else ()
        controls = Controls(folder, session, recorder.writer, reader=commands, later=later)
        loop = Loop(session, recorder, controls, stop)
        if forked is None and (resumed is None or resumed.path is None):
            ending = _prepare(loop)
            if ending is not None:
                return ending
        ending = loop.run()
    finally:
        recorder.close()
        if group is not None:
            group.close()
    error = recorder.writer.error
    # The disk may have become full only at the last rows.
    return ending if error is None else ("failed", recording_problem(folder, error))


PREFLIGHT_STEP = 1
"""The step of the rows of a preflight. A row is measured before the weights change, so these rows are the same as those
of step 1 of the training, and every view of a run can show them."""


def preflight(folder: Path, exp: Experiment, meta: RunMeta) -> Ending:
    """Measure one batch forward and back at initialisation like a step, without taking the step.

    `folder` is a new run folder, whose run.json is `meta` so far. All tables of a run except `update_ratio` get one
    row. The weights are those with which the training would begin, including a start from a checkpoint but not
    layer-wise pretraining. Returns how it ended. Raises the errors of `session.build`.
    """
    session = _build(folder, exp)
    pretrain = exp.cures.pretrain
    if pretrain.kind == "checkpoint":
        load_layers(session.net, pretrain.path)
    tables = tables_of(session)
    write_meta(folder, _described(replace(meta, steps=PREFLIGHT_STEP), session, tables))
    recorder = Recorder(folder, session, tables)
    try:
        recorder.writer.event("phase", 0, phase="measuring", text="one batch forward and back")
        sampler = StepSampler(session, recorder.writer)
        take_step(Stepper(session), sampler, recorder.record, sample=True, move=False)
    finally:
        recorder.close()
    if recorder.writer.error is not None:
        raise recorder.writer.error
    return "finished", ""


def _prepare(loop: Loop) -> Ending | None:
    """Load layers from a file, or pretrain layer by layer. Returns how the run ended, or None if it continues."""
    session, writer = loop.session, loop.recorder.writer
    pretrain = session.exp.cures.pretrain
    if pretrain.kind == "none":
        return None
    if pretrain.kind == "checkpoint":
        path, loaded, fresh = load_layers(session.net, pretrain.path)
        frozen = [layer.name for layer in session.net.layers[: pretrain.freeze]]
        writer.event("loaded", 0, path=str(path), loaded=loaded, fresh=fresh, frozen=frozen)
        return None
    ending = Pretraining(session, writer, loop.controls, loop.stop).run()
    if ending is None:
        # A run that is killed before the first checkpoint of the training does not pretrain again.
        loop.checkpoints.request()
    return ending


def _write_resumed(writer: RunWriter, resumed: Resumed) -> None:
    for reason in resumed.unreadable:
        writer.event("checkpoint_unreadable", resumed.step, reason=reason)
    path = str(resumed.path.relative_to(writer.folder)) if resumed.path else ""
    writer.event("resumed_from", resumed.step, path=path)


def _write_forked(writer: RunWriter, forked: Forked, start: RunOrigin) -> None:
    run = start.parent.run if start.parent else ""
    writer.event(
        "forked_from",
        forked.step,
        run=run,
        path=start.checkpoint,
        optimizer="fresh" if forked.why else "kept",
        why=forked.why,
    )


def _build(folder: Path, exp: Experiment) -> Session:
    """Return a session at step 0, after an event in the run's folder that it is being built."""
    writer = RunWriter(folder, {})
    try:
        writer.event("phase", 0, phase="building", text="building the net and loading the data")
        writer.flush()
        return build(exp)
    finally:
        writer.close()


def _described(meta: RunMeta, session: Session, tables: dict[str, TableMeta]) -> RunMeta:
    """Return the contents of run.json once the net is built."""
    dataset, layers = session.dataset, session.net.layers
    about: dict[str, Any] = {
        "source": session.exp.data.source,
        "train": len(dataset.train_x),
        "test": len(dataset.test_x),
        "input": list(dataset.shape.input),
        "outputs": dataset.shape.outputs,
        "task": dataset.shape.task,
        "batch_size": session.batch_size,
        "chance_accuracy": dataset.chance_accuracy,
    }
    return replace(
        meta,
        layers=tuple(LayerMeta(layer.name, layer.kind, layer.count) for layer in layers),
        tables=tables,
        versions={**meta.versions, "torch": str(torch.__version__), "numpy": np.__version__},
        device=_device_name(session),
        chance_loss=dataset.chance_loss,
        parameters=sum(layer.count for layer in layers),
        data=about,
        plane=dataset.plane,
    )


def _device_name(session: Session) -> str:
    device = session.device
    name = f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
    return name if session.group is None else f"{name} × {session.group.size} processes"
