"""Test how often a short run is sampled, and the tables of learned slopes and clipping."""

from __future__ import annotations

import numpy as np
import pytest

from gradtui.experiment import resolve, set_fields
from gradtui.runs.reader import open_run
from gradtui.training.launch import create_run, start_trainer


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """A small net with learned slopes, clipped so low that every step is."""
    changes = {
        "net.0.activation": "prelu",
        "net.0.init": "he",
        "net.0.repeat": 3,
        "run.steps": 100,
        "cures.clip_norm": 1e-3,
        "optimizer.kind": "sgd",
        "optimizer.lr": 1.0,
    }
    folder = create_run(set_fields(resolve("sigmoid-20"), changes), tmp_path_factory.mktemp("runs"))
    assert start_trainer(folder).wait(120) == 0
    return open_run(folder)


def test_short_run_has_enough_samples_for_a_chart(run) -> None:  # type: ignore[no-untyped-def]
    steps, ratios = run.layers("update_ratio")
    assert len(steps) >= 4
    assert steps[0] == 1
    assert steps[-1] == 100
    assert np.isfinite(ratios).all()


def test_learned_slopes_start_at_their_initial_value_and_move(run) -> None:  # type: ignore[no-untyped-def]
    _, slopes = run.layers("slope")
    assert slopes.shape[1] == 4
    assert np.isnan(slopes[:, 3]).all(), "the output layer has none"
    assert np.allclose(slopes[0, :3], 0.01, atol=1e-3)
    assert (slopes[-1, :3] != slopes[0, :3]).all()


def test_clipped_steps_are_marked(run) -> None:  # type: ignore[no-untyped-def]
    _, clipped = run.scalars("clipped")
    _, before = run.scalars("grad_norm")
    _, after = run.scalars("grad_norm_clipped")
    assert (clipped == (before > 1e-3 * (1 + 1e-6))).all()
    assert clipped.mean() > 0.9
    assert np.allclose(after[clipped == 1], 1e-3, rtol=1e-4)
