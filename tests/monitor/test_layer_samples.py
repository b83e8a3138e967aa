"""Largest gradients, zeros, moments and updates are those that torch itself holds, also of single parameters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gradtui
from gradtui.absent import absent_in
from gradtui.monitor import layer_samples
from gradtui.monitor.watch import Probe
from gradtui.probe.gradient_sizes import grad_max, grad_zeros, moments_of
from gradtui.probe.layer_stats import samplers
from gradtui.runs.reader import Run
from tests.monitor.conftest import oracle

Opened = Callable[[Probe], Run]
OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "adamw": lambda p: torch.optim.AdamW(p, 0.01),
    "amsgrad, fused": lambda p: torch.optim.Adam(p, 0.01, amsgrad=True, fused=True),
    "nadam": lambda p: torch.optim.NAdam(p, 0.01),
    "momentum": lambda p: torch.optim.SGD(p, 0.01, momentum=0.9, nesterov=True),
}


class Net(nn.Module):
    """A net with dead units, a frozen layer, and one that no step uses."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(6, 8)
        self.frozen = nn.Linear(8, 8).requires_grad_(False)
        self.unused = nn.Linear(3, 3)
        self.last = nn.Linear(8, 2)
        with torch.no_grad():
            self.first.bias[:3] = -100.0

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.frozen(self.first(x).relu()).tanh())
        return out


def flat(tensors: list[Tensor]) -> Tensor:
    return torch.cat([one.detach().double().flatten() for one in tensors])


def wanted_of(
    parameters: list[nn.Parameter], gradients: list[Tensor], optimizer: torch.optim.Optimizer
) -> Any:
    states = [optimizer.state[p] for p in parameters]
    first = flat([state.get("exp_avg", state.get("momentum_buffer")) for state in states])
    second = [state["exp_avg_sq"] for state in states if "exp_avg_sq" in state]
    gradient = flat(gradients)
    return {
        "grad_max": gradient.abs().max(),
        "grad_zeros": (gradient == 0).double().mean(),
        "first_moment": first.square().mean().sqrt(),
        "second_moment": flat(second).square().mean().sqrt() if second else torch.nan,
        "moment_cosine": nn.functional.cosine_similarity(first, gradient, dim=0, eps=0),
    }


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_samples_are_what_torch_holds(
    name: str, home: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradtui.probe.sampling_budget.SamplingBudget.due", lambda self: True)
    monkeypatch.setattr(layer_samples, "EVERY", 1)
    model = Net()
    optimizer = OPTIMIZERS[name](model.parameters())
    probe = gradtui.watch(model, optimizer, budget=None)
    layers = [model.first, model.unused, model.last, model.frozen]
    wanted: dict[str, list[list[float]]] = {}
    updates, sizes = [], []
    for _ in range(6):
        optimizer.zero_grad()
        for _ in range(2):
            model(torch.randn(5, 6)).square().mean().backward()
        gradients = {p: p.grad.clone() for p in model.parameters() if p.grad is not None}
        sizes.append(
            [flat([gradients[p] for p in layer.parameters()]) for layer in (model.first, model.last)]
        )
        # The largest gradient is the one before clipping; moments come from the clipped one.
        nn.utils.clip_grad_norm_(model.parameters(), 0.01)
        before = flat(list(model.last.parameters()))
        optimizer.step()
        updates.append(float((flat(list(model.last.parameters())) - before).norm()))
        row = [
            wanted_of(list(layer.parameters()), [gradients[p] for p in layer.parameters()], optimizer)
            for layer in (model.first, model.last)
        ]
        for metric in row[0]:
            wanted.setdefault(metric, []).append([float(one[metric]) for one in row])
    assert probe._session is not None
    # The samples of updates may arrive some milliseconds earlier than these.
    probe._session.recorder._updates.catch_up(wait=True)
    run = opened(probe)
    at = [run.layer_names.index(name) for name in ("first", "last")]
    others = [run.layer_names.index(name) for name in ("frozen", "unused")]
    assert len(layers) == len(run.layer_names)
    assert ("second_moment" in run.metrics) == (name != "momentum")
    for metric, rows in wanted.items():
        if metric not in run.metrics:
            continue
        steps, values = run.layers(metric)
        assert steps.tolist() == [2, 3, 4, 5, 6]
        np.testing.assert_allclose(values[:, at], rows[1:], rtol=1e-5, err_msg=metric)
        assert absent_in(values[:, others]).all()
    for place, layer in enumerate(("first", "last")):
        counted = run.histogram(layer)
        # Rows become sparser: the gap is a quarter of the step.
        assert counted.steps.tolist() == [2, 3, 4, 5, 6]
        for row, step in enumerate(counted.steps):
            numbers = sizes[step - 1][place].abs().numpy()
            powers = np.floor(np.log2(numbers[numbers > 0]))
            assert counted.zeros[row] == pytest.approx((numbers == 0).mean())
            assert counted.nonfinite[row] == 0
            shares = [(powers == power).sum() / len(numbers) for power in counted.powers]
            np.testing.assert_allclose(counted.shares[row], shares, rtol=1e-6)
    assert all(np.isnan(run.histogram(name).zeros).all() for name in ("frozen", "unused"))
    np.testing.assert_allclose(run.layers("update_norm")[1][:, at[1]], updates, rtol=1e-4)


def test_every_parameter_is_a_layer_of_its_own(home: Path, opened: Opened) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.ReLU(), nn.Linear(6, 2))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    probe = gradtui.watch(model, optimizer, layers="params", budget=None, activations=True)
    for _ in range(4):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).square().mean().backward()
        norms = {name: oracle([p]) for name, p in model.named_parameters()}
        optimizer.step()
    run = opened(probe)
    assert run.layer_names == list(norms)
    np.testing.assert_allclose(run.layers("grad_norm")[1][-1], list(norms.values()), rtol=1e-6)
    assert run.meta is not None
    assert [layer.kind for layer in run.meta.layers][:4] == [
        "linear", "linear.bias", "layernorm", "layernorm.bias"
    ]  # fmt: skip
    assert [layer.parameters for layer in run.meta.layers] == [24, 6, 6, 6, 12, 2]
    # The path from input to output goes through the weights alone.
    assert [[run.layer_names[at] for at in path] for path in run.meta.paths] == [["0.weight", "3.weight"]]
    with gradtui.watch(model, optimizer, layers=r"params:^0\.", budget=None) as probe:
        model(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()
    assert opened(probe).layer_names == ["0.weight", "0.bias"]


def test_numbers_of_any_size_and_type() -> None:
    layers = [
        [torch.tensor([0.0, -3.0, 2.0]), torch.zeros(2, 2)],
        [torch.tensor([1e-30, 1.0], dtype=torch.float64), torch.tensor([torch.nan])],
        [torch.tensor([-torch.inf, 1.0]).half()],
        [torch.empty(0)],
    ]
    largest, zeros = grad_max(layers), grad_zeros(layers)
    np.testing.assert_array_equal(largest, [3.0, np.nan, np.inf, np.nan])
    np.testing.assert_allclose(zeros[:3], [5 / 7, 0.0, 0.0])
    assert absent_in(np.asarray(largest))[3]


def test_moments_of_vanishing_gradients_keep_their_direction() -> None:
    # Neither squares nor products of these can be held in float32.
    first, gradient = torch.tensor([3e-25, 4e-25]), torch.tensor([4e-26, 3e-26])
    moments = moments_of([[(first, None, gradient)], []])
    found = {one.name: one.compute(moments).numpy() for one in samplers("optimizer")}
    np.testing.assert_allclose(found["first_moment"][0], 5e-25 / 2**0.5, rtol=1e-6)
    np.testing.assert_allclose(found["moment_cosine"][0], 0.96, rtol=1e-6)
    assert all(absent_in(values)[1] for values in found.values())
    assert absent_in(found["second_moment"]).all()


def test_moments_of_sparse_gradients_are_compared_with_all_numbers_of_the_weight(
    home: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradtui.probe.sampling_budget.SamplingBudget.due", lambda self: True)
    monkeypatch.setattr(layer_samples, "EVERY", 1)
    model = nn.Embedding(50, 8, sparse=True)
    optimizer = torch.optim.SparseAdam(model.parameters(), 0.01)
    probe, wanted = gradtui.watch(model, optimizer, budget=None), []
    for _ in range(4):
        optimizer.zero_grad()
        model(torch.randint(0, 50, (6,))).square().sum().backward()
        optimizer.step()
        assert model.weight.grad is not None
        gradient, first = model.weight.grad.to_dense(), optimizer.state[model.weight]["exp_avg"]
        wanted.append(
            float(nn.functional.cosine_similarity(first.flatten(), gradient.flatten(), dim=0, eps=0))
        )
    steps, cosines = opened(probe).layers("moment_cosine")
    assert steps.tolist() == [2, 3, 4]
    np.testing.assert_allclose(cosines[:, 0], wanted[1:], rtol=1e-5)
