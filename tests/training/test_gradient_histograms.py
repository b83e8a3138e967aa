"""Test the gradient histograms of a training against autograd's gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from torch import Tensor

from gradtui import data, nets
from gradtui.data import loss_and_accuracy
from gradtui.experiment import Experiment, set_fields
from gradtui.probe.sampling_budget import SamplePlan, SparseRows
from gradtui.runs.control import ControlReader
from gradtui.runs.histograms import LOWEST, POWERS, TABLE, Histogram, of_rows, to_row
from gradtui.runs.meta import read_meta, write_meta
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from gradtui.training.checkpoints.files import checkpoint_path
from gradtui.training.controls import StopRequest
from gradtui.training.loop import Loop
from gradtui.training.recorder import tables_of
from gradtui.training.run import train
from gradtui.training.sampling import HISTOGRAM_STEPS, PLANNED_HISTOGRAMS, HistogramRecorder
from gradtui.training.session import build
from tests.support.trainings import small, trained
from tests.training.checkpoints.conftest import written_at_once


@pytest.fixture(autouse=True)
def sampled_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sample every step, which a short run of its own would not."""
    monkeypatch.setattr(SamplePlan, "due", lambda *_: True)


def plain_gradients(exp: Experiment, steps: int) -> list[list[Tensor]]:
    """All numbers of each layer's gradient at each step, by autograd and torch's own optimizer and clipping."""
    dataset = data.load(exp.data, exp.seed)
    net = nets.build(exp, dataset.shape, generator_seed=exp.seed)
    optimizer = torch.optim.SGD(net.parameters(), exp.optimizer.lr, momentum=exp.optimizer.momentum)
    batches = data.batches(dataset, exp.data.batch_size, exp.seed)
    measure = loss_and_accuracy(dataset.shape.task, exp.optimizer.loss)
    gradients = []
    for _ in range(steps):
        x, y = next(batches)
        loss, _ = measure(net(x), y)
        weights = [p for p in net.parameters() if p.dim() > 1]
        loss = loss + sum(exp.cures.l1 * w.abs().sum() + exp.cures.l2 / 2 * w.square().sum() for w in weights)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        gradients.append(
            [
                torch.cat([p.grad.reshape(-1) for p in layer.parameters if p.grad is not None]).clone()
                for layer in net.layers
            ]
        )
        if exp.cures.clip_norm:
            torch.nn.utils.clip_grad_norm_(net.parameters(), exp.cures.clip_norm)
        optimizer.step()
    return gradients


def plain(layer: str, gradients: list[Tensor]) -> Histogram:
    """Return what the table shall hold of one layer, by numpy's logarithms."""
    counts = np.zeros((len(gradients), POWERS + 2), np.int64)
    for row, gradient in zip(counts, gradients, strict=True):
        sizes = gradient.abs().double().numpy()
        row[0] = (sizes == 0).sum()
        powers = np.floor(np.log2(sizes[sizes > 0])).astype(np.int64)
        row[1:-1] = np.bincount(powers - LOWEST, minlength=POWERS)
    return of_rows(layer, np.arange(1, len(gradients) + 1), to_row(counts).reshape(len(gradients), -1))


def distance(one: Histogram, other: Histogram) -> float:
    """Return the largest share of numbers that lie elsewhere in the other, of all steps."""
    low, high = min(one.powers[0], other.powers[0]), max(one.powers[-1], other.powers[-1])
    both = []
    for each in (one, other):
        room = np.pad(each.shares, ((0, 0), (each.powers[0] - low, high - each.powers[-1])))
        both.append(np.column_stack([each.zeros, each.nonfinite, room]))
    return float(np.abs(both[0] - both[1]).sum(axis=1).max() / 2)


def test_first_histogram_counts_autograds_gradient(tmp_path: Path) -> None:
    exp = small(run__steps=1, data__batch_size=2, net__0__activation="relu", cures__clip_norm=1e-4)
    run, _ = trained(tmp_path / "run", exp)
    (gradients,) = plain_gradients(exp, 1)
    for layer, gradient in zip(run.layer_names, gradients, strict=True):
        found = run.histogram(layer)
        assert found.steps.tolist() == [1]
        assert distance(found, plain(layer, [gradient])) == 0
    assert run.histogram(run.layer_names[0]).zeros[0] > 0, "a ReLU that is off passes exactly nothing"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"cures.l2": 0.05, "cures.clip_norm": 0.01},
        {"cures.l1": 0.01, "optimizer.loss": "sum", "optimizer.lr": 0.005},
    ],
)
def test_histograms_are_of_penalised_unclipped_gradients(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Added up in another order, a number next to a power of two may lie on its other side."""
    exp = set_fields(small(run__steps=6), changes)
    run, _ = trained(tmp_path / "run", exp)
    gradients = plain_gradients(exp, 6)
    for number, layer in enumerate(run.layer_names):
        found = run.histogram(layer)
        assert found.steps.tolist() == [1, 2, 3, 4, 5, 6]
        assert distance(found, plain(layer, [step[number] for step in gradients])) < 0.02


@pytest.mark.parametrize(
    "changes",
    [
        {"run.precision": "fp16", "run.loss_scale": 1024.0},
        {"run.precision": "fp16", "run.loss_scale": 0.0},
        {"run.precision": "bf16", "cures.clip_value": 1e-3},
        {"net.0.activation": "sigmoid", "net.0.repeat": 20, "net.0.width": 8},
    ],
)
def test_histogram_implies_the_layers_norm(tmp_path: Path, changes: dict[str, Any]) -> None:
    """The same numbers as grad_norm, so without the loss's scale: each is between its power of two and twice it."""
    run, _ = trained(tmp_path / "run", set_fields(small(run__steps=12), changes))
    assert run.meta is not None
    steps, norms = run.layers("grad_norm")
    for number, layer in enumerate(run.meta.layers):
        found = run.histogram(layer.name)
        assert len(found.steps) > 3
        norm = norms[np.searchsorted(steps, found.steps), number].astype(np.float64)
        least = np.sqrt(layer.parameters * (found.shares * 4.0**found.powers).sum(axis=1))
        finite = found.nonfinite == 0
        assert finite.any()
        assert (least[finite] <= norm[finite] * (1 + 1e-6)).all()
        # Numbers below the lowest power that is stored count for more than they are.
        assert (norm[finite] <= 2 * least[finite] * (1 + 1e-6)).all()
        assert not np.isfinite(norm[~finite]).any()


def test_histogram_of_a_diverged_step_counts_nan(tmp_path: Path) -> None:
    exp = small(optimizer__lr=1e30, net__0__activation="relu", run__steps=500, cures__l2=0.1)
    exp = set_fields(exp, {"cures.clip_norm": 1e30})
    run, _ = trained(tmp_path / "run", set_fields(exp, {"run.steps": 10}))
    for layer in run.layer_names:
        found = run.histogram(layer)
        assert found.nonfinite[0] == 0
        assert found.nonfinite[-1] == 1
        np.testing.assert_allclose(
            found.shares.sum(axis=1) + found.zeros + found.nonfinite, 1, rtol=1e-6, err_msg=layer
        )


def test_histograms_do_not_change_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Tensor] = []
    real = Loop.run

    def keeping(self: Loop) -> Any:
        ending = real(self)
        kept.append(self.session.flat.weights.clone())
        return ending

    monkeypatch.setattr(Loop, "run", keeping)
    exp = small(run__steps=40, optimizer__momentum=0.9, cures__l2=0.01, cures__clip_norm=0.1)
    run, _ = trained(tmp_path / "with", exp)
    monkeypatch.setattr(HistogramRecorder, "count", lambda *_, **__: None)
    other, _ = trained(tmp_path / "without", exp)
    assert len(run.histogram("output").steps) > 5
    assert len(other.histogram("output").steps) == 0
    assert kept[0].numpy().tobytes() == kept[1].numpy().tobytes()
    assert run.scalars("loss")[1].tobytes() == other.scalars("loss")[1].tobytes()


def taken_of(steps: int) -> list[int]:
    """Return the steps that get a row where every one is looked at."""
    rows, taken = SparseRows(steps, PLANNED_HISTOGRAMS, HISTOGRAM_STEPS), [1]
    while taken[-1] + rows.gap(taken[-1]) <= steps:
        taken.append(taken[-1] + rows.gap(taken[-1]))
    return taken


@pytest.mark.parametrize("steps", [1, 10, 24, 500, 3000, 100_000])
def test_rows_are_dense_at_the_beginning_and_never_far_apart(steps: int) -> None:
    taken = taken_of(steps)
    assert taken[:8] == list(range(1, 9))[:steps]
    gaps = np.diff(taken)
    assert (gaps <= max(1, min(HISTOGRAM_STEPS, steps // 25))).all()
    assert min(steps, 25) <= len(taken) <= 50 + steps / HISTOGRAM_STEPS


def test_the_last_step_has_a_row(tmp_path: Path) -> None:
    run, _ = trained(tmp_path / "run", small(run__steps=77))
    assert run.histogram("output").steps[-1] == 77


def test_fifty_layers_stay_below_500_bytes_a_step(tmp_path: Path) -> None:
    """Scalars, gradients and histograms, with levels; at every step a look, which time alone would thin out."""
    session = build(small(net__0__repeat=49, net__0__width=4))
    columns = {name: tables_of(session)[name].columns for name in ("scalars", "grad_norm", TABLE)}
    assert len(columns["grad_norm"]) == 50
    steps = 4000
    taken = set(taken_of(steps))
    writer = RunWriter(tmp_path, columns, flush_every=0.02, unlevelled=[TABLE])
    rows = {name: np.ones(len(names), np.float32) for name, names in columns.items()}
    for step in range(1, steps + 1):
        for name, row in rows.items():
            if name != TABLE or step in taken:
                writer.append(name, step, row)
    writer.close()
    assert writer.error is None
    bytes_of = {name: sum(path.stat().st_size for path in tmp_path.glob(f"{name}*")) for name in columns}
    assert sum(bytes_of.values()) < 400 * steps, "which leaves a hundred for activations and the like"
    assert bytes_of[TABLE] < 100 * steps


@pytest.mark.parametrize("recorded", [True, False])
def test_resumed_run_continues_its_histograms(tmp_path: Path, recorded: bool) -> None:
    """Also one that an older gradtui began, without them."""
    exp = small(run__steps=40, run__checkpoint_every=20)
    with written_at_once():
        first, _ = trained(tmp_path / "run", exp)
    checkpoint_path(first.folder, 40).unlink()
    meta = read_meta(first.folder)
    if not recorded:
        (first.folder / f"{TABLE}.f32").unlink()
        meta = replace(meta, tables={name: meta.tables[name] for name in meta.tables if name != TABLE})
        write_meta(first.folder, meta)
        assert len(open_run(first.folder).histogram("output").steps) == 0
    train(first.folder, exp, meta, StopRequest(), commands=ControlReader(first.folder, skip_old=True))
    steps = open_run(first.folder).histogram("output").steps.tolist()
    assert steps == sorted(set(steps))
    assert steps[0] == (1 if recorded else 21)
    assert {21, 40} <= set(steps)
