"""Activations and output gradients of a watched model equal those of plain hooks and autograd."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import gradtui
from gradtui.monitor.watch import Probe
from gradtui.runs.reader import Run

pytestmark = pytest.mark.usefixtures("home")
Opened = Callable[[Probe], Run]


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(6)
        self.mlp = nn.Sequential(nn.Linear(6, 12), nn.ReLU(inplace=True), nn.Linear(12, 6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.mlp(self.norm(x))


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 6), nn.Sigmoid(), Block(), Block(), nn.Linear(6, 2))


def test_activations_and_output_gradients(opened: Opened) -> None:
    model = net()
    with torch.no_grad():
        # Three of twelve units never fire.
        model[2].mlp[0].weight[:3] = 0
        model[2].mlp[0].bias[:3] = -1
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    probe = gradtui.watch(model, optimizer, budget=None, activations=True)
    outputs: dict[str, torch.Tensor] = {}
    seen = {
        "0": model[0],
        "2.mlp": model[2].mlp[2],
        "4": model[4],
        "sigmoid": model[1],
        "relu": model[2].mlp[1],
    }
    handles = []

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
            if not output.requires_grad:
                return
            if name[0].isdigit():
                output.retain_grad()
            outputs[name] = output

        return hook

    x = torch.randn(32, 6)
    for step in range(4):
        if step == 3:
            handles = [module.register_forward_hook(keep(name)) for name, module in seen.items()]
        optimizer.zero_grad()
        # Evaluation in between is none of the training.
        with torch.no_grad():
            model(torch.zeros(4, 6))
        model(x).square().mean().backward()
        optimizer.step()
    assert handles
    run = opened(probe)
    assert run.layer_names == ["0", "2.norm", "2.mlp", "3.norm", "3.mlp", "4"]

    def last(measure: str) -> dict[str, float]:
        return dict(zip(run.layer_names, run.layers(measure)[1][-1].tolist(), strict=True))

    gradients = last("output_grad_rms")
    for name in ("0", "2.mlp", "4"):
        gradient = outputs[name].grad
        assert gradient is not None
        assert gradients[name] == pytest.approx(float(gradient.square().mean().sqrt()), rel=1e-5)
    means, deviations = last("activation_mean"), last("activation_std")
    for name, activation in (("0", "sigmoid"), ("2.mlp", "relu"), ("4", "4")):
        values = outputs[activation].detach()
        assert means[name] == pytest.approx(float(values.mean()), rel=1e-4)
        assert deviations[name] == pytest.approx(float(values.std(correction=0)), rel=1e-4)
    dead = last("dead_fraction")
    expected = float((outputs["relu"].detach() <= 0).all(0).float().mean())
    assert expected >= 0.25
    assert dead["2.mlp"] == pytest.approx(expected)
    assert np.isnan(dead["4"])
    assert last("saturated_fraction")["0"] == pytest.approx(
        float((4 * outputs["sigmoid"] * (1 - outputs["sigmoid"]) < 0.05).float().mean())
    )
    assert last("nonfinite") == dict.fromkeys(run.layer_names, 0.0)


def test_activations_under_a_scaler_and_of_modules_that_return_tuples(opened: Opened) -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(3, 4, batch_first=True)
            self.head = nn.Linear(4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.lstm(x)[0][:, -1])

    torch.manual_seed(0)
    model = Recurrent()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12)
    probe = gradtui.watch(model, optimizer, budget=None, activations=True)
    x = torch.randn(5, 7, 3)
    for _ in range(3):
        optimizer.zero_grad()
        output = model(x)
        scaler.scale(output.square().sum()).backward()
        scaler.step(optimizer)
        scaler.update()
    run = opened(probe)
    measured = run.layers("output_grad_rms")[1][-1]
    assert measured[1] == pytest.approx(float((2 * output.detach()).square().mean().sqrt()), rel=1e-5)
    assert np.isfinite(run.layers("activation_std")[1][-1]).all()


def test_models_are_saved_without_the_activation_hooks(opened: Opened) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = gradtui.watch(model, optimizer, budget=None, activations=True)
    for _ in range(3):
        model(torch.randn(4, 6)).sum().backward()
        optimizer.step()
        assert b"gradtui.monitor" not in pickle.dumps(model)
    opened(probe)
    # None is left behind in torch either.
    assert not torch.nn.modules.module._global_forward_hooks
