"""Test that a preflight has the rows of step 1, torch's own numbers, and moves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gradtui import data, nets
from gradtui.diagnosis import diagnose, evidence_of
from gradtui.experiment import Experiment, resolve, set_fields
from gradtui.runs.follower import Follower
from gradtui.runs.meta import RunMeta, read_origin
from gradtui.runs.reader import Run, open_run
from gradtui.training.launch import create_run, start_trainer
from gradtui.training.run import preflight
from tests.support.trainings import small, trained

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "batch norm, a learned slope": {"net.0.norm": "batch", "net.0.activation": "prelu"},
    "summed loss, penalties, clipping": {
        "optimizer.loss": "sum", "cures.l2": 0.1, "cures.clip_norm": 0.01, "optimizer.kind": "adam",
    },
    "fp16": {"run.precision": "fp16"},
    "rnn": {"data.source": "adding", "data.length": 6, "net.0.block": "rnn", "net.0.repeat": 1},
}  # fmt: skip


def measured(folder: Path, exp: Experiment) -> Run:
    folder.mkdir()
    preflight(folder, exp, RunMeta.of_this_process(id=folder.name, name=exp.name, preflight=True))
    return open_run(folder)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_preflight_rows_are_those_of_the_first_step(tmp_path: Path, case: dict[str, Any]) -> None:
    exp = set_fields(small(run__steps=3), case)
    run, training = measured(tmp_path / "preflight", exp), trained(tmp_path / "run", exp)[0]
    assert run.meta is not None
    assert training.meta is not None
    assert run.meta.tables == training.meta.tables
    for table in run.meta.tables:
        ours, theirs = run.table(table).read(), training.table(table).read(0, 1)
        if table in ("update_ratio", "update_norm"):
            assert len(ours) == 0
            continue
        assert ours["step"].tolist() == [1]
        # A learned slope is recorded after its step; what was clipped, where a step clips.
        if table == "slope":
            assert ours["values"][0][0] == pytest.approx(0.01)
        elif table == "scalars":
            columns = [i for i, name in enumerate(run.scalar_names) if "clipped" not in name]
            np.testing.assert_array_equal(ours["values"][:, columns], theirs["values"][:, columns])
        else:
            np.testing.assert_array_equal(ours["values"], theirs["values"])


def test_preflight_numbers_are_torchs(tmp_path: Path) -> None:
    exp = set_fields(resolve("relu-20"), {"run.device": "cpu", "net.0.repeat": 5})
    run = measured(tmp_path / "preflight", exp)
    dataset = data.load(exp.data, exp.seed)
    net = nets.build(exp, dataset.shape, generator_seed=exp.seed)
    outputs: list[torch.Tensor] = []
    for layer in net.layers:
        layer.module.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    x, y = next(data.batches(dataset, exp.data.batch_size, exp.seed))
    loss = F.cross_entropy(net(x), y)
    for output in outputs:
        output.retain_grad()
    torch.autograd.backward(loss)
    assert run.scalars("loss")[1][0] == pytest.approx(float(loss.detach()), rel=1e-6)
    norms = [
        float(torch.cat([p.grad.flatten() for p in layer.parameters if p.grad is not None]).norm())
        for layer in net.layers
    ]
    np.testing.assert_allclose(run.layers("grad_norm")[1][0], norms, rtol=1e-5)
    signals = [float(output.grad.square().mean().sqrt()) for output in outputs if output.grad is not None]
    np.testing.assert_allclose(run.layers("output_grad_rms")[1][0], signals, rtol=1e-5)
    hidden = [F.relu(output.detach()) for output in outputs[:-1]]
    np.testing.assert_allclose(
        run.layers("activation_mean")[1][0][:-1], [float(h.mean()) for h in hidden], rtol=1e-5
    )
    dead = [float((h.amax(0) == 0).float().mean()) for h in hidden]
    np.testing.assert_allclose(run.layers("dead_fraction")[1][0][:-1], dead, atol=1e-6)


def test_preflight_reads_like_any_run(tmp_path: Path) -> None:
    exp = set_fields(resolve("sigmoid-20"), {"run.device": "cpu"})
    run = measured(tmp_path / "preflight", exp)
    snapshot = Follower(run, "output_grad_rms").poll()
    assert snapshot is not None
    assert snapshot.meta is not None
    assert snapshot.meta.preflight
    assert (snapshot.step, snapshot.steps, snapshot.latest_step) == (1, 1, 1)
    assert snapshot.timeline.rows.shape == (1, 21)
    assert snapshot.latest[0] / snapshot.latest[-2] < 1e-10
    assert [finding.code for finding in diagnose(evidence_of(run))] in ([], ["vanishing"])
    assert run.events()[-1]["event"] == "phase"


def test_preflight_starts_from_the_trainings_weights(tmp_path: Path) -> None:
    donor, _ = trained(tmp_path / "donor", small(run__steps=30))
    start = {"cures.pretrain.kind": "checkpoint", "cures.pretrain.path": str(donor.folder)}
    exp = set_fields(small(run__steps=2, seed=3), start)
    run, training = measured(tmp_path / "preflight", exp), trained(tmp_path / "run", exp)[0]
    assert run.scalars("loss")[1][0] == training.scalars("loss")[1][0]


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda:99", marks=pytest.mark.long)])
def test_trainer_preflights_a_folder_marked_for_it(tmp_path: Path, device: str) -> None:
    folder = create_run(small(run__device=device, run__steps=500), tmp_path, preflight=True)
    assert read_origin(folder).preflight
    assert start_trainer(folder).wait(60) == (0 if device == "cpu" else 1)
    run = open_run(folder)
    assert run.meta is not None
    assert run.meta.preflight
    if device == "cpu":
        assert (run.status.state, run.steps, run.meta.steps) == ("finished", 1, 1)
        assert run.experiment == small(run__steps=500)
        assert not (folder / "checkpoints").exists()
    else:
        assert run.status.state == "failed"
        assert "cuda:99 was requested" in run.status.reason
