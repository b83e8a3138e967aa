"""A run folder that was written by gradtui 0.1.0 before its source was reordered reads as it did then.

The expected numbers were read by that version. The folder lacks only its checkpoint, which is large.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from gradtui import open_run
from gradtui.cli import main
from gradtui.experiment import set_fields
from gradtui.runs.follower import Follower
from gradtui.runs.library import list_runs
from gradtui.runs.reader import Run
from gradtui.runs.status import RunStatus
from gradtui.runs.table import recent_rows

OLD = Path(__file__).parent / "fixtures" / "20261128-195322-sigmoid-20"
FINISHED = RunStatus("finished", "evaluating", 60)
LAYERS = [*(f"dense{number}" for number in range(1, 21)), "output"]
LAST_NORMS = [
    2.1150404561423586e-13, 3.820515410112024e-13, 1.3021759235135044e-12, 4.713022073304929e-12,
    2.444663915746048e-11, 9.742898848807968e-11, 5.165661232098273e-10, 1.8714754190796157e-09,
    7.531043344499722e-09, 3.38277779121654e-08, 1.341129802767682e-07, 6.380131480909768e-07,
    2.4854784896888305e-06, 1.1091537999163847e-05, 3.9187420043163e-05, 0.00015997374430298805,
    0.0007310084183700383, 0.003396655898541212, 0.014148753136396408, 0.0697748214006424,
    0.45353856682777405,
]  # fmt: skip
LAST_OF_FIRST_LAYER = {
    "grad_norm": 2.1150404561423586e-13,
    "output_grad_rms": 2.516465800167766e-16,
    "activation_mean": 0.5183561444282532,
    "activation_std": 0.20690780878067017,
    "dead_fraction": 0.0,
    "saturated_fraction": 0.0,
    "nonfinite": 0.0,
    "update_ratio": 1.1993427362355646e-09,
    "weight_norm": 7.946453094482422,
}
PROFILE = (
    -12.674681321096813, -12.417878044243203, -11.885330338770947, -10.61178083779578, -10.01131180629064,
    -9.286874078583635, -8.123144852833807, -7.4707265293234615, -6.872529186430572, -5.604589991064459,
    -4.955008228581417, -4.406853327945745, -3.1360776216322868, -2.46894844751742, -1.8492818307999188,
    -0.343385776634046,
)  # fmt: skip


@pytest.fixture
def old(tmp_path: Path) -> Run:
    """A copy of the old run, alone in a folder of runs."""
    return open_run(shutil.copytree(OLD, tmp_path / "runs" / OLD.name))


def test_numbers_of_an_old_run_are_read(old: Run) -> None:
    assert (old.name, old.status, old.steps, old.layer_names) == ("sigmoid-20", FINISHED, 60, LAYERS)
    assert old.scalar_names == [
        "loss", "accuracy", "lr", "grad_norm", "grad_norm_clipped", "clipped", "penalty",
    ]  # fmt: skip
    steps, loss = old.scalars("loss")
    assert steps.tolist() == list(range(1, 61))
    assert (loss[0], loss[-1]) == (np.float32(2.3282504), np.float32(2.3068671))
    steps, norms = old.layers("grad_norm")
    assert norms.shape == (60, 21)
    assert norms[-1].tolist() == LAST_NORMS
    assert norms[0, 0] == np.float32(3.0470640116977976e-13)
    assert {name: old.layers(name)[1][-1, 0].item() for name in old.metrics} == LAST_OF_FIRST_LAYER


def test_levels_and_histograms_of_an_old_run_are_read(old: Run) -> None:
    summary = old.table("grad_norm").summary(buckets=3)
    assert summary.step.tolist() == [1, 17, 33]
    assert summary.mean[:, 0].tolist() == [
        2.3685868262394993e-13, 2.279365118960236e-13, 2.273958744827137e-13,
    ]  # fmt: skip
    histogram = old.histogram("dense1")
    assert histogram.steps.tolist() == [*range(1, 60, 2), 60]
    assert histogram.powers.tolist() == list(range(-73, -44))
    assert histogram.shares[0].max() == np.float32(0.25216347)


def test_experiment_and_events_of_an_old_run_are_read(old: Run) -> None:
    experiment = old.experiment
    assert experiment is not None
    assert (experiment.net[0].repeat, experiment.net[0].activation, experiment.run.steps) == (
        20,
        "sigmoid",
        60,
    )
    assert (experiment.optimizer.kind, experiment.optimizer.lr) == ("adam", 0.001)
    assert [(event["event"], event.get("step")) for event in old.events()] == [
        ("phase", None), ("phase", 0), ("phase", 0), ("phase", 60), ("checkpoint", 60), ("evaluation", 60),
        ("cost", 60), ("finding", 1), ("end", None),
    ]  # fmt: skip


def test_follower_shows_an_old_run(old: Run) -> None:
    snapshot = Follower(old).poll()
    assert snapshot is not None
    assert (snapshot.step, snapshot.steps, snapshot.status) == (60, 60, FINISHED)
    assert snapshot.rate == pytest.approx(201.04472048680222)
    assert snapshot.latest.tolist() == LAST_NORMS
    assert (snapshot.timeline.rows.shape, snapshot.timeline.stride) == ((60, 21), 1)
    assert {name: len(curve) for name, curve in snapshot.curves.items()} == dict.fromkeys(
        old.scalar_names, 60
    )
    assert [event["test_accuracy"] for event in snapshot.evaluations] == [0.10555555671453476]
    assert [event["code"] for event in snapshot.findings] == ["vanishing"]
    recent = recent_rows(old.table("grad_norm"), None)
    assert (recent.step, recent.rows.shape) == (60, (50, 21))


def test_library_lists_an_old_run(old: Run) -> None:
    (info,) = list_runs(old.folder.parent)
    assert (info.id, info.name, info.status, info.started) == (
        OLD.name, "sigmoid-20", FINISHED, 1795895602.372383,
    )  # fmt: skip
    summary = info.summary
    assert (summary.findings, summary.depth, summary.loss) == (("vanishing",), 21, 2.306867)
    assert (summary.train, summary.test) == (0.10020876675844193, 0.10555555671453476)
    assert summary.seconds == pytest.approx(0.31010985374450684)
    assert summary.profile == pytest.approx(PROFILE, rel=1e-12)


def test_diagnosis_of_an_old_run_has_not_changed(old: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", str(old.folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["status"], told["steps"], told["overhead"]) == ("finished", 60, 0.6975939119357689)
    assert told["loss"] == {"first": 2.3282504, "last": 2.3068671, "best": 2.2812207}
    assert told["layers"][0] == {
        "name": "dense1",
        "parameters": 4160,
        "grad_norm": {"first": 3.047064e-13, "last": 2.1150405e-13},
        "output_grad_rms": {"first": 3.211931e-16, "last": 2.5164658e-16},
        "update_ratio": 1.1993427e-09,
        "dead_fraction": 0.0,
    }
    (finding,) = told["findings"]
    assert (finding["code"], finding["severity"], finding["step"]) == ("vanishing", "critical", 1)
    assert finding["layers"] == LAYERS[:16]
    # The advice itself may get better; here it must only be found, named, explained and possible.
    assert len(finding["cures"]) >= 3
    for cure in finding["cures"]:
        assert cure["name"]
        assert cure["why"]
        assert set_fields(open_run(OLD).experiment, cure["set"]) != open_run(OLD).experiment
