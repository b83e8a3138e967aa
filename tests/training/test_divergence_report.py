"""Test runs that diverge: the event about the step, the rollback point before it, and the unchanged training."""

from __future__ import annotations

import errno
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from gradtui.experiment import Experiment, from_dict, set_fields
from gradtui.runs.control import send
from gradtui.runs.reader import Run, open_run
from gradtui.training import controls, divergence_report
from gradtui.training.checkpoints import keeping
from gradtui.training.checkpoints.files import (
    KEPT_CHECKPOINTS,
    list_checkpoints,
    list_rollbacks,
    parse_header,
    remove_after,
    rollback_path,
    tidy,
)
from gradtui.training.checkpoints.state import restore
from gradtui.training.checkpoints.tensors import read_tensors
from gradtui.training.session import Session, build
from gradtui.training.step import Stepper
from tests.support.trainings import plain_step, small, trained

BN = {"net.0.norm": "batch", "net.0.activation": "relu", "optimizer.momentum": 0.9, "run.steps": 200}
TOO_FAST = {"optimizer.lr": 1e30}
"""From one step to the next all is broken."""
TOO_FAST_FOR_A_WHILE = {"optimizer.lr": 300.0}


class Viewer:
    """Changes of the experiment, by the step after which a viewer asks for them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(controls, "POLL_SECONDS", 0.0)
        self.script: dict[int, dict[str, Any]] = {}
        pending: dict[int, dict[str, Any]] = {}
        real = controls.Controls.poll

        def look(this: controls.Controls) -> None:
            step = this._session.step
            if step == 0:
                pending.update(self.script)
            if step in pending:
                send(this._writer.folder, "set", set=pending.pop(step))
            real(this)

        monkeypatch.setattr(controls.Controls, "poll", look)


@pytest.fixture
def viewer(monkeypatch: pytest.MonkeyPatch) -> Viewer:
    return Viewer(monkeypatch)


def story(run: Run, *kinds: str) -> list[dict[str, Any]]:
    return [{**event} for event in run.events() if event["event"] in kinds]


def rewound(exp: Experiment, path: Path) -> Session:
    """A session at a rewind point."""
    session = build(exp)
    tensors, texts = read_tensors(path)
    told = parse_header(path, texts)
    session.exp = from_dict(told["experiment"])
    restore(session, path, tensors, told)
    return session


def weights(run: Run) -> dict[str, torch.Tensor]:
    return read_tensors(list_checkpoints(run.folder)[0][1])[0]


def test_divergence_event_names_layer_examples_and_rollback_point(tmp_path: Path, viewer: Viewer) -> None:
    exp = set_fields(small(), BN)
    viewer.script = {120: TOO_FAST}
    run, ending = trained(tmp_path / "run", exp)
    assert ending[0] == "diverged"
    (broke,), (point,) = story(run, "broke"), story(run, "rewind_point")
    _, losses = run.scalars("loss")
    step = int(np.flatnonzero(~np.isfinite(losses))[0]) + 1
    assert (broke["step"], broke["reason"], broke["measure"], step) == (step, "nonfinite", "loss", 122)
    assert not math.isfinite(broke["loss"])
    assert np.float32(broke["before"]) == losses[step - 2]
    assert broke["usual"] == pytest.approx(np.median(losses[20:120]), rel=0.2)
    assert (broke["rewind"], broke["replayed"], broke["why"]) == (point["step"], True, "")
    assert point["step"] <= step - keeping.POINT_GAP
    assert run.folder / point["path"] == rollback_path(run.folder, point["step"])

    # The way back leads to the very same steps, on the very same examples, and torch sees the same layer break.
    session = rewound(exp, run.folder / point["path"])
    stepper = Stepper(session)
    while session.step < step - 1:
        if session.step == 120:
            session.change(TOO_FAST)
        assert np.float32(float(plain_step(stepper).loss)) == losses[session.step - 1]
    seen: dict[str, bool] = {}
    for layer in session.net.layers:
        layer.module.register_forward_hook(
            lambda module, inputs, output, name=layer.name: seen.update({name: bool(output.isfinite().all())})
        )
    batch = session.dataset.train_x[broke["batch"]]
    session.net(batch)
    first = next(name for name, finite in seen.items() if not finite)
    assert (broke["layer"], broke["part"]) == (first, "output")
    assert torch.equal(batch, next(session.batches)[0])
    assert broke["seed"] == exp.seed


def test_replay_fills_in_all_samples_before_a_divergence(
    tmp_path: Path, viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Few looks, so that there is something to fill in.
    monkeypatch.setattr("gradtui.probe.sampling_budget.SamplePlan.CHEAP_SECONDS", 0.0)
    exp = set_fields(small(), BN)
    viewer.script = {110: TOO_FAST}
    run, _ = trained(tmp_path / "run", exp)
    (broke,) = story(run, "broke")
    first, last = broke["rewind"] + 1, broke["step"]
    assert last - first >= keeping.POINT_GAP - 1
    for table in ("activation_std", "output_grad_rms", "update_ratio", "nonfinite", "weight_norm"):
        steps, _ = run.layers(table)
        assert (np.diff(steps) > 0).all()
        assert set(range(first, last + 1)) <= set(steps.tolist())
    steps, norms = run.layers("weight_norm")
    times = dict(zip(*run.scalars("time"), strict=True))
    rows = run.table("weight_norm").read()
    assert [times[int(row["step"])] for row in rows] == [float(row["time"]) for row in rows]

    session = rewound(exp, rollback_path(run.folder, broke["rewind"]))
    stepper = Stepper(session)
    at = dict(zip(steps.tolist(), norms, strict=True))
    for step in range(first, 111):
        ours = [
            math.sqrt(sum(float(p.detach().double().square().sum()) for p in layer.parameters))
            for layer in session.net.layers
        ]
        np.testing.assert_allclose(at[step], ours, rtol=1e-6)
        plain_step(stepper)
    # The diagnosis sees at which layer it began.
    (found,) = [finding for finding in run.findings if finding["code"] == "nonfinite"]
    assert f"At step {last}, {broke['layer']} is the first layer whose output" in found["evidence"]


def test_nonfinite_gradient_behind_a_finite_loss_is_located(tmp_path: Path) -> None:
    """Tiny weights, then huge ones: forward they cancel, but on the way back the huge ones come first."""
    groups = [{"width": 4, "gain": 1e-36}, {"width": 4, "gain": 1e10, "repeat": 4}]
    exp = set_fields(
        small(run__steps=40),
        {"net": [{**group, "activation": "identity", "init": "normal"} for group in groups]},
    )
    run, _ = trained(tmp_path / "run", exp)
    broke = story(run, "broke")[0]
    assert (broke["step"], broke["reason"], broke["measure"]) == (1, "nonfinite", "grad_norm")
    assert math.isfinite(broke["loss"])
    session = build(exp)
    stepper = Stepper(session)
    stepper.backward(stepper.forward()[0])
    bad = [
        layer.name
        for layer in session.net.layers
        if not all(bool(p.grad.isfinite().all()) for p in layer.parameters if p.grad is not None)
    ]
    assert bad == ["dense1"]
    assert (broke["layer"], broke["part"]) == ("dense1", "gradient")


@pytest.mark.parametrize(
    ("changes", "script"),
    [
        ({}, {}),
        ({"optimizer.kind": "adam", "optimizer.lr": 0.01}, {}),
        ({}, {90: TOO_FAST_FOR_A_WHILE, 92: {"optimizer.lr": 0.05}}),
        (
            {"optimizer.kind": "rmsprop", "optimizer.lr": 0.001, "optimizer.momentum": 0.0},
            {80: {"optimizer.momentum": 0.5}, 90: {"optimizer.lr": 1e4}, 92: {"optimizer.lr": 0.001}},
        ),
    ],
    ids=["quiet", "adam", "a blow-up", "rmsprop, a momentum given later"],
)
def test_training_is_bit_identical_with_and_without_rollback_points(
    tmp_path: Path,
    viewer: Viewer,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    script: dict[int, dict[str, Any]],
) -> None:
    exp = set_fields(set_fields(small(), BN), changes)
    viewer.script = script
    run, _ = trained(tmp_path / "with", exp)
    with monkeypatch.context() as patch:
        patch.setattr(keeping, "MEMORY_SHARE", 0.0)
        other, _ = trained(tmp_path / "without", exp)
    assert run.steps == other.steps == 200
    ours, theirs = weights(run), weights(other)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    for name in ("loss", "grad_norm", "lr"):
        np.testing.assert_array_equal(run.scalars(name)[1], other.scalars(name)[1])
    broke, alike = story(run, "broke"), story(other, "broke")
    assert bool(broke) == bool(script)
    assert [event["step"] for event in broke] == [event["step"] for event in alike]
    assert all(event["replayed"] for event in broke), [event["why"] for event in broke]
    assert not any(event["replayed"] for event in alike)
    assert [event["step"] for event in story(run, "rewind_point")] == [event["rewind"] for event in broke]


def test_large_net_reports_once_that_it_keeps_no_rollback_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "free_on", lambda device: 100_000)
    run, _ = trained(tmp_path / "run", small(optimizer__lr=1e30, net__0__activation="relu", run__steps=100))
    (off,) = story(run, "rewind_off")
    assert "more than 3% of the 100 kB that are free" in off["reason"]
    (broke,) = story(run, "broke")
    assert (broke["rewind"], broke["replayed"], broke["why"]) == (
        None,
        False,
        "no state from before it was kept",
    )
    assert (broke["layer"], broke["part"]) == ("output", "gradient")
    assert list_rollbacks(run.folder) == []


def test_rollback_points_are_apart_and_never_of_a_diverged_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, viewer: Viewer
) -> None:
    taken: list[int] = []
    real = keeping.RollbackBuffer._take

    def take(self: keeping.RollbackBuffer) -> None:
        real(self)
        taken.append(self._session.step)
        assert [point.step for point in self.points] == taken[-2:]

    monkeypatch.setattr(keeping.RollbackBuffer, "_take", take)
    viewer.script = {90: TOO_FAST_FOR_A_WHILE, 92: {"optimizer.lr": 0.05}}
    run, _ = trained(tmp_path / "run", set_fields(small(), BN))
    (broke,) = story(run, "broke")
    assert taken[0] == 0
    assert (np.diff(taken) >= keeping.POINT_GAP).all()
    assert not any(broke["step"] <= step < broke["step"] + 50 for step in taken)
    assert broke["rewind"] in taken


def test_long_or_differing_replay_is_abandoned_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exp = small(optimizer__lr=1e30, net__0__activation="relu", run__steps=100)
    monkeypatch.setattr(divergence_report, "LONGEST_REPLAY", 0.0)
    run, _ = trained(tmp_path / "long", exp)
    assert "would take longer" in story(run, "broke")[0]["why"]
    monkeypatch.undo()
    monkeypatch.setattr(divergence_report, "take_step", lambda *_, **__: SimpleNamespace(loss=0.123))
    run, _ = trained(tmp_path / "other", exp)
    (broke,) = story(run, "broke")
    assert "gave another loss" in broke["why"]
    assert run.layers("activation_std")[0].tolist() == sorted(set(run.layers("activation_std")[0].tolist()))


def test_rollback_file_is_neither_tidied_nor_resumed_from(tmp_path: Path) -> None:
    run, _ = trained(
        tmp_path / "run", small(optimizer__lr=1e30, net__0__activation="relu", run__checkpoint_every=1)
    )
    ((step, path),) = list_rollbacks(run.folder)
    for number in range(2 * KEPT_CHECKPOINTS):
        (run.folder / "checkpoints" / f"step-{number:09d}.safetensors").touch()
    tidy(run.folder)
    assert path.exists()
    assert path not in [one for _, one in list_checkpoints(run.folder)]
    remove_after(run.folder, step)
    assert path.exists()
    remove_after(run.folder, step - 1)
    assert not path.exists()


def test_failed_rollback_file_does_not_end_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(keeping, "write_tensors", write)
    run, ending = trained(
        tmp_path / "run", small(optimizer__lr=1e30, net__0__activation="relu", run__steps=100)
    )
    assert ending[0] == "diverged"
    (failed,) = story(run, "checkpoint_failed")
    assert failed["reason"] == "No space left on device"
    assert story(run, "rewind_point") == []
    assert story(run, "broke")[0]["rewind"] is None


def test_healthy_run_has_no_divergence_events(tmp_path: Path) -> None:
    run, _ = trained(tmp_path / "run", small(run__steps=100))
    assert story(run, "broke", "rewind_point", "rewind_off", "recovered") == []
    assert list_rollbacks(run.folder) == []
    assert open_run(run.folder).status.step == 100
