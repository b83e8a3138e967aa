"""Make and train small experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from msgspec.structs import replace

from gradtui.experiment import Experiment, from_dict, set_fields, to_dict
from gradtui.runs.folder import EXPERIMENT_FILE
from gradtui.runs.meta import RunMeta
from gradtui.runs.reader import Run, open_run
from gradtui.training.controls import StopRequest
from gradtui.training.loop import Ending
from gradtui.training.run import train
from gradtui.training.step import Stepper, StepResult

torch.set_num_threads(1)


def small(**changes: Any) -> Experiment:
    """Return spirals with two dense layers of 16; `changes` by dotted path with __ for the dot."""
    exp = from_dict(
        {
            "name": "small",
            "data": {"source": "spirals", "samples": 200, "batch_size": 16},
            "net": [{"width": 16, "repeat": 2, "activation": "tanh"}],
            "optimizer": {"lr": 0.1},
            "run": {"steps": 10, "eval_every": 0, "device": "cpu"},
        }
    )
    return set_fields(exp, {path.replace("__", "."): value for path, value in changes.items()})


def trained(folder: Path, exp: Experiment, stop: StopRequest | None = None) -> tuple[Run, Ending]:
    """Train in this process, as the trainer's process does, but for the event of the end."""
    from gradtui.experiment import dumps

    folder.mkdir(parents=True, exist_ok=True)
    (folder / EXPERIMENT_FILE).write_text(dumps(exp))
    meta = replace(
        RunMeta.of_this_process(id=folder.name, name=exp.name), experiment=to_dict(exp), steps=exp.run.steps
    )
    ending = train(folder, exp, meta, stop or StopRequest())
    return open_run(folder), ending


def plain_step(stepper: Stepper) -> StepResult:
    """Take a step without recording it."""
    loss, accuracy = stepper.forward()
    mean_loss = stepper.backward(loss)
    norms, penalty = stepper.measure()
    return stepper.move(mean_loss, accuracy, norms, penalty)
