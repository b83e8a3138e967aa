"""Test that an action of the script's author runs once for each finding, beside the training."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import gradtui
from gradtui.monitor.guard import WatchWarning
from gradtui.monitor.watch import Probe
from gradtui.runs.reader import open_run


def watched(runs: Path, action: Any, *, broken: bool) -> tuple[Probe, Callable[[], None]]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, runs=runs, budget=None, on_finding=action)
    x = torch.randn(32, 8)
    factor = float("nan") if broken else 1.0

    def step() -> None:
        optimizer.zero_grad()
        (nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long()) * factor).backward()
        optimizer.step()

    return probe, step


def test_the_action_is_run_once_while_the_training_continues(tmp_path: Path) -> None:
    calls: list[tuple[str, str]] = []

    def note(finding: dict[str, Any]) -> None:
        calls.append((finding["code"], threading.current_thread().name))

    probe, step = watched(tmp_path, note, broken=True)
    until = time.monotonic() + 60
    while not calls and time.monotonic() < until:
        step()
        time.sleep(0.01)
    assert calls, "it does not wait for the end of the training"
    probe.close()
    codes = [code for code, _ in calls]
    assert "nonfinite" in codes
    assert len(set(codes)) == len(codes)
    assert {thread for _, thread in calls} == {"gradtui-findings"}


def test_what_is_found_at_the_end_is_told_before_the_run_is_closed(tmp_path: Path) -> None:
    codes: list[str] = []
    probe, step = watched(tmp_path, lambda finding: codes.append(finding["code"]), broken=True)
    for _ in range(5):
        step()
    probe.close()
    assert "nonfinite" in codes


def test_a_healthy_training_runs_no_action_and_a_failing_action_is_one_warning(tmp_path: Path) -> None:
    calls: list[Any] = []
    probe, step = watched(tmp_path / "healthy", calls.append, broken=False)
    for _ in range(150):
        step()
    probe.close()
    assert calls == []

    def fails(finding: dict[str, Any]) -> None:
        raise RuntimeError("no mail today")

    probe, step = watched(tmp_path / "broken", fails, broken=True)
    for _ in range(5):
        step()
    with pytest.warns(WatchWarning, match="no mail today") as warned:
        probe.close()
    assert len(warned) == 1
    assert probe.run is not None
    assert open_run(probe.run).status.state == "finished"


def test_what_cannot_be_called_is_refused_and_the_script_continues(tmp_path: Path) -> None:
    with pytest.warns(WatchWarning, match="cannot be called"):
        probe, step = watched(tmp_path, "mail", broken=False)
    step()
    probe.close()
    assert probe.run is not None
    assert open_run(probe.run).status.step == 1
