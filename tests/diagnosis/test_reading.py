"""Test the evidence that is read from run folders of the writer."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from gradtui.diagnosis import diagnose, evidence_of, reading
from gradtui.diagnosis.evidence import Evidence, Series
from gradtui.diagnosis.reading import without_untrained_layers
from gradtui.experiment import Experiment, Group, net_shape, to_dict
from gradtui.runs.meta import LayerMeta, RunMeta, TableMeta, write_meta
from gradtui.runs.reader import Run, open_run
from gradtui.runs.writer import RunWriter

EXPERIMENT = Experiment(net=(Group(block="conv", width=4), Group(width=8, repeat=2)))
LAYERS = tuple(layer.name for layer in net_shape(EXPERIMENT).layers)
SCALARS = ("loss", "accuracy", "lr", "grad_norm", "grad_norm_clipped")


def made(
    folder: Path,
    steps: int,
    *,
    broken_at: int | None = None,
    spike_at: int | None = None,
    end: bool = True,
    script: bool = False,
) -> Run:
    """A run of `steps` steps whose gradient of layer i is i + 1 at every step."""
    folder.mkdir()
    tables = {
        "scalars": TableMeta(columns=SCALARS, kind="scalars"),
        "grad_norm": TableMeta(columns=LAYERS),
        "output_grad_rms": TableMeta(columns=LAYERS),
        "hidden_grad": TableMeta(columns=("0", "1", "2"), kind="lags"),
    }
    meta = RunMeta.of_this_process(
        id=folder.name,
        name="made",
        kind="script" if script else "experiment",
        experiment=None if script else to_dict(EXPERIMENT),
        layers=tuple(
            LayerMeta(layer.name, layer.kind, layer.parameters) for layer in net_shape(EXPERIMENT).layers
        ),
        tables=tables,
        steps=steps,
        chance_loss=None if script else 2.5,
    )
    write_meta(folder, meta)
    writer = RunWriter(folder, {name: table.columns for name, table in tables.items()})
    for step in range(1, steps + 1):
        loss = math.nan if broken_at is not None and step >= broken_at else 2.0
        total = 1e6 if step == spike_at else 1.0
        writer.append("scalars", step, [loss, 0.1, 0.1, total, 0.5], 0.0)
        writer.append("grad_norm", step, [index + 1.0 for index in range(len(LAYERS))], 0.0)
        if step % 1000 == 1:
            writer.append("output_grad_rms", step, [0.5] * len(LAYERS), 0.0)
            writer.append("hidden_grad", step, [4.0, 2.0, 1.0], 0.0)
    writer.event(
        "evaluation", steps, train_loss=1.5, train_accuracy=0.4, test_loss=math.nan, test_accuracy=0.3
    )
    writer.event("control", 5, wish="set", set={"cures.clip_norm": 0.25})
    if end:
        writer.event("end", steps, status="finished", reason="")
    writer.close()
    return open_run(folder)


def test_a_short_run_is_read_whole(tmp_path: Path) -> None:
    evidence = evidence_of(made(tmp_path / "run", 50))
    assert evidence.layers == LAYERS
    assert evidence.kinds[0] == "conv"
    assert evidence.positions == (64, 1, 1, 1)
    assert evidence.step == 50
    assert evidence.loss.values == pytest.approx(np.full(50, 2.0))
    assert evidence.total_norm.values == pytest.approx(np.ones(50))
    assert evidence.clipped_norm.values == pytest.approx(np.full(50, 0.5))
    assert evidence.grad_norm.values.shape == (50, len(LAYERS))
    assert evidence.grad_norm.values[7] == pytest.approx([1.0, 2.0, 3.0, 4.0])
    assert evidence.hidden_grad.values.tolist() == [[4.0, 2.0, 1.0]]
    assert evidence.evaluations[0].train_accuracy == 0.4
    assert math.isnan(evidence.evaluations[0].test_loss)
    assert evidence.clip_threshold == 0.25
    assert evidence.chance_loss == 2.5
    assert evidence.finished
    assert not len(evidence.dead_fraction)
    assert evidence.experiment == EXPERIMENT


def test_a_live_run_is_not_finished(tmp_path: Path) -> None:
    assert not evidence_of(made(tmp_path / "run", 5, end=False)).finished


def test_a_script_has_no_experiment(tmp_path: Path) -> None:
    evidence = evidence_of(made(tmp_path / "run", 5, script=True))
    assert evidence.experiment is None
    assert evidence.positions == ()
    assert math.isnan(evidence.chance_loss)


def test_before_the_trainer_has_written_anything_the_evidence_is_empty(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "experiment.toml").write_text('name = "soon"\n')
    evidence = evidence_of(open_run(tmp_path / "run"))
    assert evidence.step == 0
    assert diagnose(evidence) == []


def test_a_long_run_is_read_in_part_with_its_peak_and_its_first_broken_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 12_000
    monkeypatch.setattr(reading, "MOST_NUMBERS", 20_000)
    evidence = evidence_of(made(tmp_path / "run", steps, broken_at=7_777, spike_at=3_333))
    for series in (evidence.loss, evidence.grad_norm):
        assert series.values.size < 1.05 * 20_000
        assert (np.diff(series.steps) > 0).all()
        assert series.steps[0] == 1
        assert series.steps[-1] == steps
    assert evidence.loss.steps[np.flatnonzero(~np.isfinite(evidence.loss.values))[0]] == 7_777
    assert evidence.total_norm.highest.max() == pytest.approx(1e6)
    assert np.isfinite(evidence.loss.values[evidence.loss.steps < 7_777]).all()
    nonfinite = next(finding for finding in diagnose(evidence) if finding.code == "nonfinite")
    assert nonfinite.step == 7_777


STEPS = np.arange(1, 61)


def script_evidence(norms: np.ndarray, total: np.ndarray) -> Evidence:
    return Evidence(
        layers=("frozen", "a", "b", "out"),
        kinds=("linear",) * 4,
        parameters=(10, 20, 30, 40),
        loss=Series.of(STEPS, np.linspace(2, 0.5, 60)),
        grad_norm=Series.of(STEPS, norms),
        total_norm=Series.of(STEPS, total),
        finished=True,
    )


def test_layers_of_a_script_without_any_gradient_are_left_out_and_gaps_are_bridged() -> None:
    norms = np.tile([np.nan, 1.0, 2.0, 3.0], (60, 1)) * np.linspace(1, 2, 60)[:, None]
    gap = norms.copy()
    gap[1::2, 1] = np.nan
    gap[0, 2] = np.nan
    read = without_untrained_layers(script_evidence(gap, np.ones(60)))
    assert read.layers == ("a", "b", "out")
    assert read.parameters == (20, 30, 40)
    np.testing.assert_array_equal(read.grad_norm.values[1::2, 0], norms[0::2, 1])
    assert read.grad_norm.values[0, 1] == norms[1, 2]
    assert diagnose(read) == []
    assert "nonfinite" in [finding.code for finding in diagnose(script_evidence(gap, np.ones(60)))]


def test_a_layer_whose_gradient_is_nan_stays_where_the_total_is_nan_too() -> None:
    norms = np.tile([np.nan, 1.0, 2.0, 3.0], (60, 1))
    norms[30:, 2] = np.nan
    total = np.where(np.arange(60) < 30, 1.0, np.nan)
    (found,) = [
        f for f in diagnose(without_untrained_layers(script_evidence(norms, total))) if f.code == "nonfinite"
    ]
    assert found.step == 31
