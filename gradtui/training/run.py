"""A run from its experiment to its last step: build, describe, pretrain or resume, train."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec.structs import replace

from gradtui.experiment import Experiment
from gradtui.runs.control import ControlReader
from gradtui.runs.meta import LayerMeta, RunMeta, TableMeta, write_meta
from gradtui.runs.start import Start
from gradtui.runs.writer import RunWriter
from gradtui.training.checkpoints.fine_tuning import load_layers
from gradtui.training.checkpoints.forking import Forked, fork
from gradtui.training.checkpoints.resuming import Resumed, resume
from gradtui.training.controls import Controls
from gradtui.training.distributed.team import Team
from gradtui.training.loop import Loop
from gradtui.training.pretraining.phase import Pretraining
from gradtui.training.recorder import Recorder, tables_of
from gradtui.training.session import Session, build
from gradtui.training.stopping import Ending, StopRequest

FRESH = Start()
"""A run of its own, from fresh weights and step 0."""


def train(
    folder: Path,
    exp: Experiment,
    meta: RunMeta,
    stop: StopRequest,
    *,
    wishes: ControlReader | None = None,
    start: Start = FRESH,
    shared: bool = False,
) -> Ending:
    """Train `exp` in `folder`, whose run.json says `meta` so far. Returns the status and reason of the end.

    `wishes`: of a run that was trained before, the wishes to hear from now on; it is resumed from its newest
    checkpoint. `start`: where a run begins that has none. `shared`: this process leads others that
    torchrun has started. Raises what building raises, ExperimentError and
    CheckpointError.
    """
    team = Team.join() if shared else None
    session = built(folder, exp)
    if team is not None:
        team.take(session)
    resumed = None if wishes is None else resume(folder, session)
    forked = None
    if start.checkpoint and (resumed is None or resumed.path is None):
        # Also a fork that was killed before its first checkpoint begins where its parent stood.
        forked = fork(session, folder / start.checkpoint)
    # Some 300,000 objects of the imports would else be looked through again and again in mid-training.
    gc.freeze()
    tables = tables_of(session)
    write_meta(folder, described(meta, session, tables))
    recorder = Recorder(folder, session, tables, resume_at=session.step if resumed else None)
    try:
        if forked:
            _say_whose(recorder.writer, forked, start)
        elif resumed:
            _say_from_where(recorder.writer, resumed)
        later = resumed.later if resumed else ()
        controls = Controls(folder, session, recorder.writer, reader=wishes, later=later)
        loop = Loop(session, recorder, controls, stop)
        if forked is None and (resumed is None or resumed.path is None):
            ending = _prepare(loop)
            if ending is not None:
                return ending
        return loop.run()
    finally:
        recorder.close()
        if team is not None:
            team.part_company()


def _prepare(loop: Loop) -> Ending | None:
    """What comes before the first step: layers from a file, or layer-wise pretraining."""
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
        # Who is killed before the first checkpoint of the training shall not pretrain anew.
        loop.checkpoints.ask()
    return ending


def _say_from_where(writer: RunWriter, resumed: Resumed) -> None:
    for reason in resumed.unreadable:
        writer.event("checkpoint_unreadable", resumed.step, reason=reason)
    path = str(resumed.path.relative_to(writer.folder)) if resumed.path else ""
    writer.event("resumed_from", resumed.step, path=path)


def _say_whose(writer: RunWriter, forked: Forked, start: Start) -> None:
    run = start.parent.run if start.parent else ""
    writer.event(
        "forked_from",
        forked.step,
        run=run,
        path=start.checkpoint,
        optimizer="fresh" if forked.why else "kept",
        why=forked.why,
    )


def built(folder: Path, exp: Experiment) -> Session:
    """A session at step 0, and in the run's folder that it is being built."""
    writer = RunWriter(folder, {})
    try:
        writer.event("phase", 0, phase="building", text="building the net and loading the data")
        writer.flush()
        return build(exp)
    finally:
        writer.close()


def described(meta: RunMeta, session: Session, tables: dict[str, TableMeta]) -> RunMeta:
    """What run.json says once the net is there."""
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
    )


def _device_name(session: Session) -> str:
    device = session.device
    name = f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
    return name if session.team is None else f"{name} × {session.team.size} processes"
