"""Test that recorded numbers are right for any script between its backward passes and its steps."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

import gradtui
from gradtui.diagnosis.monitor import diagnose_run
from gradtui.monitor.watch import Probe
from gradtui.runs.reader import Run
from tests.monitor.conftest import oracle

pytestmark = pytest.mark.usefixtures("home")
Opened = Callable[[Probe], Run]


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))


def loss_of(model: nn.Module, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(16, 8, generator=generator)
    return nn.functional.cross_entropy(model(x), torch.arange(16) % 3)


def norms_of(model: nn.Module) -> list[float]:
    return [oracle(list(m.parameters())) for m in model.modules() if isinstance(m, nn.Linear)]


def test_accumulated_gradients_are_measured_as_the_optimizer_gets_them(opened: Opened) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    expected = []
    for step in range(5):
        optimizer.zero_grad()
        for part in range(4):
            (loss_of(model, 10 * step + part) / 4).backward()
        expected.append(norms_of(model))
        optimizer.step()
    run = opened(probe)
    steps, norms = run.layers("grad_norm")
    np.testing.assert_array_equal(steps, np.arange(1, 6))
    np.testing.assert_allclose(norms, expected, rtol=1e-5)
    assert not run.scalars("clipped")[1].any()


def test_norms_before_and_after_clipping_are_recorded(opened: Opened) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    before, totals, after = [], [], []
    for step in range(6):
        optimizer.zero_grad()
        (loss_of(model) * 100).backward()
        before.append(norms_of(model))
        totals.append(float(nn.utils.clip_grad_norm_(model.parameters(), 0.5 if step % 2 else 1e9)))
        after.append(oracle(list(model.parameters())))
        optimizer.step()
    run = opened(probe)
    np.testing.assert_allclose(run.layers("grad_norm")[1], before, rtol=1e-5)
    np.testing.assert_allclose(run.scalars("grad_norm")[1], totals, rtol=1e-5)
    np.testing.assert_allclose(run.scalars("grad_norm_clipped")[1], after, rtol=1e-5)
    np.testing.assert_array_equal(run.scalars("clipped")[1], [0, 1, 0, 1, 0, 1])


def _from_noise(parameter: nn.Parameter, *, copied: bool) -> None:
    noise = torch.randn_like(parameter) * 30
    if copied and parameter.grad is not None:
        parameter.grad.copy_(noise)
    else:
        parameter.grad = noise


@pytest.mark.parametrize(("passes", "copied"), [(0, False), (1, False), (1, True), (2, True)])
@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_])
def test_gradients_written_by_hand_have_their_own_norm_before_clipping(
    opened: Opened, passes: int, copied: bool, clip: Callable[..., Any]
) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    probe = gradtui.watch(model, optimizer, budget=None)
    before, after = [], []
    for _ in range(5):
        optimizer.zero_grad()
        for _ in range(passes):
            loss_of(model).backward()
        for parameter in model.parameters():
            _from_noise(parameter, copied=copied)
        before.append(oracle(list(model.parameters())))
        clip(model.parameters(), 0.1)
        after.append(oracle(list(model.parameters())))
        optimizer.step()
    run = opened(probe)
    np.testing.assert_allclose(run.scalars("grad_norm")[1], before, rtol=1e-5)
    np.testing.assert_allclose(run.scalars("grad_norm_clipped")[1], after, rtol=1e-5)


@pytest.mark.parametrize("unscaled_by_script", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_scaled_gradients_are_shown_unscaled(opened: Opened, unscaled_by_script: bool, fused: bool) -> None:
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**14)
    probe = gradtui.watch(model, optimizer, budget=None)
    expected = []
    for step in range(6):
        optimizer.zero_grad()
        reference = copy.deepcopy(model)
        loss_of(reference, step).backward()
        expected.append(norms_of(reference))
        scaler.scale(loss_of(model, step)).backward()
        if unscaled_by_script:
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
    run = opened(probe)
    np.testing.assert_allclose(run.layers("grad_norm")[1], expected, rtol=1e-4)
    np.testing.assert_allclose(
        run.scalars("grad_norm_clipped")[1], np.linalg.norm(expected, axis=1), rtol=1e-4
    )
    assert not run.scalars("clipped")[1].any()
    assert not run.scalars("skipped")[1].any()


@pytest.mark.parametrize("fused", [False, True])
def test_scaled_and_clipped_gradients_are_shown_unscaled(opened: Opened, fused: bool) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    probe = gradtui.watch(model, optimizer, budget=None)
    totals = []
    for step in range(4):
        optimizer.zero_grad()
        scaler.scale(loss_of(model, step)).backward()
        scaler.unscale_(optimizer)
        totals.append(float(nn.utils.clip_grad_norm_(model.parameters(), 0.1)))
        scaler.step(optimizer)
        scaler.update()
    run = opened(probe)
    np.testing.assert_allclose(run.scalars("grad_norm")[1], totals, rtol=1e-4)
    np.testing.assert_allclose(run.scalars("grad_norm_clipped")[1], 0.1, rtol=1e-4)


@pytest.mark.parametrize("fused", [False, True])
def test_steps_that_the_scaler_leaves_out_are_marked(opened: Opened, fused: bool) -> None:
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    probe = gradtui.watch(model, optimizer, budget=None)
    for step in range(1, 9):
        optimizer.zero_grad()
        scaler.scale(loss_of(model) * (1e38 if step in (1, 4) else 1.0)).backward()
        weights = model[0].weight.detach().clone()
        scaler.step(optimizer)
        assert torch.equal(weights, model[0].weight) == (step in (1, 4))
        scaler.update()
    run = opened(probe)
    steps, skipped = run.scalars("skipped")
    np.testing.assert_array_equal(steps, np.arange(1, 9))
    np.testing.assert_array_equal(np.flatnonzero(skipped) + 1, [1, 4])
    total = run.scalars("grad_norm")[1]
    np.testing.assert_array_equal(np.isfinite(total), skipped == 0)
    layers = run.layers("grad_norm")[1]
    np.testing.assert_array_equal(np.isfinite(layers), np.repeat(skipped[:, None] == 0, 3, axis=1))
    # The product of the loss and the scale overflows at these steps, and not the loss.
    assert run.scalars("loss")[0].tolist() == [2, 3, 5, 6, 7, 8]
    assert "nonfinite" not in [finding.code for finding in diagnose_run(run).findings]


def test_an_infinite_loss_is_excused_only_where_the_scaler_left_the_step_out(opened: Opened) -> None:
    for broken, found in (({1, 4}, False), ({1, 5, 6, 7, 8}, True)):
        model = net()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
        probe = gradtui.watch(model, optimizer, budget=None)
        for step in range(1, 9):
            optimizer.zero_grad()
            loss = loss_of(model) * (math.inf if step in broken else 1.0)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            probe.log(loss=loss)
        codes = [finding.code for finding in diagnose_run(opened(probe)).findings]
        assert ("nonfinite" in codes) == found


def test_tied_frozen_and_unused_parameters(opened: Opened) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(6, 20, bias=False)
            self.unused = nn.Linear(4, 4)
            self.frozen = nn.Linear(6, 6)
            self.body = nn.Linear(6, 6)
            self.embedding = nn.Embedding(20, 6)
            self.head.weight = self.embedding.weight
            self.frozen.requires_grad_(False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.body(self.frozen(self.embedding(x))))

    torch.manual_seed(0)
    model = Tied()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    probe = gradtui.watch(model, optimizer, budget=None)
    tokens = torch.arange(20)
    expected = []
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(tokens), tokens).backward()
        expected.append([oracle([model.embedding.weight]), oracle(list(model.body.parameters()))])
        optimizer.step()
    run = opened(probe)
    # In the order of the forward pass; what it never calls follows whom it was registered behind.
    assert [name for name in run.layer_names if name != "unused"] == ["embedding", "frozen", "body"]
    norms = dict(zip(run.layer_names, run.layers("grad_norm")[1].T, strict=True))
    np.testing.assert_allclose(np.array([norms["embedding"], norms["body"]]).T, expected, rtol=1e-5)
    assert np.isnan(norms["frozen"]).all()
    assert np.isnan(norms["unused"]).all()
    np.testing.assert_allclose(run.scalars("grad_norm")[1], np.linalg.norm(expected, axis=1), rtol=1e-5)
    assert run.meta is not None
    assert run.meta.parameters == sum(p.numel() for p in model.parameters())


def test_a_layer_without_a_gradient_in_one_step(opened: Opened) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    for step in range(4):
        optimizer.zero_grad()
        x = torch.randn(4, 8)
        (model(x) if step % 2 == 0 else model[4](x)).sum().backward()
        optimizer.step()
    norms = opened(probe).layers("grad_norm")[1]
    np.testing.assert_array_equal(np.isnan(norms[:, 0]), [False, True, False, True])
    assert np.isfinite(norms[:, 2]).all()


def test_norms_of_sparse_gradients(opened: Opened) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(50, 4, sparse=True), nn.Flatten(), nn.Linear(12, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    expected = []
    for step in range(3):
        optimizer.zero_grad()
        # The same row twice: their gradients add up.
        model(torch.tensor([[3, 3, step], [3, 7, 9]])).square().sum().backward()
        expected.append([oracle([model[0].weight]), oracle(list(model[2].parameters()))])
        optimizer.step()
    np.testing.assert_allclose(opened(probe).layers("grad_norm")[1], expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.complex64])
def test_norms_of_gradients_of_other_number_types(opened: Opened, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = nn.Linear(8, 4).to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    expected = []
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(8, 8).to(dtype)).abs().sum().backward()
        expected.append(oracle(list(model.parameters())))
        optimizer.step()
    np.testing.assert_allclose(opened(probe).layers("grad_norm")[1][:, 0], expected, rtol=1e-3)


@pytest.mark.parametrize("scale", [1e-35, 1e25])
def test_norms_over_the_whole_range_of_float32(opened: Opened, scale: float) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    probe = gradtui.watch(model, optimizer, budget=None)
    (loss_of(model) * scale).backward()
    expected = [
        float(torch.cat([p.grad.double().flatten() for p in m.parameters()]).norm())
        for m in model
        if isinstance(m, nn.Linear)
    ]
    optimizer.step()
    np.testing.assert_allclose(opened(probe).layers("grad_norm")[1][0], expected, rtol=1e-5)


def test_learning_rates_of_parameter_groups_also_of_one_added_later(opened: Opened) -> None:
    model = net()
    optimizer = torch.optim.SGD(
        [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[2].parameters(), "lr": 0.01}]
    )
    probe = gradtui.watch(model, optimizer, budget=None)
    expected = []
    for step in range(4):
        if step == 2:
            optimizer.add_param_group({"params": model[4].parameters(), "lr": 0.001})
        model.zero_grad()
        loss_of(model).backward()
        expected.append(norms_of(model)[: 3 if step >= 2 else 2])
        optimizer.step()
    run = opened(probe)
    norms = run.layers("grad_norm")[1]
    np.testing.assert_allclose(norms[:2, :2], expected[:2], rtol=1e-5)
    np.testing.assert_allclose(norms[2:], expected[2:], rtol=1e-5)
    # What no optimizer moves has no number.
    assert np.isnan(norms[:2, 2]).all()
    np.testing.assert_allclose(run.scalars("lr")[1], 0.1, rtol=1e-6)
    np.testing.assert_allclose(run.scalars("lr_1")[1], 0.01, rtol=1e-6)


def test_norms_of_a_step_with_a_closure(opened: Opened) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    expected = []

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        expected.append(norms_of(model))
        return loss

    for _ in range(3):
        optimizer.step(closure)
    np.testing.assert_allclose(opened(probe).layers("grad_norm")[1], expected, rtol=1e-5)


def test_norms_under_reentrant_checkpointing(opened: Opened) -> None:
    from torch.utils.checkpoint import checkpoint

    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    expected = []
    for _ in range(3):
        optimizer.zero_grad()
        hidden = torch.randn(16, 8, requires_grad=True)
        for part in (model[:2], model[2:4], model[4:]):
            hidden = checkpoint(part, hidden, use_reentrant=True)
        hidden.square().sum().backward()
        expected.append(norms_of(model))
        optimizer.step()
    run = opened(probe)
    np.testing.assert_allclose(run.layers("grad_norm")[1], expected, rtol=1e-5)
    assert not run.scalars("clipped")[1].any()


def test_without_an_optimizer_probe_step_records_the_step(opened: Opened) -> None:
    model = net()
    probe = gradtui.watch(model, budget=None)
    expected = []
    for step in range(3):
        model.zero_grad()
        loss_of(model, step).backward()
        expected.append(norms_of(model))
        probe.step()
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.1 * p.grad
    run = opened(probe)
    np.testing.assert_allclose(run.layers("grad_norm")[1], expected, rtol=1e-5)


@pytest.mark.long
def test_norms_of_a_compiled_model(opened: Opened) -> None:
    model = net()
    compiled = torch.compile(model, backend="aot_eager")
    optimizer = torch.optim.SGD(compiled.parameters(), lr=0.1)
    probe = gradtui.watch(compiled, optimizer, budget=None)
    expected = []
    for step in range(3):
        optimizer.zero_grad()
        loss_of(compiled, step).backward()
        expected.append(norms_of(model))
        optimizer.step()
    run = opened(probe)
    assert run.layer_names == ["0", "2", "4"]
    np.testing.assert_allclose(run.layers("grad_norm")[1], expected, rtol=1e-5)


def test_norms_of_a_model_compiled_after_it_is_watched(opened: Opened) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    for step in range(3):
        optimizer.zero_grad()
        loss_of(compiled, step).backward()
        optimizer.step()
    run = opened(probe)
    assert run.layer_names == ["0", "2", "4"]
    assert len(run.layers("grad_norm")[0]) == 3
