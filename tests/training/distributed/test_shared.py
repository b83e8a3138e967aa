"""Test real processes that train one run together against one process on the same batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gradtui import open_run
from gradtui.experiment import from_dict
from gradtui.runs.control import send
from gradtui.training.launch import create_run, start_trainer
from tests.support.shared_training import DENSE, trained

pytestmark = pytest.mark.long

CASES = {
    "of one size": (DENSE, 2),
    "of three sizes": ({**DENSE, "data": {"batch_size": 50}}, 3),
    "summed": ({**DENSE, "optimizer": {"lr": 0.001, "loss": "sum"}, "data": {"batch_size": 33}}, 2),
    "clipped, with penalties": (
        {
            **DENSE,
            "optimizer": {"kind": "adam", "lr": 0.003},
            "cures": {"clip_norm": 0.5, "l2": 1e-3, "l1": 1e-5},
        },
        2,
    ),
    "of sequences": (
        {
            "name": "copy",
            "data": {"source": "copy", "length": 8, "samples": 400, "batch_size": 31},
            "net": [{"block": "lstm", "width": 16}],
            "optimizer": {"lr": 0.1},
            "run": {"steps": 25, "device": "cpu"},
        },
        2,
    ),
    "of numbers": (
        {
            "name": "adding",
            "data": {"source": "adding", "length": 10, "samples": 300, "batch_size": 15},
            "net": [{"block": "rnn", "width": 12}],
            "optimizer": {"lr": 0.02},
            "run": {"steps": 25, "device": "cpu"},
        },
        2,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_norms_equal_those_of_one_process(tmp_path: Path, case: str) -> None:
    what, processes = CASES[case]
    alone, together = trained(tmp_path, what, 1), trained(tmp_path, what, processes)
    steps, norms = alone.layers("grad_norm")
    assert len(steps) >= 25
    np.testing.assert_array_equal(together.layers("grad_norm")[0], steps)
    np.testing.assert_allclose(together.layers("grad_norm")[1], norms, rtol=2e-5)
    for name in ("loss", "grad_norm", "grad_norm_clipped", "penalty", "lr"):
        np.testing.assert_allclose(together.scalars(name)[1], alone.scalars(name)[1], rtol=2e-5)
    np.testing.assert_allclose(together.scalars("accuracy")[1], alone.scalars("accuracy")[1], rtol=1e-6)
    evaluations = [
        [event["train_loss"] for event in run.events() if event["event"] == "evaluation"]
        for run in (alone, together)
    ]
    np.testing.assert_allclose(evaluations[1], evaluations[0], rtol=2e-5)
    assert together.meta is not None
    assert together.meta.device == f"cpu × {processes} processes"


def test_sampled_metrics_have_the_scale_of_the_whole_batch(tmp_path: Path) -> None:
    alone, together = trained(tmp_path, DENSE, 1), trained(tmp_path, DENSE, 2)
    for measure in ("output_grad_rms", "activation_std"):
        (first, whole), (_, part) = alone.layers(measure), together.layers(measure)
        assert first[0] == 1
        np.testing.assert_allclose(part[0], whole[0], rtol=0.3)


def test_diverged_distributed_run_is_replayed(tmp_path: Path) -> None:
    what = {
        "name": "breaks",
        "data": {"batch_size": 32},
        "net": [{"width": 32, "repeat": 8, "activation": "relu", "init": "he"}],
        "optimizer": {"lr": 0.003},
        "run": {"steps": 200, "device": "cpu"},
    }
    folder = create_run(from_dict(what), tmp_path)
    trainer = start_trainer(folder, 2)
    while open_run(folder).steps < 60:
        assert trainer.poll() is None
    send(folder, "set", set={"optimizer.lr": 1e6})
    trainer.wait(120)
    run = open_run(folder)
    assert run.status.state == "diverged"
    (broke, *_) = [event for event in run.events() if event["event"] == "broke"]
    assert broke["replayed"], broke["why"]
    assert broke["rewind"] < broke["step"]
    steps, _ = run.layers("nonfinite")
    assert set(range(broke["rewind"] + 1, broke["step"] + 1)) <= set(steps.tolist())
