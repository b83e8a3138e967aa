"""Each stage of a pipeline is a run with its own norms; DeepSpeed's ZeRO, whose gradients are elsewhere, is refused.

DeepSpeed is not among the libraries that are installed for the tests. So its part is taken by parameters with the same
attributes, `_hp_mapping` (ZeRO 1 and 2) and `ds_id` (ZeRO 3), and by an optimizer of flat parts of them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import gradtui
from gradtui.monitor.guard import WatchWarning
from tests.monitor.conftest import oracle
from tests.monitor.distributed.launching import launch
from tests.support.replicated_net import material

STEPS = 5
PIPELINE = f"""
from torch.distributed.pipelining import PipelineStage, ScheduleGPipe
parts = nn.Sequential(net.body[:2], nn.Sequential(*net.body[2:], net.head))
stage = PipelineStage(parts[rank], rank, 2, torch.device("cpu"))
schedule = ScheduleGPipe(stage, 4, loss_fn=cross_entropy)
optimizer = torch.optim.SGD(parts[rank].parameters(), lr=0.1)
probe = gradtui.watch(parts[rank], optimizer, budget=None, name="pipe")
for step in range({STEPS}):
    optimizer.zero_grad()
    schedule.step(x) if rank == 0 else schedule.step(target=y)
    optimizer.step()
"""


@pytest.mark.long
def test_each_stage_of_a_pipeline_is_a_run_with_its_norms(tmp_path: Path) -> None:
    path, x, y, net = material(tmp_path)
    parts = [nn.Sequential(*net.body[:2]), nn.Sequential(*net.body[2:], net.head)]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    wanted: list[list[float]] = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        wanted.append([oracle(list(part.parameters())) for part in parts])
        optimizer.step()
    done = launch(tmp_path, PIPELINE, path)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["writes 0", "writes 1"]
    assert "WatchWarning" not in done.stderr
    runs = {run.name: run for run in map(gradtui.open_run, (tmp_path / "runs").iterdir())}
    assert set(runs) == {"pipe · stage 1 of 2", "pipe · stage 2 of 2"}
    for number in range(2):
        run = runs[f"pipe · stage {number + 1} of 2"]
        np.testing.assert_allclose(run.scalars("grad_norm")[1], [row[number] for row in wanted], rtol=1e-4)
        assert run.scalars("clipped")[1].sum() == 0
        assert run.status.state == "finished"


@pytest.mark.parametrize("attribute", ["_hp_mapping", "ds_id"])
def test_gradients_in_parts_of_deepspeed_are_refused_in_one_line(home: Path, attribute: str) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    flat = nn.Parameter(torch.cat([p.detach().flatten() for p in model.parameters()])[:10])
    for p in model.parameters():
        setattr(p, attribute, None)
    optimizer = torch.optim.Adam([flat])
    with pytest.warns(
        WatchWarning, match="no layer's norm can be shown; engine.get_global_grad_norm"
    ) as said:
        probe = gradtui.watch(model, optimizer, budget=None)
    (line,) = said
    assert "\n" not in str(line.message)
    flat.grad = torch.ones(10)
    optimizer.step()
    probe.log(loss=1.0)
    probe.close()
    assert probe.run is None
    assert not list(home.iterdir() if home.exists() else ())
