"""A watched model is scripted, traced, copied and transformed as one that is not watched, at any time."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gradtui


class Backwards(nn.Module):
    """A Backwards net calls its layers in another order than it registers them."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(8, 2)
        self.first = nn.Linear(4, 8)

    def forward(self, x: Tensor) -> Tensor:
        """Call `first`, then `last`."""
        out: Tensor = self.last(torch.tanh(self.first(x)))
        return out


def _scripted(model: nn.Module) -> Any:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(model), buffer)  # type: ignore[no-untyped-call]
    buffer.seek(0)
    return torch.jit.load(buffer)  # type: ignore[no-untyped-call]


def _of_weights(model: nn.Module) -> Any:
    weights = {name: p.detach() for name, p in model.named_parameters()}
    return lambda x: torch.func.functional_call(model, weights, (x,))


def _by_example(model: nn.Module) -> Any:
    return torch.func.vmap(_of_weights(model))


def _with_gradient(model: nn.Module) -> Any:
    return torch.func.grad(lambda x: _of_weights(model)(x).sum())


WAYS: list[Callable[[nn.Module], Any]] = [
    _scripted,
    lambda model: torch.jit.trace(model, torch.ones(3, 4)),  # type: ignore[no-untyped-call]
    lambda model: pickle.loads(pickle.dumps(model)),
    copy.deepcopy,
    lambda model: torch.export.export(model, (torch.ones(3, 4),)).module(),
    torch.fx.symbolic_trace,
    _of_weights,
    _by_example,
    _with_gradient,
]
NAMES = ["script", "trace", "pickle", "deepcopy", "export", "fx", "functional_call", "vmap", "grad"]


@pytest.mark.parametrize("way", WAYS, ids=NAMES)
@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_watched_model_is_as_one_that_is_not_watched(home: Path, way: Callable[[nn.Module], Any]) -> None:
    torch.manual_seed(0)
    model = Backwards()
    bare = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None, activations=True)
    x = torch.randn(3, 4)
    for _ in range(3):
        made, expected = way(model), way(bare)
        assert torch.equal(made(x), expected(x))
        if isinstance(made, torch.fx.GraphModule):
            assert made.code == expected.code
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
        bare.load_state_dict(model.state_dict())
    probe.close()
    assert probe.run is not None
    assert gradtui.open_run(probe.run).layer_names == ["first", "last"]


def test_no_hook_is_ever_on_a_module_without_activations(home: Path) -> None:
    model = Backwards()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer)
    for _ in range(3):
        assert not nn.modules.module._has_any_global_hook()
        assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())
        model(torch.ones(2, 4)).sum().backward()
        optimizer.step()
    probe.close()
