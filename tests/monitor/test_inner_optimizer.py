"""Test that optimizers inside wrappers, shaped like those of training libraries, are recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

import gradtui


class Subclass(Optimizer):
    """A Subclass calls itself an Optimizer, and never calls Optimizer's constructor."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    @property
    def param_groups(self) -> Any:
        """Return the groups of the optimizer inside."""
        return self.optimizer.param_groups

    def step(self, closure: Any = None) -> Any:
        """Take a step."""
        return self.optimizer.step(closure)


class Delegate:
    """A Delegate passes on whatever it does not have itself, and is not an Optimizer."""

    def __init__(self, optimizer: Any) -> None:
        self._optimizer = optimizer

    def __getattr__(self, name: str) -> Any:
        if name == "_optimizer":
            raise AttributeError(name)
        return getattr(self._optimizer, name)

    def step(self) -> Any:
        """Take a step."""
        return self._optimizer.step()


class Lookahead(Optimizer):
    """A Lookahead is an Optimizer of its own that shares the groups of the one inside."""

    def __init__(self, base: Optimizer) -> None:
        super().__init__([p for group in base.param_groups for p in group["params"]], {})
        self.base = base

    def step(self, closure: Any = None) -> Any:
        """Take a step of the optimizer inside."""
        return self.base.step(closure)


class Plain:
    """A Plain only has `step`, and shows neither groups nor the optimizers that it holds."""

    def __init__(self, *optimizers: Any) -> None:
        self.slow = [p.detach().clone() for one in optimizers for g in one.param_groups for p in g["params"]]
        self.optimizers = optimizers

    def step(self) -> None:
        """Take a step of each."""
        for one in self.optimizers:
            one.step()


def test_the_optimizers_of_a_plain_wrapper_are_watched(home: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    wrapper = Plain(torch.optim.SGD(model[0].parameters(), 0.1), torch.optim.Adam(model[1].parameters(), 0.1))
    probe = gradtui.watch(model, wrapper, budget=None)  # type: ignore[arg-type]
    for _ in range(3):
        model.zero_grad()
        model(torch.randn(3, 4)).pow(2).sum().backward()
        wrapper.step()
    probe.close()
    assert probe.run is not None
    run = gradtui.open_run(probe.run)
    assert run.steps == 3
    assert run.meta is not None
    assert sorted(run.meta.data["optimizer"].values()) == ["Adam", "SGD"]


@pytest.mark.parametrize("wrap", [Subclass, Delegate, Lookahead, Plain, lambda one: Delegate(Subclass(one))])
@pytest.mark.parametrize("several", [False, True])
def test_a_wrapped_optimizer_is_watched(home: Path, wrap: Any, several: bool) -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 2)
    inner = torch.optim.SGD(model.parameters(), 0.1)
    optimizer = wrap(inner)
    probe = gradtui.watch(model, [optimizer] if several else optimizer, budget=None)
    norms = []
    for _ in range(3):
        inner.zero_grad()
        model(torch.randn(3, 4)).pow(2).sum().backward()
        grads = [p.grad for p in model.parameters() if isinstance(p.grad, Tensor)]
        norms.append(float(torch.cat([g.flatten() for g in grads]).norm()))
        optimizer.step()
    probe.close()
    assert probe.run is not None
    recorded = gradtui.open_run(probe.run).scalars("grad_norm")[1]
    assert recorded.tolist() == pytest.approx(norms, rel=1e-5)
    assert not inner._optimizer_step_pre_hooks  # type: ignore[attr-defined]
    assert not inner._optimizer_step_post_hooks  # type: ignore[attr-defined]


def test_nothing_is_left_on_an_optimizer_whose_recording_has_failed(home: Path) -> None:
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    with pytest.warns(UserWarning, match="stopped watching"):
        probe.guard.fail("a test")
    probe.close()
    assert not optimizer._optimizer_step_pre_hooks  # type: ignore[attr-defined]
    assert not optimizer._optimizer_step_post_hooks  # type: ignore[attr-defined]
    assert not any(p._post_accumulate_grad_hooks or p._backward_hooks for p in model.parameters())
