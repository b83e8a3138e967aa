"""Train an experiment by several processes, and read its run."""

from __future__ import annotations

from pathlib import Path

from gradtui import open_run
from gradtui.experiment import from_dict
from gradtui.runs.reader import Run
from gradtui.training.launch import create_run, start_trainer

DENSE = {
    "name": "dense",
    "data": {"batch_size": 64},
    "net": [{"width": 24, "repeat": 6, "activation": "tanh", "norm": "layer"}],
    "optimizer": {"lr": 0.05, "momentum": 0.9},
    "run": {"steps": 30, "device": "cpu", "eval_every": 10},
}


def trained(root: Path, what: dict[str, object], processes: int) -> Run:
    folder = create_run(from_dict(what), root)
    code = start_trainer(folder, processes).wait(120)
    run = open_run(folder)
    assert (code, run.status.state) == (0, "finished"), "\n".join(run.log_tail())
    return run
