"""Write run folders without a trainer, which the screens cannot distinguish from a trainer's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gradtui.experiment import Experiment, net_shape, resolve, to_dict
from gradtui.runs.folder import new_folder, runs_root
from gradtui.runs.meta import LayerMeta, Parent, RunMeta, TableMeta, write_meta
from gradtui.runs.writer import RunWriter

SCALARS = ("loss", "accuracy", "lr", "grad_norm", "grad_norm_clipped")

MakeRun = Callable[..., Path]


@pytest.fixture
def make_run() -> MakeRun:
    """Write a run of an experiment: gradients fall by `decades` from output to input."""

    def make(
        experiment: Experiment | None = None,
        *,
        steps: int = 60,
        decades: float = 12.0,
        end: str | None = "finished",
        nan_from: int | None = None,
        pid: int | None = None,
        parent: Parent | None = None,
        scalars: tuple[str, ...] = SCALARS,
    ) -> Path:
        experiment = experiment or resolve("sigmoid-20")
        folder = new_folder(runs_root(), experiment.name)
        layers = tuple(LayerMeta(s.name, s.kind, s.parameters) for s in net_shape(experiment).layers)
        names = tuple(layer.name for layer in layers)
        meta = RunMeta.of_this_process(
            id=folder.name,
            name=experiment.name,
            experiment=to_dict(experiment),
            layers=layers,
            tables={"scalars": TableMeta(scalars, "scalars"), "grad_norm": TableMeta(names, "layers")},
            steps=experiment.run.steps,
            parent=parent,
            **({} if pid is None else {"pid": pid, "pid_started": 1}),
        )
        write_meta(folder, meta)
        writer = RunWriter(folder, {"scalars": scalars, "grad_norm": names})
        writer.event("phase", phase="training")
        profile = 10.0 ** np.linspace(-decades, 0, len(names))
        for step in range(1, steps + 1):
            norms = profile * (1 + 0.1 * np.sin(step))
            if nan_from is not None and step >= nan_from:
                norms = np.full(len(names), np.nan)
            # A made-up clock, so that rates in pictures never change.
            when = meta.started + step * 0.01
            row = dict(zip(SCALARS, (2.3 - step * 0.001, 0.1, 0.001, 1.0, 1.0), strict=True))
            writer.append("scalars", step, np.array([row[name] for name in scalars]), time=when)
            writer.append("grad_norm", step, norms, time=when)
        if end is not None:
            writer.event("end", step=steps, status=end, reason="")
        writer.close()
        return folder

    return make
