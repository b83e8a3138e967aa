"""An optimizer that is given other parameters is followed, or the recording stops and says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import gradtui
from gradtui.monitor.guard import WatchWarning


def _step(model: nn.Module, optimizer: torch.optim.Optimizer) -> float:
    optimizer.zero_grad()
    model(torch.randn(16, 8)).pow(2).mean().backward()
    held = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    optimizer.step()
    return float(torch.stack([grad.norm() for grad in held]).norm())


def test_weights_assigned_anew_stop_the_recording_with_its_reason(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None, runs=tmp_path)
    want = [_step(model, optimizer) for _ in range(4)]
    model.load_state_dict({name: value.clone() for name, value in model.state_dict().items()}, assign=True)
    optimizer.param_groups[0]["params"] = [p.requires_grad_() for p in model.parameters()]
    with pytest.warns(WatchWarning, match="parameters that it did not have"):
        _step(model, optimizer)
    for _ in range(3):
        _step(model, optimizer)
    probe.close()
    run = gradtui.open_run(probe.run)
    assert run.scalars("grad_norm")[1].tolist() == pytest.approx(want)
    assert (run.status.state, "parameters" in run.status.reason) == ("stopped", True)


def test_groups_exchanged_for_equally_many_others_are_followed(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    optimizer = torch.optim.SGD(model[0].parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None, runs=tmp_path)
    want = [_step(model, optimizer) for _ in range(4)]
    optimizer.param_groups[0]["params"] = list(model[1].parameters())
    want += [_step(model, optimizer) for _ in range(4)]
    probe.close()
    assert gradtui.open_run(probe.run).scalars("grad_norm")[1].tolist() == pytest.approx(want)


def _net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))


def test_a_weight_that_was_replaced_behind_the_optimizer_stops_the_recording(tmp_path: Path) -> None:
    model = _net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None, runs=tmp_path)
    want = [_step(model, optimizer) for _ in range(4)]
    model[2].weight = nn.Parameter(model[2].weight.detach().clone())  # type: ignore[operator,union-attr]
    with pytest.warns(WatchWarning, match="parameters that it did not have"):
        _step(model, optimizer)
    probe.close()
    run = gradtui.open_run(probe.run)
    assert run.scalars("grad_norm")[1].tolist() == pytest.approx(want)
    assert run.status.state == "stopped"


def test_biases_tied_later_and_another_number_type_are_followed(tmp_path: Path) -> None:
    model = _net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None, runs=tmp_path)
    want = [_step(model, optimizer) for _ in range(3)]
    model[2].bias = model[0].bias
    want += [_step(model, optimizer) for _ in range(5)]
    model.double()
    torch.set_default_dtype(torch.float64)
    try:
        want += [_step(model, optimizer) for _ in range(3)]
    finally:
        torch.set_default_dtype(torch.float32)
    probe.close()
    run = gradtui.open_run(probe.run)
    assert run.scalars("grad_norm")[1].tolist() == pytest.approx(want)
    assert (run.status.state, run.status.reason) == ("finished", "")


@pytest.mark.parametrize("keeps_the_old", [True, False])
def test_an_optimizer_made_anew_is_reported_once(tmp_path: Path, keeps_the_old: bool) -> None:
    model = _net()
    optimizers = [torch.optim.SGD(model.parameters(), 0.1)]
    probe = gradtui.watch(model, optimizers[0], budget=None, runs=tmp_path)
    want = [_step(model, optimizers[0]) for _ in range(4)]
    if not keeps_the_old:
        optimizers.clear()
    other = torch.optim.SGD(model.parameters(), 0.1)

    def go_on() -> None:
        for _ in range(40):
            _step(model, other)

    with pytest.warns(WatchWarning, match="not through step") as told:
        go_on()
    assert len(told) == 1
    probe.close()
    run = gradtui.open_run(probe.run)
    assert run.scalars("grad_norm")[1].tolist() == pytest.approx(want)
    assert "optimizer" in run.status.reason


def test_an_optimizer_made_anew_and_watched_anew_is_not_reported(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    model = _net()
    for _ in range(2):
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        probe = gradtui.watch(model, optimizer, budget=None, runs=tmp_path)
        for _ in range(20):
            _step(model, optimizer)
        del optimizer
        probe.close()
    assert not [one for one in recwarn if isinstance(one.message, WatchWarning)]
    assert len(gradtui.open_run(probe.run).scalars("grad_norm")[0]) == 20


class _Sharpness(torch.optim.Optimizer):
    """An optimizer whose `step` nothing calls, as published ones for sharpness-aware minimisation are used."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model.parameters(), {"lr": 0.05})
        self._kept: list[torch.Tensor] = []

    def step(self, closure: object = None) -> None:  # type: ignore[override]
        raise NotImplementedError

    @torch.no_grad()
    def first_step(self) -> None:
        held = self.param_groups[0]["params"]
        self._kept = [p.clone() for p in held]
        for p in held:
            p.add_(p.grad, alpha=0.01)

    @torch.no_grad()
    def second_step(self) -> None:
        for p, kept in zip(self.param_groups[0]["params"], self._kept, strict=True):
            p.copy_(kept).add_(p.grad, alpha=-0.05)


def test_an_optimizer_whose_step_is_never_called_is_reported(tmp_path: Path) -> None:
    model = _net()
    optimizer = _Sharpness(model)
    probe = gradtui.watch(model, optimizer, runs=tmp_path)

    def train() -> None:
        for _ in range(20):
            for move in (optimizer.first_step, optimizer.second_step):
                optimizer.zero_grad()
                model(torch.randn(16, 8)).pow(2).mean().backward()
                move()

    with pytest.warns(WatchWarning, match="call probe.step") as told:
        train()
    probe.close()
    assert len(told) == 1
    assert "took no step" in gradtui.open_run(probe.run).status.reason


def test_a_method_that_looks_ahead_between_two_steps_is_not_reported(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    model = _net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None, runs=tmp_path)
    for _ in range(10):
        for _ in range(4):
            optimizer.zero_grad()
            model(torch.randn(16, 8)).pow(2).mean().backward()
            with torch.no_grad():
                for p in model.parameters():
                    p.add_(p, alpha=1e-4)
        _step(model, optimizer)
    probe.close()
    assert not [one for one in recwarn if isinstance(one.message, WatchWarning)]
    run = gradtui.open_run(probe.run)
    assert (len(run.scalars("grad_norm")[0]), run.status.reason) == (10, "")


def _swapped(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.grad = None
        torch.utils.swap_tensors(parameter, nn.Parameter(parameter.detach() / 2))


@pytest.mark.parametrize("convert", [lambda m: m.double(), lambda m: m.bfloat16().float(), _swapped])
def test_tensors_that_are_swapped_are_followed_and_the_script_may_swap_them(
    tmp_path: Path, convert: Callable[[nn.Module], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.__future__, "_swap_module_params_on_conversion", True)

    def train(*, watched: bool) -> tuple[list[float], list[nn.Parameter]]:
        model = _net()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        probe = gradtui.watch(model, optimizer, budget=None, runs=tmp_path) if watched else None
        torch.manual_seed(1)
        norms: list[float] = []
        for step in range(6):
            if step == 3:
                convert(model)
            dtype = next(model.parameters()).dtype
            optimizer.zero_grad()
            model(torch.randn(16, 8, dtype=dtype)).pow(2).mean().backward()
            norms.append(float(nn.utils.clip_grad_norm_(model.parameters(), 0.01)))
            optimizer.step()
        if probe is not None:
            probe.close()
            run = gradtui.open_run(probe.run)
            assert run.scalars("grad_norm")[1].tolist() == pytest.approx(norms)
            assert run.scalars("grad_norm_clipped")[1].tolist() == pytest.approx([0.01] * 6, rel=1e-3)
        return norms, list(model.parameters())

    bare, weights = train(watched=False)
    norms, moved = train(watched=True)
    assert norms == bare
    assert all(map(torch.equal, weights, moved))


@pytest.mark.parametrize("before", [True, False])
def test_hooks_of_the_script_are_after_a_swap_what_they_are_without_watching(
    tmp_path: Path, before: bool
) -> None:
    def train(*, watched: bool) -> int:
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        probe = gradtui.watch(model, optimizer, budget=None, runs=tmp_path) if watched else None
        called: list[int] = []
        for step in range(4):
            if step == 2:
                _swapped(model)
            if step == (0 if before else 2):
                model.weight.register_post_accumulate_grad_hook(lambda _: called.append(1))  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            model(torch.ones(2, 4)).sum().backward()
            optimizer.step()
        if probe is not None:
            probe.close()
            status = gradtui.open_run(probe.run).status
            assert (status.state, "swapping" in status.reason) == (
                ("stopped", True) if before else ("finished", False)
            )
        return len(called)

    bare = train(watched=False)
    if before:
        with pytest.warns(WatchWarning, match="swapping"):
            assert train(watched=True) == bare == 2
    else:
        assert train(watched=True) == bare == 2


def _assigned(model: nn.Sequential) -> None:
    model.load_state_dict({name: value.clone() for name, value in model.state_dict().items()}, assign=True)
    model.requires_grad_()


def _through_meta(model: nn.Sequential) -> None:
    model.to("meta").to_empty(device="cpu")
    _initialised(model)


def _initialised(model: nn.Sequential) -> None:
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)


def _new_head(model: nn.Sequential) -> None:
    model[4] = nn.Linear(8, 2)


def _weight_norm(model: nn.Sequential) -> None:
    nn.utils.parametrizations.weight_norm(model[2])


class _Symmetric(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + weight.T

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        return weight / 2


def _parametrised(model: nn.Sequential) -> None:
    nn.utils.parametrize.register_parametrization(model[2], "weight", _Symmetric())


def _parametrised_and_back(model: nn.Sequential) -> None:
    _parametrised(model)
    nn.utils.parametrize.remove_parametrizations(model[2], "weight")


def _pruned(model: nn.Sequential) -> None:
    prune.l1_unstructured(model[2], "weight", 0.3)  # type: ignore[no-untyped-call]


def _with_other_memory(model: nn.Sequential) -> None:
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()


STOPS = [_assigned, _through_meta, _new_head, _weight_norm]
GOES_ON = [_parametrised, _parametrised_and_back, _pruned, _with_other_memory]


@pytest.mark.parametrize("to_none", [True, False])
@pytest.mark.parametrize("change", [*STOPS, *GOES_ON])
def test_what_changes_in_mid_run_is_followed_or_told_of_and_never_a_zero(
    tmp_path: Path, change: Callable[[nn.Sequential], None], to_none: bool, recwarn: pytest.WarningsRecorder
) -> None:
    model = _net()
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    probe = gradtui.watch(model, optimizer, budget=None, runs=tmp_path)
    want = []
    for step in range(20):
        if step == 9:
            change(model)
        optimizer.zero_grad(set_to_none=to_none)
        model(torch.randn(16, 8)).pow(2).mean().backward()
        held = [p.grad for p in optimizer.param_groups[0]["params"] if p.grad is not None]
        want.append(float(torch.stack([grad.norm() for grad in held]).norm()) if held else 0.0)
        optimizer.step()
    probe.close()
    run = gradtui.open_run(probe.run)
    stops = change in STOPS
    assert run.scalars("grad_norm")[1].tolist() == pytest.approx(want[:9] if stops else want)
    assert (run.layers("grad_norm")[1] > 0).all()
    told = [one for one in recwarn if isinstance(one.message, WatchWarning)]
    assert (run.status.state, len(told)) == (("stopped", 1) if stops else ("finished", 0))
    assert ("parameters that it did not have" in run.status.reason) == stops
