"""Test whole runs in this process: their tables, events and ends."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradtui.experiment import net_shape, set_fields
from gradtui.probe.layer_stats import forward_metrics
from gradtui.runs.control import send
from gradtui.runs.folder import record_dtype
from gradtui.training import controls
from gradtui.training.controls import StopRequest
from tests.support.trainings import small, trained

SAMPLED = (*forward_metrics(), "backward_gain", "update_ratio", "weight_norm")


def test_every_step_and_every_layer_is_recorded(tmp_path: Path) -> None:
    exp = small(run__steps=30)
    run, ending = trained(tmp_path / "run", exp)
    assert ending == ("finished", "")
    names = [layer.name for layer in net_shape(exp).layers]
    assert list(run.layer_names) == names
    steps, norms = run.layers("grad_norm")
    np.testing.assert_array_equal(steps, range(1, 31))
    assert norms.shape == (30, len(names))
    assert (norms > 0).all()
    _, total = run.scalars("grad_norm")
    np.testing.assert_allclose(total, np.sqrt(np.square(norms, dtype=np.float64).sum(1)), rtol=1e-6)
    _, losses = run.scalars("loss")
    assert np.isfinite(losses).all()
    _, times = run.scalars("time")
    assert (np.diff(times) >= 0).all()


def test_first_and_last_step_are_sampled(tmp_path: Path) -> None:
    run, _ = trained(tmp_path / "run", small(run__steps=40))
    for measure in SAMPLED:
        steps, values = run.layers(measure)
        assert steps[0] == 1
        assert steps[-1] == 40
        assert values.shape[1] == 3
    assert (run.layers("update_ratio")[1] > 0).all()


def test_update_ratio_is_change_over_weights(tmp_path: Path) -> None:
    """SGD: the norm of the change is the rate times the norm of the gradient."""
    run, _ = trained(tmp_path / "run", small(run__steps=1, optimizer__lr=0.3))
    _, gradient = run.layers("grad_norm")
    _, weight = run.layers("weight_norm")
    _, ratio = run.layers("update_ratio")
    np.testing.assert_allclose(ratio, 0.3 * gradient / weight, rtol=1e-4)


def test_run_json_describes_what_is_trained(tmp_path: Path) -> None:
    exp = small(data__batch_size=1000)
    run, _ = trained(tmp_path / "run", exp)
    meta = run.meta
    assert meta is not None
    shape = net_shape(exp)
    assert meta.parameters == shape.parameters == sum(layer.parameters for layer in meta.layers)
    assert [(layer.name, layer.parameters) for layer in meta.layers] == [
        (layer.name, layer.parameters) for layer in shape.layers
    ]
    assert meta.chance_loss == pytest.approx(np.log(3))
    assert meta.device == "cpu"
    assert {"torch", "numpy"} <= set(meta.versions)
    assert meta.data["batch_size"] == meta.data["train"] < 1000


def test_two_runs_of_one_experiment_have_the_same_bits(tmp_path: Path) -> None:
    exp = small(run__steps=40, run__eval_every=7, net__0__norm="batch")
    first, second = (trained(tmp_path / name, exp)[0] for name in ("a", "b"))
    for name in ("loss", "accuracy", "grad_norm"):
        assert first.scalars(name)[1].tobytes() == second.scalars(name)[1].tobytes()
    assert first.layers("grad_norm")[1].tobytes() == second.layers("grad_norm")[1].tobytes()
    other = trained(tmp_path / "c", set_fields(exp, {"seed": 9}))[0]
    assert other.scalars("loss")[1].tobytes() != first.scalars("loss")[1].tobytes()


def test_phases_and_evaluations_in_their_order(tmp_path: Path) -> None:
    run, _ = trained(tmp_path / "run", small(run__steps=10, run__eval_every=4))
    beside = ("finding", "diagnosed", "checkpoint")
    story = [(e["event"], e.get("phase"), e.get("step")) for e in run.events() if e["event"] not in beside]
    evaluation = [("phase", "evaluating"), ("evaluation", None)]
    expected = [("phase", "building", 0), ("phase", "training", 0)]
    for step in (4, 8):
        expected += [(*entry, step) for entry in [*evaluation, ("phase", "training")]]
    expected += [(*entry, 10) for entry in [*evaluation, ("cost", None)]]
    assert story == expected
    evaluations = [e for e in run.events() if e["event"] == "evaluation"]
    assert all({"train_loss", "train_accuracy", "test_loss", "test_accuracy"} <= set(e) for e in evaluations)


def test_recurrent_nets_record_the_gradient_by_time_lag(tmp_path: Path) -> None:
    exp = small(data__source="adding", data__length=6, net__0__block="rnn", net__0__repeat=1, run__steps=3)
    run, _ = trained(tmp_path / "run", exp)
    table = run.table("hidden_grad")
    assert table.columns == tuple("012345")
    assert run.meta is not None
    assert run.meta.tables["hidden_grad"].kind == "lags"
    assert (table.read()["values"] > 0).all()


def test_nonfinite_loss_ends_the_run_after_twenty_steps(tmp_path: Path) -> None:
    exp = small(optimizer__lr=1e30, net__0__activation="relu", run__steps=500)
    run, ending = trained(tmp_path / "run", exp)
    assert ending[0] == "diverged"
    _, losses = run.scalars("loss")
    bad = ~np.isfinite(losses)
    assert bad[-20:].all()
    assert not bad[-21]
    assert len(losses) < 40
    assert {e["code"] for e in run.events() if e["event"] == "finding"} & {"exploding", "nonfinite"}
    # Also where the last step comes before it is noticed.
    _, ending = trained(tmp_path / "short", set_fields(exp, {"run.steps": len(losses)}))
    assert ending[0] == "diverged"


def test_commands_from_before_the_start_are_obeyed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    send(folder, "set", set={"optimizer.lr": 0.007})
    send(folder, "stop")
    run, ending = trained(folder, small(run__steps=100_000))
    assert ending[0] == "stopped"
    assert [e["wish"] for e in run.events() if e["event"] == "control"] == ["set", "stop"]


def test_pause_steps_and_a_change_in_mid_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A viewer that acts at certain steps: pause at 5, two single steps, a change, and on."""
    monkeypatch.setattr(controls, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(controls, "PAUSED_SECONDS", 0.001)
    folder = tmp_path / "run"
    looks = itertools.count()
    script: dict[int, Any] = {5: ("pause", {}), 8: ("step", {}), 12: ("step", {})}
    script |= {15: ("set", {"set": {"optimizer.lr": 0.5}}), 18: ("resume", {})}
    real = controls.Controls.poll

    def look(self: controls.Controls) -> None:
        command = script.get(next(looks))
        if command:
            send(folder, command[0], **command[1])
        real(self)

    monkeypatch.setattr(controls.Controls, "poll", look)
    run, ending = trained(folder, small(run__steps=20))
    assert ending[0] == "finished"
    done = [(e["event"], e["step"]) for e in run.events() if e["event"] in ("paused", "resumed", "control")]
    assert done == [
        ("paused", 5), ("control", 5), ("control", 5), ("control", 6), ("control", 7),
        ("resumed", 7), ("control", 7),
    ]  # fmt: skip
    _, rates = run.scalars("lr")
    np.testing.assert_allclose(rates, [0.1] * 7 + [0.5] * 13, rtol=1e-6)


def test_failing_disk_ends_the_run_as_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table's place is taken by a folder: the first flush fails, and so the run does."""
    (tmp_path / "run" / "grad_norm.f32").mkdir(parents=True)
    _, (status, reason) = trained(tmp_path / "run", small(run__steps=100_000))
    assert status == "failed"
    assert "cannot be recorded" in reason


def test_sigterm_stops_the_run(tmp_path: Path) -> None:
    stop = StopRequest()
    stop.wanted = True
    run, ending = trained(tmp_path / "run", small(), stop)
    assert ending[0] == "stopped"
    assert run.steps == 0


def test_a_row_of_fifty_layers_takes_under_500_bytes(tmp_path: Path) -> None:
    run, _ = trained(tmp_path / "run", small(net__0__repeat=49, net__0__width=4, run__steps=2))
    assert run.meta is not None
    assert len(run.layer_names) == 50
    scalars = record_dtype(len(run.meta.tables["scalars"].columns)).itemsize
    assert os.path.getsize(tmp_path / "run" / "grad_norm.f32") == 2 * record_dtype(50).itemsize
    assert record_dtype(50).itemsize + scalars < 500


@pytest.mark.long
def test_a_thousand_residual_layers_are_recorded_at_every_step(tmp_path: Path) -> None:
    exp = small(
        net__0__width=32, net__0__repeat=500, net__0__layers=2, net__0__shortcut="identity",
        net__0__activation="relu", net__0__init="he", net__0__branch_gain="depth", run__steps=8,
    )  # fmt: skip
    run, ending = trained(tmp_path / "run", exp)
    assert ending[0] == "finished"
    steps, norms = run.layers("grad_norm")
    assert len(steps) == 8
    # 1,000 layers, the projection of the first block, and the output.
    assert norms.shape[1] == 1002
    assert (norms > 0).all()
