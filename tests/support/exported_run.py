"""Make a run with everything that an export can get wrong: NaN, infinity, missing steps, evaluations, histograms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from msgspec.structs import replace

from gradtui.experiment import Experiment, Group, to_dict
from gradtui.runs.histograms import LOWEST, POWERS, columns_of, to_row
from gradtui.runs.meta import LayerMeta, RunMeta, TableMeta, write_meta
from gradtui.runs.reader import Run, open_run
from gradtui.runs.writer import RunWriter

LAYERS = ("dense1", "dense2", "output")
PARAMETERS = 1000
BEGAN = 1_700_000_000.0


def made_run(folder: Path, steps: int = 60) -> Run:
    """Return a finished run of three layers; every seventh step is sampled, two are evaluated."""
    folder.mkdir(parents=True)
    tables = {
        "scalars": TableMeta(("loss", "accuracy", "lr"), "scalars"),
        "grad_norm": TableMeta(LAYERS),
        "update_ratio": TableMeta(LAYERS),
        "grad_histogram": TableMeta(columns_of(LAYERS), "histograms"),
    }
    meta = RunMeta.of_this_process(
        id=folder.name,
        name="made",
        experiment=to_dict(Experiment(name="made", net=(Group(width=8, repeat=2),))),
        layers=tuple(LayerMeta(name, "dense", PARAMETERS) for name in LAYERS),
        tables=tables,
        steps=steps,
    )
    write_meta(folder, replace(meta, started=BEGAN))
    rng = np.random.default_rng(0)
    writer = RunWriter(
        folder, {name: table.columns for name, table in tables.items()}, unlevelled=["grad_histogram"]
    )
    for step in range(1, steps + 1):
        time = BEGAN + 0.25 * step
        norms = 10.0 ** rng.uniform(-44, 38, 3)
        scalars = rng.random(3)
        if step == 5:
            norms[1], scalars[0] = np.nan, np.inf
        if step == 6:
            norms[0], scalars[0] = -np.inf, np.nan
        writer.append("scalars", step, scalars, time)
        writer.append("grad_norm", step, norms, time)
        if step % 7 == 0:
            writer.append("update_ratio", step, [np.nan, *rng.random(2)], time)
            counts = np.zeros((3, POWERS + 2), np.int64)
            counts[0, 0] = PARAMETERS
            counts[1, 1 - LOWEST - 3] = PARAMETERS
            counts[2, 1 - LOWEST - 10 : 1 - LOWEST] = PARAMETERS // 10
            writer.append("grad_histogram", step, to_row(counts), time)
        if step % 30 == 0:
            figures = {"train_loss": 0.5, "train_accuracy": 1.0, "test_loss": np.nan, "test_accuracy": 0.75}
            writer.event("evaluation", step, **figures)
    writer.event("end", steps, status="finished", reason="")
    writer.close()
    assert writer.error is None
    return open_run(folder)
