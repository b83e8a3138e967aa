"""What a training costs beside its gradients is told by its run: the time of a step, what is left, and memory."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch
from torch import nn

import gradtui
from gradtui.cli import main
from gradtui.monitor.costs import CostMeter
from gradtui.monitor.watch import Probe
from gradtui.runs.costs import RunCosts, newest_costs
from gradtui.runs.follower import Follower
from gradtui.runs.reader import Run
from gradtui.ui.run_stats import run_stats

Opened = Callable[[Probe], Run]


def test_costs_and_time_left_of_a_training(
    home: Path, opened: Opened, capsys: pytest.CaptureFixture[str]
) -> None:
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None, steps=100)
    model_2 = nn.Linear(4, 2)
    optimizer_2 = torch.optim.SGD(model_2.parameters(), 0.1)
    other = gradtui.watch(model_2, optimizer_2, budget=None, name="other")
    seconds = 0.0
    for step in range(10):
        (model(torch.randn(3, 4)) + model_2(torch.randn(3, 4))).sum().backward()
        optimizer.step()
        optimizer_2.step()
        other.log(progress=step / 40)
        time.sleep(0.05)
        if not step:
            # The first step takes longer than others.
            seconds = -time.monotonic()
    seconds += time.monotonic()
    for one in (probe, other):
        assert one._session is not None
        one._session.recorder.publish()
    time.sleep(0.3)
    assert probe.run is not None
    assert other.run is not None
    planned, progress = (Follower(gradtui.open_run(run)).poll() for run in (probe.run, other.run))
    assert planned is not None
    assert progress is not None
    # 90 steps of 100 are left, and 31 fortieths.
    assert planned.seconds_left == pytest.approx(90 * seconds / 9, rel=0.5)
    assert progress.seconds_left == pytest.approx(31 * seconds / 9, rel=0.5)
    other.close()
    run = opened(probe)
    resident = psutil.Process().memory_info().rss
    costs = newest_costs(run.events())
    assert costs.step_seconds == pytest.approx(seconds / 9, rel=0.5)
    assert costs.memory == pytest.approx(resident, rel=0.2)
    assert costs.gpu_allocated is costs.gpu_reserved is costs.gpu_use is None
    assert main(["diagnose", str(run.folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["costs"]
    assert told == {"step_seconds": costs.step_seconds, "memory": costs.memory}
    assert main(["diagnose", str(run.folder)]) == 0
    assert f"costs     {costs.words()}" in capsys.readouterr().out
    snapshot = Follower(run).poll()
    assert snapshot is not None
    assert snapshot.seconds_left is None
    assert (run_stats(snapshot, {}, ())[0].label, run_stats(snapshot, {}, ())[0].figure) == (
        "costs",
        costs.words(),
    )


def test_a_process_without_cuda_starts_none() -> None:
    meter = CostMeter(torch.device("cuda"))
    assert not torch.cuda.is_initialized()
    assert "gpu_allocated" not in meter.read(5, 1.0)
    assert not torch.cuda.is_initialized()
    assert "pynvml" not in sys.modules


def test_the_line_of_costs() -> None:
    costs = RunCosts(step_seconds=0.0125, memory=1.234e9, gpu_allocated=3e9, gpu_reserved=4.5e8, gpu_use=0.97)
    assert costs.words() == "12.5 ms/step · 1.23 GB · GPU 3 GB of 450 MB · GPU 97% busy · 80 steps/s"
    assert RunCosts().words() == ""
    assert newest_costs([{"event": "cost", "overhead": 0.01}]).known is False
    assert newest_costs([{"event": "cost", "memory": "much"}]) == RunCosts()
