"""Test an offline run that wandb itself wrote, with its own watch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gradtui import open_run
from gradtui.importing.load import load
from gradtui.importing.log import ImportFailed

pytest.importorskip("wandb")

SCRIPT = """
import json, sys, torch, wandb
torch.manual_seed(0)
layers = [torch.nn.Linear(32, 32) for _ in range(12)]
model = torch.nn.Sequential(*(part for layer in layers for part in (layer, torch.nn.Tanh())))
run = wandb.init(project="old", name="my old run", mode="offline", dir=sys.argv[1])
run.watch(model, log="all", log_freq=1)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
norms = []
for step in range(25):
    optimizer.zero_grad()
    loss = model(torch.randn(16, 32)).square().mean()
    loss.backward()
    norms.append([float(torch.cat([p.grad.double().flatten() for p in l.parameters()]).norm()) for l in layers])
    run.log({"train": {"loss": loss.item()}, "odd": float("nan"), "text": "so so"})
    optimizer.step()
run.finish()
print(json.dumps(norms))
"""


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[float]]]:
    folder = tmp_path_factory.mktemp("wandb")
    environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=120)
    return folder, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.long
def test_an_offline_run_with_histograms_of_watch(
    offline: tuple[Path, list[list[float]]], tmp_path: Path
) -> None:
    folder, expected = offline
    (one,) = load(folder, tmp_path)
    assert one.folder is not None
    run = open_run(one.folder)
    assert run.name == "my old run"
    # 24 parameters' histograms a step are more than a block of the file holds.
    assert run.layer_names == [str(2 * number) for number in range(12)]
    steps, norms = run.layers("grad_norm")
    assert steps.tolist() == list(range(1, 26))
    np.testing.assert_allclose(norms, expected, rtol=0.03)
    assert len(run.scalars("loss")[1]) == 25
    assert np.isnan(run.scalars("odd")[1]).all()
    assert run.meta is not None
    assert run.meta.layers[0].parameters == 32 * 32 + 32
    assert run.meta.data["source"] == "W&B"
    assert run.meta.data["gradients"] == "estimated from bins of histograms"
    assert run.meta.data["layer_order"] == "by name"


@pytest.mark.long
def test_a_torn_file_is_read_as_far_as_it_is_whole(
    offline: tuple[Path, list[list[float]]], tmp_path: Path
) -> None:
    (file,) = offline[0].rglob("*.wandb")
    torn = tmp_path / "torn.wandb"
    torn.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    (one,) = load(torn, tmp_path / "runs")
    assert one.folder is not None
    assert 5 < open_run(one.folder).steps < 25


def test_what_is_none_of_theirs_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.wandb").write_bytes(b"something else")
    with pytest.raises(ImportFailed, match=r"a\.wandb: is not a W&B file"):
        list(load(tmp_path, tmp_path / "runs"))
