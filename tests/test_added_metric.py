"""Test that a metric needs only a row in the registry and a computation to be recorded and drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gradtui
from gradtui import metrics
from gradtui.headlines import extremes_headline
from gradtui.metrics import Figure, Metric
from gradtui.probe import layer_stats
from gradtui.probe.layer_stats import sampler
from gradtui.report.run_json import run_object
from gradtui.runs.folder import new_folder, runs_root
from gradtui.runs.follower import Follower
from gradtui.runs.reader import Run, open_run
from gradtui.ui.app import GradtuiApp
from tests.support.lab import lab_of, no_standby, screen_text, until
from tests.support.trainings import small, trained

__all__ = ["no_standby"]


def zeros(tensors: list[Tensor]) -> float:
    return sum(int((tensor == 0).sum()) for tensor in tensors) / sum(tensor.numel() for tensor in tensors)


@pytest.fixture
def sparsity() -> Iterator[Metric]:
    """The share of zeros in the gradient of each layer's parameters, as `grad_zeros` has it, and in its output."""
    added = [
        metrics.register(
            Metric(
                name=f"{name}_sparsity",
                title=f"Zeros in the {name} of each layer",
                unit="share of entries that are 0",
                source=source,
                headline=extremes_headline(".0%", f"zeros in the {name}"),
                scale="linear",
                low=0.0,
                high=1.0,
                label=f"{name} zeros",
                format="{:.1%}",
                figure=Figure("{:.0%}"),
                json="last",
            )
        )
        for name, source in (("gradient", "gradients"), ("output", "outputs"))
    ]

    @sampler("gradient_sparsity")
    def gradient_sparsity(gradients: list[list[Tensor]]) -> np.ndarray:
        return np.array([zeros(layer) for layer in gradients])

    @sampler("output_sparsity")
    def output_sparsity(outputs: list[Tensor]) -> np.ndarray:
        return np.array([zeros([output]) for output in outputs])

    yield added[0]
    for metric in added:
        metrics.unregister(metric.name)
        del layer_stats.SAMPLERS[metric.name]


@pytest.fixture
def run(sparsity: Metric) -> Run:
    """A training of a ReLU net whose first layer's gradient has some zeros, because some of its units are dead."""
    exp = small(net__0__activation="relu", net__0__bias_mean=-0.1, run__steps=20)
    run, ending = trained(new_folder(runs_root(), "sparse"), exp)
    assert ending == ("finished", "")
    return run


def test_added_metric_is_recorded_by_a_training(run: Run) -> None:
    steps, shares = run.layers("gradient_sparsity")
    assert steps[0] == 1
    assert steps[-1] == 20
    assert shares.shape[1] == 3
    assert 0 < shares[0, 0] < 1
    output_steps, outputs = run.layers("output_sparsity")
    assert output_steps.tolist() == steps.tolist()
    assert (outputs[:, 0] == 0).all(), "pre-activations are no zeros"


def test_added_metric_is_the_computation_of_the_step_that_was_taken(sparsity: Metric) -> None:
    from gradtui.training.session import build
    from gradtui.training.step import Stepper

    exp = small(net__0__activation="relu", net__0__bias_mean=-0.1, run__steps=1)
    run, _ = trained(new_folder(runs_root(), "one step"), exp)
    session = build(exp)
    stepper = Stepper(session)
    stepper.backward(stepper.forward()[0])
    expected = [
        zeros([p.grad for p in layer.parameters if p.grad is not None]) for layer in session.net.layers
    ]
    np.testing.assert_allclose(run.layers("gradient_sparsity")[1][0], expected, rtol=1e-6)


def test_added_metric_is_printed_as_json(run: Run) -> None:
    printed = [layer["gradient_sparsity"] for layer in run_object(run, [])["layers"]]
    np.testing.assert_allclose(printed, run.layers("gradient_sparsity")[1][-1], rtol=1e-6)


def test_added_metric_reaches_the_follower_of_the_run(run: Run) -> None:
    follower = Follower(open_run(run.folder), "gradient_sparsity")
    assert follower.poll() is not None
    latest = follower.latest("gradient_sparsity")
    assert latest is not None
    step, shares = latest
    assert step == 20
    np.testing.assert_array_equal(shares, run.layers("gradient_sparsity")[1][-1])


async def test_added_metric_is_drawn_in_the_lab(run: Run, sparsity: Metric) -> None:
    shares = run.layers("gradient_sparsity")[1][-1]
    low, high = (f"{share:.0%}" for share in (shares.min(), shares.max()))
    app = GradtuiApp(attach=run.folder)
    async with app.run_test(size=(120, 40)) as pilot:
        await lab_of(pilot)
        await until(pilot, lambda: metrics.get("grad_norm").title in screen_text(app))
        for _ in metrics.registered():
            await pilot.press("2", "m")
            if sparsity.title in screen_text(app):
                break
        await until(pilot, lambda: sparsity.title in screen_text(app))
        await until(pilot, lambda: f"zeros in the gradient from {low}" in screen_text(app))
        assert f"to {high}" in screen_text(app)


def test_added_metrics_are_recorded_of_a_watched_script(sparsity: Metric, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with gradtui.watch(model, optimizer, runs=tmp_path, budget=None, activations=True) as watched:
        for _ in range(5):
            optimizer.zero_grad()
            model(torch.randn(16, 4)).square().mean().backward()
            optimizer.step()
    recorded = open_run(watched.run)
    _, shares = recorded.layers("output_sparsity")
    assert len(shares) > 0
    assert (shares == 0).all()
    steps, zeros_of_gradients = recorded.layers("gradient_sparsity")
    same_steps, same = recorded.layers("grad_zeros")
    assert steps.tolist() == same_steps.tolist()
    np.testing.assert_allclose(zeros_of_gradients, same, rtol=1e-6)
