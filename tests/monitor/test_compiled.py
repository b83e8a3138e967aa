"""A compiled training has as many graphs with watching as without, and its layers stand in the order of their use."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gradtui
from gradtui.monitor.guard import WatchWarning
from gradtui.monitor.watch import Probe
from tests.monitor.conftest import oracle

Step = Callable[[Tensor], Tensor]


class Block(nn.Sequential):
    """A Block is compiled by itself: modules of torch's own are not."""

    def forward(self, x: Tensor) -> Tensor:
        """Add the block to its input."""
        out: Tensor = x + super().forward(x)
        return out


class Backwards(nn.Module):
    """A Backwards net calls its layers in another order than it registers them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.last = nn.Linear(8, 2)
        self.block = Block(nn.Linear(8, 8), nn.Tanh(), nn.LayerNorm(8))
        self.first = nn.Linear(4, 8)

    def forward(self, x: Tensor) -> Tensor:
        """Call `first`, the block, then `last`."""
        out: Tensor = self.last(self.block(torch.tanh(self.first(x))))
        return out


ORDER = ["first", "block.0", "block.2", "last"]
Made = tuple[Step, Callable[[], None]]


def counters() -> dict[str, Any]:
    """Return dynamo's counters. They are imported here, because each test process would wait for them at its start."""
    from torch._dynamo.utils import counters

    return counters


def compiled(model: Backwards, optimizer: torch.optim.Optimizer, **options: Any) -> Made:
    return torch.compile(model, **options), optimizer.step


def full_graph(model: Backwards, optimizer: torch.optim.Optimizer, **options: Any) -> Made:
    return torch.compile(model, fullgraph=True, **options), optimizer.step


def dynamic(model: Backwards, optimizer: torch.optim.Optimizer, **options: Any) -> Made:
    return torch.compile(model, dynamic=True, **options), optimizer.step


def in_place(model: Backwards, optimizer: torch.optim.Optimizer, **options: Any) -> Made:
    model.compile(**options)
    return model, optimizer.step


def submodule(model: Backwards, optimizer: torch.optim.Optimizer, **options: Any) -> Made:
    model.block = torch.compile(model.block, **options)  # type: ignore[assignment]
    return model, optimizer.step


def submodule_in_place(model: Backwards, optimizer: torch.optim.Optimizer, **options: Any) -> Made:
    model.block.compile(**options)
    return model, optimizer.step


def function(model: Backwards, optimizer: torch.optim.Optimizer, **options: Any) -> Made:
    return torch.compile(lambda x: model(x), fullgraph=True, **options), optimizer.step


def optimizer_step(model: Backwards, optimizer: torch.optim.Optimizer, **options: Any) -> Made:
    return model, torch.compile(lambda: optimizer.step(), **options)


WAYS = [
    compiled, full_graph, dynamic, in_place, submodule, submodule_in_place, function, optimizer_step,
]  # fmt: skip
OFTEN = (compiled, full_graph, in_place, submodule)
"""The ways that every run of the tests takes."""


def graphs() -> dict[str, int]:
    return {
        "graphs": counters()["stats"]["unique_graphs"],
        "recompilations": sum(counters()["recompiles"].values())
        + sum(counters()["recompile_limit"].values()),
    }


def trained(
    way: Callable[..., Made],
    watched: str,
    *,
    steps: int = 6,
    backend: str = "eager",
    **options: Any,
) -> tuple[dict[str, int], list[float], list[float], Probe | None]:
    """Train; `watched` says whether and when: "", "before" or "after" the model is compiled."""
    torch._dynamo.reset()  # type: ignore[no-untyped-call]
    counters().clear()
    model = Backwards()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    probe = None
    if watched == "before":
        probe = gradtui.watch(model, optimizer, budget=None, **options)
    call, move = way(model, optimizer, **({"backend": backend} if backend else {"mode": "reduce-overhead"}))
    if watched == "after":
        target = call if isinstance(call, nn.Module) else model
        probe = gradtui.watch(target, optimizer, budget=None, **options)
    losses, norms = [], []
    for step in range(steps):
        optimizer.zero_grad()
        # Further sizes make dynamo compile once more, with or without us.
        loss = call(torch.ones(3 + step // 2, 4) * step).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        norms.append(oracle(list(model.parameters())))
        losses.append(loss.item())
        move()
    if probe is not None:
        probe.close()
    return graphs(), losses, norms, probe


@pytest.mark.filterwarnings("ignore::gradtui.monitor.guard.WatchWarning")
@pytest.mark.parametrize(
    "way",
    [pytest.param(way, marks=() if way in OFTEN else pytest.mark.long) for way in WAYS],
    ids=[way.__name__ for way in WAYS],
)
def test_watching_costs_no_graph(home: Path, way: Callable[..., Made]) -> None:
    bare, losses, norms, _ = trained(way, "")
    assert bare["graphs"] > 0
    for watched, activations in (("before", True), ("after", False)):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            counted, seen, _, probe = trained(way, watched, activations=activations)
        assert counted == bare, watched
        assert seen == losses
        assert probe is not None
        assert probe.run is not None
        run = gradtui.open_run(probe.run)
        np.testing.assert_allclose(run.scalars("grad_norm")[1], norms, rtol=1e-5)
        assert run.layer_names == ORDER
        said = [str(one.message) for one in heard if issubclass(one.category, WatchWarning)]
        assert len(said) == activations, said
        assert all("records no activations" in text for text in said)
        assert not any("global hooks" in str(one.message) for one in heard)


@pytest.mark.long
def test_a_compiled_step_has_its_rows_and_compiles_nothing_of_gradtui(home: Path) -> None:
    def train(watched: bool) -> tuple[dict[str, int], Probe | None]:
        torch._dynamo.reset()  # type: ignore[no-untyped-call]
        counters().clear()
        model = Backwards()
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        probe = gradtui.watch(model, optimizer, budget=None) if watched else None

        @torch.compile(backend="eager")
        def step(x: Tensor) -> Tensor:
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
            return loss

        for number in range(5):
            step(torch.ones(3, 4) * number)
        if probe is not None:
            probe.close()
        return graphs(), probe

    bare, _ = train(False)
    counted, probe = train(True)
    assert counted == bare
    assert probe is not None
    assert probe.run is not None
    run = gradtui.open_run(probe.run)
    assert len(run.scalars("grad_norm")[1]) == 5
    assert run.layer_names == ORDER


def test_activations_end_where_a_model_is_compiled_under_way(home: Path) -> None:
    torch._dynamo.reset()  # type: ignore[no-untyped-call]
    model, original = Backwards(), torch.compile
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    probe = gradtui.watch(model, optimizer, budget=None, activations=True)

    def train(call: Step, steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            call(torch.ones(3, 4)).square().mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    train(model, 3)
    counters().clear()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        train(torch.compile(model, backend="eager"), 5)
    assert graphs() == {"graphs": 1, "recompilations": 0}
    # PyTorch may warn of other things, such as slower guards in Python 3.13.0.
    said = [str(one.message) for one in heard if issubclass(one.category, WatchWarning)]
    assert said == ["gradtui records no activations: torch.compile is at work"]
    probe.close()
    assert probe.run is not None
    assert torch.compile is original
    assert np.isfinite(gradtui.open_run(probe.run).layers("activation_std")[1]).any()


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_the_order_of_use_is_read_from_a_compiled_graph(home: Path, backend: str) -> None:
    _, _, _, probe = trained(compiled, "after", steps=2, backend=backend)
    assert probe is not None
    assert probe.run is not None
    assert gradtui.open_run(probe.run).layer_names == ORDER


@pytest.mark.long
@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling takes a compiler")
def test_watching_costs_no_graph_of_inductor(home: Path) -> None:
    bare, losses, _, _ = trained(compiled, "", backend="", steps=4)
    counted, seen, _, probe = trained(compiled, "after", backend="", steps=4)
    assert (counted, seen) == (bare, losses)
    assert probe is not None
    assert probe.run is not None
    assert gradtui.open_run(probe.run).layer_names == ORDER
