"""Test that runs without a trainer are read like all others."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gradtui.experiment import net_shape
from gradtui.runs.follower import Follower
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from tests.benchmarks.made_runs import CHUNK, SCALARS, deep, finished_run

STEPS, LAYERS = CHUNK + 5000, 6


def test_deep_makes_a_net_of_the_asked_depth() -> None:
    assert len(net_shape(deep(50, 1000)).layers) == 50


def test_a_finished_run_reads_as_one(tmp_path: Path) -> None:
    run = open_run(finished_run(tmp_path, layers=LAYERS, steps=STEPS))
    assert (run.status.state, run.status.step) == ("finished", STEPS)
    assert len(run.layer_names) == LAYERS
    assert run.experiment == deep(LAYERS, STEPS)
    steps, norms = run.layers("grad_norm")
    assert norms.shape == (STEPS, LAYERS)
    assert (np.diff(steps) == 1).all()
    assert np.isfinite(norms).all()
    assert norms[:, 0].mean() < norms[:, -1].mean() / 100
    _, loss = run.scalars("loss")
    assert loss[-100:].mean() < loss[:100].mean() / 2
    snapshot = Follower(run).poll()
    assert snapshot is not None
    assert snapshot.timeline.recorded == STEPS


def test_its_levels_are_those_that_a_writer_makes(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, layers=LAYERS, steps=STEPS)
    levels = {path: path.read_bytes() for path in folder.glob("*.*.f32")}
    assert len(levels) == 2 * 3
    for path in levels:
        path.unlink()
    RunWriter(folder, {"scalars": SCALARS, "grad_norm": open_run(folder).layer_names}).close()
    assert {path: path.read_bytes() for path in levels} == levels
