"""After a run has ended nothing of gradtui is left: hooks, attributes and PyTorch's own functions are as before."""

from __future__ import annotations

import gc
import sys
import time
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad

import gradtui
from gradtui.monitor.guard import WatchWarning
from gradtui.monitor.watch import Probe


def _contents(one: Any) -> Any:
    """Return a value that differs if hooks or attributes differ; tensors count by their identity."""
    if isinstance(one, dict):
        return type(one).__name__, [(_contents(key), _contents(value)) for key, value in one.items()]
    return id(one) if not isinstance(one, str | int | float | bool | None) else one


def _state(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    owners = [*model.modules(), optimizer]
    hooks = ("_backward_hooks", "_post_accumulate_grad_hooks", "__dict__")
    globals_ = vars(nn.modules.module)
    return {
        "objects": [_contents(vars(one)) for one in owners],
        "parameters": [[_contents(getattr(p, name, None)) for name in hooks] for p in model.parameters()],
        "torch": [id(one) for one in (torch.autograd.backward, torch.compile, *vars(clip_grad).values())],
        "clip": [
            id(cell.cell_contents)
            for function in (clip_grad.clip_grad_norm_, clip_grad.clip_grad_value_)
            for cell in function.__closure__ or ()
        ],
        "global hooks": [_contents(value) for name, value in globals_.items() if name.startswith("_global_")],
        "optimizer hooks": [
            _contents(value)
            for name, value in vars(sys.modules["torch.optim.optimizer"]).items()
            if name.startswith("_global_")
        ],
    }


def _train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 5) -> None:
    for _ in range(steps):
        model(torch.ones(4, 8)).pow(2).mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.filterwarnings("ignore:gradtui has stopped")
@pytest.mark.parametrize("end", ["close", "with", "dropped", "failed"])
def test_after_the_end_everything_is_as_before(home: Path, end: str) -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    _train(model, optimizer)
    before = _state(model, optimizer)
    probe = gradtui.watch(model, optimizer, budget=None, activations=True)
    assert _state(model, optimizer) != before
    _train(model, optimizer)
    if end == "with":
        with probe:
            _train(model, optimizer)
    elif end == "failed":
        probe.guard.fail("for this test")
    if end != "dropped":
        probe.close()
        assert _state(model, optimizer) == before
    else:
        outside = {name: before[name] for name in ("torch", "clip", "global hooks", "optimizer hooks")}
        del model, optimizer
        gc.collect()
        _wait_for_end(probe)
        other = nn.Linear(1, 1)
        now = _state(other, torch.optim.SGD(other.parameters(), 0.1))
        assert {name: now[name] for name in outside} == outside


def _wait_for_end(probe: Probe) -> None:
    assert probe.run is not None
    for _ in range(200):
        if gradtui.open_run(probe.run).status.state == "finished":
            return
        time.sleep(0.05)
    raise AssertionError("the run goes on")


def test_recording_keeps_no_object_of_the_script_until_the_garbage_collector_runs(tmp_path: Path) -> None:
    """An error that is caught within, such as that of a file that is not there yet, holds no frame of the script."""

    def train() -> weakref.ref[nn.Module]:
        model, batch = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)), nn.Module()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        probe = gradtui.watch(model, optimizer, budget=None, activations=True, runs=tmp_path)
        for _ in range(5):
            probe.log(loss=1.0)
            _train(model, optimizer)
        probe.close()
        return weakref.ref(batch)

    # The first optimizer of a process makes PyTorch import modules that keep frames.
    torch.optim.SGD([torch.ones(1, requires_grad=True)], 0.1)
    gc.collect()
    gc.disable()
    try:
        assert train()() is None
    finally:
        gc.enable()


CELL = """
import torch, gradtui
from torch import nn
if "model" not in globals():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    OLD = []
optimizer = torch.optim.SGD(model.parameters(), 0.1)
probe = gradtui.watch(model, optimizer, budget=None, runs=RUNS)
PROBES.append(probe)
if KEEPS_OLD:
    OLD.append(optimizer)
for step in range(10):
    optimizer.zero_grad()
    model(torch.ones(4, 8)).pow(2).mean().backward()
    optimizer.step()
"""


@pytest.mark.parametrize("keeps_old", [True, False])
def test_a_cell_that_is_run_again_ends_the_run_before(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, keeps_old: bool
) -> None:
    variables: dict[str, Any] = {"RUNS": tmp_path, "PROBES": [], "KEEPS_OLD": keeps_old}
    for _ in range(3):
        exec(CELL, variables)
    first, second, third = variables["PROBES"]
    for probe in (first, second):
        _wait_for_end(probe)
        reason = gradtui.open_run(probe.run).status.reason
        assert reason == ("its model is watched again by a new call" if keeps_old else "")
    model = variables["model"]
    assert sum(len(p._post_accumulate_grad_hooks or ()) for p in model.parameters()) == 2
    third.close()
    assert [len(gradtui.open_run(probe.run).scalars("grad_norm")[0]) for probe in variables["PROBES"]] == [
        10
    ] * 3
    assert not [one for one in recwarn if "gradtui" in str(one.message)]


def test_an_end_has_a_reason_only_where_the_training_went_on(tmp_path: Path) -> None:
    """A function that trains and returns its model ends normally; a new optimizer that is not watched does not."""

    def train() -> tuple[nn.Module, Probe]:
        model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
        optimizer = torch.optim.Adam(model.parameters())
        probe = gradtui.watch(model, optimizer, runs=tmp_path)
        take_steps(model, optimizer)
        return model, probe

    def take_steps(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        for _ in range(10):
            optimizer.zero_grad()
            model(torch.ones(4, 8)).pow(2).mean().backward()
            optimizer.step()

    model, probe = train()
    gc.collect()
    _wait_for_end(probe)
    assert probe.run is not None
    assert gradtui.open_run(probe.run).status.reason == ""
    model(torch.ones(4, 8)).sum().backward()
    assert gradtui.open_run(probe.run).status.reason == ""
    with pytest.warns(WatchWarning, match="not through step"):
        take_steps(model, torch.optim.SGD(model.parameters(), 0.1))
    status = gradtui.open_run(probe.run).status
    assert (status.state, status.step) == ("finished", 10)
    assert (
        status.reason
        == "the watched optimizer was deleted, and something else has trained the model since then"
    )
