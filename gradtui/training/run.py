"""A run from its experiment to its last step: build, describe, train."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec.structs import replace

from gradtui.experiment import Experiment
from gradtui.runs.meta import LayerMeta, RunMeta, TableMeta, write_meta
from gradtui.runs.writer import RunWriter
from gradtui.training.controls import Controls
from gradtui.training.failures import TrainingFailed
from gradtui.training.loop import Ending, Loop
from gradtui.training.recorder import Recorder, tables_of
from gradtui.training.session import Session, build
from gradtui.training.stopping import StopRequest


def train(folder: Path, exp: Experiment, meta: RunMeta, stop: StopRequest) -> Ending:
    """Train `exp` in `folder`, whose run.json says `meta` so far. Returns the status and reason of the end.

    Raises what building raises.
    """
    session = _build(folder, exp)
    # Some 300,000 objects of the imports would else be looked through again and again in mid-training.
    gc.freeze()
    tables = tables_of(session)
    write_meta(folder, _described(meta, session, tables))
    recorder = Recorder(folder, session, tables)
    try:
        return Loop(session, recorder, Controls(folder, session, recorder.writer), stop).run()
    finally:
        recorder.close()


def _build(folder: Path, exp: Experiment) -> Session:
    writer = RunWriter(folder, {})
    try:
        writer.event("phase", 0, phase="building", text="building the net and loading the data")
        writer.flush()
        if exp.cures.pretrain.kind != "none":
            raise TrainingFailed(f"cures.pretrain.kind: {exp.cures.pretrain.kind} is not built yet")
        return build(exp)
    finally:
        writer.close()


def _described(meta: RunMeta, session: Session, tables: dict[str, TableMeta]) -> RunMeta:
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
        device=_device_name(session.device),
        chance_loss=dataset.chance_loss,
        parameters=sum(layer.count for layer in layers),
        data=about,
    )


def _device_name(device: torch.device) -> str:
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
