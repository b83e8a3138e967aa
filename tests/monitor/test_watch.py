"""One line records a training: the norm of every layer equals that of plain autograd."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import gradtui
from gradtui.cli import main
from gradtui.monitor.watch import Probe
from gradtui.runs.reader import Run
from tests.monitor.conftest import oracle

pytestmark = pytest.mark.usefixtures("home")
Opened = Callable[[Probe], Run]


def net(depth: int = 3, width: int = 8) -> nn.Sequential:
    torch.manual_seed(0)
    blocks = [m for _ in range(depth) for m in (nn.Linear(width, width), nn.Tanh())]
    return nn.Sequential(*blocks, nn.Linear(width, 3))


def batch(width: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(16, width), torch.randint(0, 3, (16,))


def test_the_norm_of_every_layer_is_recorded_at_every_step(opened: Opened) -> None:
    model, (x, y) = net(), batch()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    probe = gradtui.watch(model, optimizer, budget=None)
    expected, losses, ratios = [], [], []
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        expected.append([oracle(list(model[k].parameters())) for k in (0, 2, 4, 6)])
        before = torch.nn.utils.parameters_to_vector(model[0].parameters()).detach().clone()
        optimizer.step()
        after = torch.nn.utils.parameters_to_vector(model[0].parameters()).detach()
        ratios.append(float((after - before).norm() / before.norm()))
        losses.append(float(loss.detach()))
        probe.log(loss=loss)
    run = opened(probe)
    assert run.layer_names == ["0", "2", "4", "6"]
    steps, norms = run.layers("grad_norm")
    np.testing.assert_array_equal(steps, np.arange(1, 21))
    np.testing.assert_allclose(norms, expected, rtol=1e-5)
    np.testing.assert_allclose(run.scalars("grad_norm")[1], np.linalg.norm(expected, axis=1), rtol=1e-5)
    np.testing.assert_allclose(run.scalars("lr")[1], 0.01, rtol=1e-6)
    looked, found = run.layers("update_ratio")
    np.testing.assert_allclose(found[:, 0], np.array(ratios)[looked - 1], rtol=1e-3)
    steps, values = run.scalars("loss")
    np.testing.assert_array_equal(steps, np.arange(1, 21))
    np.testing.assert_allclose(values, losses, rtol=1e-6)
    assert run.status.state == "finished"


def test_diagnose_says_which_gradient_a_watched_run_shows(
    opened: Opened, capsys: pytest.CaptureFixture[str]
) -> None:
    model, (x, y) = net(), batch()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = gradtui.watch(model, optimizer)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    run = opened(probe)
    assert main(["diagnose", str(run.folder)]) == 0
    page = capsys.readouterr().out
    assert "before clipping" in page
    assert "of the step time" in page
    assert main(["diagnose", str(run.folder), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["steps"] == 3
    assert said["overhead"] == pytest.approx(probe.overhead)
    assert [layer["name"] for layer in said["layers"]] == ["0", "2", "4", "6"]
