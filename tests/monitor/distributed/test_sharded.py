"""With fully_shard (FSDP2) in real processes, the norms are those of whole layers."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.monitor.conftest import oracle
from tests.monitor.distributed.launching import launch, the_run
from tests.support.replicated_net import material

pytestmark = pytest.mark.long

SHARD = """
mesh = init_device_mesh("cpu", (size,))
for layer in (net.body[0], net.body[2]):
    fully_shard(layer, mesh=mesh)
fully_shard(net, mesh=mesh)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
share = 32 // size
mine = slice(share * rank, share * rank + share)
"""
TRAIN = """
probe = gradtui.watch(net, optimizer, budget={budget})
for step in range({steps}):
    optimizer.zero_grad()
    cross_entropy(net(x[mine]), y[mine]).backward()
    nn.utils.clip_grad_norm_(net.parameters(), 0.25)
    optimizer.step()
    probe.log(loss=float(step))
"""


def expected(x: torch.Tensor, y: torch.Tensor, net: nn.Module, steps: int) -> dict[str, np.ndarray]:
    """By one process, which holds everything."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    layers = [list(net.body[0].parameters()), list(net.body[2].parameters()), list(net.head.parameters())]
    found: dict[str, list[object]] = {name: [] for name in ("layers", "total", "clipped", "weights", "ratio")}
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        found["layers"].append([oracle(layer) for layer in layers])
        found["total"].append(float(nn.utils.clip_grad_norm_(net.parameters(), 0.25)))
        found["clipped"].append(oracle(list(net.parameters())))
        before = [torch.cat([p.detach().flatten() for p in layer]).clone() for layer in layers]
        optimizer.step()
        after = [torch.cat([p.detach().flatten() for p in layer]) for layer in layers]
        found["weights"].append([float(b.norm()) for b in before])
        found["ratio"].append([float((a - b).norm() / b.norm()) for a, b in zip(after, before, strict=True)])
    return {name: np.array(values) for name, values in found.items()}


# With three rows of weights, three of four processes have one each and the last has none.
@pytest.mark.parametrize("processes", [2, 4])
def test_fsdp2_norms_are_those_of_whole_layers(tmp_path: Path, processes: int) -> None:
    path, x, y, net = material(tmp_path)
    truth = expected(x, y, net, 20)
    done = launch(tmp_path, SHARD + TRAIN.format(budget=None, steps=20), path, processes=processes)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == [
        *(f"silent {rank}" for rank in range(1, processes)),
        "writes 0",
    ]
    assert "WatchWarning" not in done.stderr
    run = the_run(tmp_path)
    assert run.layer_names == ["body.0", "body.2", "head"]
    assert run.meta is not None
    assert run.meta.data["model"] == {"": "Net"}
    assert run.meta.parameters == sum(p.numel() for p in net.parameters())
    assert [layer.kind for layer in run.meta.layers] == ["linear"] * 3
    steps, norms = run.layers("grad_norm")
    np.testing.assert_array_equal(steps, np.arange(1, 21))
    np.testing.assert_allclose(norms, truth["layers"], rtol=1e-4)
    np.testing.assert_allclose(run.scalars("grad_norm")[1], truth["total"], rtol=1e-4)
    np.testing.assert_allclose(run.scalars("grad_norm_clipped")[1], truth["clipped"], rtol=1e-4)
    steps, ratio = run.layers("update_ratio")
    assert {1, 16} <= set(steps)
    np.testing.assert_allclose(ratio, truth["ratio"][steps - 1], rtol=1e-3)
    np.testing.assert_allclose(run.layers("weight_norm")[1], truth["weights"][steps - 1], rtol=1e-4)
    np.testing.assert_array_equal(run.scalars("loss")[1], np.arange(20))
    assert run.status.state == "finished"


def test_within_a_budget_the_recorded_steps_are_right(tmp_path: Path) -> None:
    path, x, y, net = material(tmp_path)
    truth = expected(x, y, net, 200)
    done = launch(tmp_path, SHARD + TRAIN.format(budget=0.01, steps=200), path)
    assert done.returncode == 0, done.stderr
    run = the_run(tmp_path)
    steps, norms = run.layers("grad_norm")
    assert 5 < len(steps) < 200
    # The last ones too: both processes have gone on to measure the same.
    assert steps[-1] > 100
    np.testing.assert_allclose(norms, truth["layers"][steps - 1], rtol=1e-2)


def test_replicated_parameters_are_counted_once(tmp_path: Path) -> None:
    path, x, y, net = material(tmp_path)
    truth = expected(x, y, net, 3)
    # The head is left alone, and every process has the whole batch: so all have the same gradient of it.
    body = (
        SHARD.replace("mesh=mesh)\noptim", "mesh=mesh, ignored_params=set(net.head.parameters()))\noptim")
        + "mine = slice(0, 32)"
        + TRAIN.format(budget=None, steps=3).replace(
            "    nn.utils.clip_grad_norm_(net.parameters(), 0.25)\n", ""
        )
    )
    done = launch(tmp_path, body, path)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(the_run(tmp_path).layers("grad_norm")[1][0], truth["layers"][0], rtol=1e-4)


def test_replicated_shards_are_counted_once(tmp_path: Path) -> None:
    path, x, y, net = material(tmp_path)
    truth = expected(x, y, net, 5)
    body = (SHARD + TRAIN.format(budget=None, steps=5)).replace(
        'init_device_mesh("cpu", (size,))',
        'init_device_mesh("cpu", (2, 2), mesh_dim_names=("replicate", "shard"))',
    )
    done = launch(tmp_path, body, path, processes=4)
    assert done.returncode == 0, done.stderr
    run = the_run(tmp_path)
    np.testing.assert_allclose(run.layers("grad_norm")[1], truth["layers"], rtol=1e-4)
    np.testing.assert_allclose(run.scalars("grad_norm")[1], truth["total"], rtol=1e-4)


def test_a_crashed_rank_does_not_block_the_others(tmp_path: Path) -> None:
    path, *_ = material(tmp_path)
    body = SHARD + TRAIN.format(budget=None, steps=10_000).replace(
        "    optimizer.zero_grad()", "    if step == 30 and rank == 1: os._exit(7)\n    optimizer.zero_grad()"
    )
    begin = time.monotonic()
    done = launch(tmp_path, body, path, timeout=60)
    assert done.returncode != 0
    assert time.monotonic() - begin < 50
    run = the_run(tmp_path)
    assert len(run.layers("grad_norm")[0]) >= 1
    assert run.status.state in ("failed", "died")


def test_watching_on_rank_0_alone_is_one_warning_and_does_not_block(tmp_path: Path) -> None:
    path, *_ = material(tmp_path)
    # As if a minute had passed already.
    body = (
        "from gradtui.monitor.distributed import reducers\nreducers.SILENCE_SECONDS = 0.0\n"
        + SHARD
        + TRAIN.format(budget=None, steps=300).replace(
            "probe = gradtui.watch(net, optimizer, budget=None)",
            "probe = gradtui.watch(net, optimizer, budget=None) if rank == 0 else gradtui.watch(nn.Linear(1, 1))",
        )
    )
    done = launch(tmp_path, body, path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("gradtui.watch has to be called in every process") == 1


def test_the_older_fsdp_is_refused_in_one_line(tmp_path: Path) -> None:
    path, *_ = material(tmp_path)
    body = """
from torch.distributed.fsdp import FullyShardedDataParallel
model = FullyShardedDataParallel(net, device_id=torch.device("cpu"))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
probe = gradtui.watch(model, optimizer)
"""
    done = launch(tmp_path, body, path, processes=2)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["silent 0", "silent 1"]
    assert done.stderr.count("fully_shard (FSDP2) is") == 2
