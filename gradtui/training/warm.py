"""What a standby does before a run is known, so that the run's first step is as quick as its second."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from gradtui.experiment import Experiment, Run, to_dict
from gradtui.runs.meta import RunMeta
from gradtui.training.run import train
from gradtui.training.stopping import StopRequest


def warm_up() -> None:
    """Train a tiny net for two steps in a folder that is thrown away: nothing is imported or set up later."""
    exp = Experiment(name="warm-up", run=Run(steps=2, device="cpu"))
    with tempfile.TemporaryDirectory(prefix="gradtui-") as name:
        folder = Path(name)
        train(folder, exp, RunMeta.of_this_process(id="", name="", experiment=to_dict(exp)), StopRequest())
    torch.cuda.is_available()
