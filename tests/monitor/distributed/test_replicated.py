"""DDP in two real processes has the numbers of one process on the same global batch, written once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.monitor.conftest import oracle
from tests.monitor.distributed.launching import launch, the_run
from tests.support.replicated_net import material

pytestmark = pytest.mark.long

STEPS = 6
CLIP = 0.25


BODY = f"""
model = DistributedDataParallel(net)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
probe = gradtui.watch(model, optimizer, budget=None)
for step in range({STEPS}):
    optimizer.zero_grad()
    # Two micro-batches, of each of which a process has half; only the second is averaged over the processes.
    for part in range(2):
        mine = slice(16 * part + 8 * rank, 16 * part + 8 * rank + 8)
        with model.no_sync() if part == 0 else torch.enable_grad():
            (cross_entropy(model(x[mine]), y[mine]) / 2).backward()
    nn.utils.clip_grad_norm_(model.parameters(), {CLIP})
    optimizer.step()
    probe.log(loss=float(step))
"""


def test_ddp_norms_are_those_of_one_process_on_the_whole_batch(tmp_path: Path) -> None:
    path, x, y, net = material(tmp_path)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    norms, totals, clipped = [], [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        norms.append([oracle(list(m.parameters())) for m in (net.body[0], net.body[2], net.head)])
        totals.append(float(nn.utils.clip_grad_norm_(net.parameters(), CLIP)))
        clipped.append(oracle(list(net.parameters())))
        optimizer.step()

    done = launch(tmp_path, BODY, path)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["silent 1", "writes 0"]
    assert "WatchWarning" not in done.stderr
    run = the_run(tmp_path)
    assert run.layer_names == ["body.0", "body.2", "head"]
    assert run.meta is not None
    assert run.meta.data["model"] == {"": "Net"}
    np.testing.assert_allclose(run.layers("grad_norm")[1], norms, rtol=1e-4)
    np.testing.assert_allclose(run.scalars("grad_norm")[1], totals, rtol=1e-4)
    np.testing.assert_allclose(run.scalars("grad_norm_clipped")[1], clipped, rtol=1e-4)
    np.testing.assert_array_equal(run.scalars("loss")[1], np.arange(STEPS))
    assert run.status.state == "finished"
