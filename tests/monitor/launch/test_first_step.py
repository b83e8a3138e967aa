"""Test what is found at an optimizer's first step: models, parts, wrappers, and what is not recorded."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

import gradtui
from gradtui.monitor.guard import WatchWarning
from gradtui.monitor.launch.early_passes import EarlyPasses
from gradtui.monitor.launch.first_step import MOST_RUNS, FirstSteps
from gradtui.monitor.launch.options import LaunchOptions, read_notes
from gradtui.monitor.launch.process_objects import ProcessObjects
from gradtui.monitor.variable_names import names_of, script_name
from gradtui.runs.library import list_runs
from gradtui.runs.reader import Run


class Recording:
    """The hook of the start-up module, in this process."""

    def __init__(self, home: Path, **options: object) -> None:
        self._root = home
        self.first_steps = FirstSteps(LaunchOptions(budget=None, **options).to_json())  # type: ignore[arg-type]
        self._handle = register_optimizer_step_pre_hook(self.first_steps.before_step)

    def end(self) -> None:
        """Call back no more."""
        self._handle.remove()

    def runs(self) -> list[Run]:
        """End the runs, and return them, the oldest first."""
        gc.collect()
        for watched in self.first_steps._watched:
            watched.probe.close()
        opened = [gradtui.open_run(one.run) for one in list_runs(self._root)]
        # The names of folders tell runs apart by seconds alone.
        return sorted(opened, key=lambda run: run.meta.started if run.meta is not None else 0.0)


@pytest.fixture(autouse=True)
def no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another test may have imported the lab's own trainer, whose process records nothing."""
    monkeypatch.delitem(sys.modules, "gradtui.training.session", raising=False)


@pytest.fixture
def recording(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    monkeypatch.setattr("sys.argv", ["train.py"])
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    made = Recording(home)
    yield made
    made.end()


def train(model: nn.Module, *optimizers: torch.optim.Optimizer, steps: int = 2) -> None:
    for _ in range(steps):
        model.zero_grad()
        model(torch.randn(5, 4)).square().mean().backward()
        for optimizer in optimizers:
            optimizer.step()


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


class Wrapper(nn.Module):
    """A module around a model, with something frozen beside it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.teacher = net().requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x) + self.teacher(x)  # type: ignore[no-any-return]


def test_the_outermost_module_is_the_model(recording: Recording) -> None:
    wrapped = Wrapper(net())
    view = nn.Sequential(*list(wrapped.model.children())[:1])
    train(wrapped, torch.optim.SGD(wrapped.model.parameters(), 0.1))
    (run,) = recording.runs()
    assert run.layer_names == ["model.0", "model.2", "teacher.0", "teacher.2"]
    assert len(view) == 1


def test_of_two_holders_the_one_that_holds_all_is_taken_and_else_the_smaller() -> None:
    model = net()
    part = nn.Sequential(model[0])
    larger = Wrapper(model)
    assert ProcessObjects().models_of(list(model.parameters())) == [larger]
    del larger
    gc.collect()
    exact = nn.Sequential(model)
    assert ProcessObjects().models_of(list(model.parameters())) == [exact]
    assert ProcessObjects().models_of(list(part.parameters())) == [part]


def test_models_come_in_the_order_of_the_parameters_and_loose_tensors_are_left_out() -> None:
    large, small, loose = net(), nn.Linear(2, 1), torch.zeros(3, requires_grad=True)
    assert ProcessObjects().models_of([loose, *small.parameters(), *large.parameters()]) == [small, large]
    assert ProcessObjects().models_of([loose]) == []


def test_an_optimizer_within_another_one_is_not_recorded_beside_it(recording: Recording) -> None:
    class Lookahead(torch.optim.Optimizer):
        def __init__(self, inner: torch.optim.Optimizer) -> None:
            super().__init__(inner.param_groups, {})
            self.inner = inner

        def step(self, closure: None = None) -> None:  # type: ignore[override]
            self.inner.step()

    model = net()
    train(model, Lookahead(torch.optim.SGD(model.parameters(), 0.1)), steps=4)
    (run,) = recording.runs()
    assert run.steps == 4


def test_an_optimizer_that_comes_later_starts_a_run_of_both(recording: Recording) -> None:
    model = net()
    first = torch.optim.SGD(model[0].parameters(), 0.1)
    train(model, first, steps=3)
    train(model, first, torch.optim.SGD(model[2].parameters(), 0.1), steps=2)
    alone, both = recording.runs()
    # The first optimizer takes its fourth step before the second one is noticed.
    assert (alone.steps, both.steps) == (4, 2)
    assert "grad_norm" in both.meta.tables  # type: ignore[union-attr]


def test_one_name_for_one_model_and_names_of_variables_for_several(home: Path) -> None:
    # Optimizers of other tests that are still in memory would count as others of this script.
    gc.collect()
    recording = Recording(home, name="mine")
    try:
        model = net()
        train(model, torch.optim.SGD(model.parameters(), 0.1))
        generator = net()
        train(generator, torch.optim.SGD(generator.parameters(), 0.1))
        assert [run.name for run in recording.runs()] == ["mine", "mine · generator"]
    finally:
        recording.end()


@pytest.mark.parametrize(
    ("program", "name"), [("-", ""), ("-c", ""), ("train.py", "train"), ("net/__main__.py", "net")]
)
def test_only_a_script_or_a_package_gives_a_name(
    program: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    monkeypatch.setattr("sys.argv", [program])
    assert script_name() == name


def test_names_are_those_of_variables_and_differ() -> None:
    one, other = nn.Linear(2, 2), nn.Linear(2, 2)
    assert names_of([one, other, nn.Linear(2, 2), nn.Linear(2, 2)], ["A", "B", "Linear", "Linear"]) == [
        "one",
        "other",
        "Linear",
        "Linear 2",
    ]
    weights = {"first.weight": torch.ones(2), "last": torch.ones(2)}
    scales = [torch.ones(1), torch.ones(1)]
    assert names_of([*weights.values(), *scales], [""] * 4) == [
        "first_weight",
        "last",
        "scales[0]",
        "scales[1]",
    ]


def test_a_failure_is_one_warning_and_the_training_continues(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("something")

    monkeypatch.setattr("gradtui.monitor.launch.first_step.ProcessObjects", fail)
    model = net()
    with pytest.warns(UserWarning, match="cannot watch this training: ValueError: something") as warned:
        train(model, torch.optim.SGD(model.parameters(), 0.1), steps=3)
    assert len(warned) == 1
    assert recording.runs() == []


def test_thousands_of_small_trainings_are_not_thousands_of_runs(recording: Recording) -> None:
    recording.first_steps._run_count = MOST_RUNS - 1
    for _ in range(3):
        model = net()
        train(model, torch.optim.SGD(model.parameters(), 0.1))
    assert len(recording.runs()) == 1


def test_a_compiled_model_has_the_layers_of_the_model_inside(recording: Recording) -> None:
    model = torch.compile(net(), backend="eager")
    train(model, torch.optim.SGD(model.parameters(), 0.1))  # type: ignore[arg-type,union-attr]
    (run,) = recording.runs()
    assert run.layer_names == ["0", "2"]
    assert run.steps == 2


def test_looking_for_a_variable_leaves_no_reference_and_what_the_script_holds_alone() -> None:
    def script() -> None:
        model = nn.Linear(2, 2)
        gone = weakref.ref(model)
        assert names_of([model], [""]) == ["model"]
        del model
        assert gone() is None

    def script_with_locals() -> None:
        model = nn.Linear(2, 2)
        mine = locals()
        assert names_of([model], [""]) == ["model"]
        assert mine["model"] is model

    script()
    script_with_locals()


@pytest.mark.parametrize("loose", [False, True])
def test_gradients_written_by_hand_without_a_backward_pass_are_recorded(
    recording: Recording, loose: bool
) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(6, 3).requires_grad_(False)
    weights, shift = (layer.weight, layer.bias) if not loose else (torch.randn(3, 6), torch.zeros(3))
    optimizer = torch.optim.SGD([weights, shift], 0.1)
    x, y = torch.randn(64, 6), torch.randn(64, 3)
    wanted = []
    for _ in range(12):
        error = x @ weights.T + shift - y
        weights.grad, shift.grad = 2 * error.T @ x / error.numel(), 2 * error.sum(0) / error.numel()
        wanted.append(float(torch.cat([weights.grad.flatten(), shift.grad]).norm()))
        optimizer.step()
    (run,) = recording.runs()
    steps, norms = run.scalars("grad_norm")
    assert steps.tolist() == list(range(1, 13))
    assert norms.tolist() == pytest.approx(wanted, rel=1e-5)
    assert run.scalars("clipped")[1].sum() == 0


def test_flat_parts_of_parameters_that_deepspeed_has_cut_are_no_run(recording: Recording) -> None:
    """A stand-in with the attribute of ZeRO 1 and 2, since DeepSpeed is not installed here."""
    model = net()
    for p in model.parameters():
        p._hp_mapping = None  # type: ignore[attr-defined]
    part = torch.randn(10, requires_grad=True)
    part.grad = torch.ones(10)
    optimizer = torch.optim.AdamW([part])
    with pytest.warns(WatchWarning, match="watch this training: DeepSpeed's ZeRO keeps the gradients"):
        optimizer.step()
    optimizer.step()
    assert recording.runs() == []


@pytest.mark.parametrize("way", ["added", "dropped", "zeroed", "never", "other"])
def test_the_loss_of_the_first_step_is_that_of_the_passes_its_gradient_is_from(
    way: str, home: Path, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The passes before the first step have ended when the model is found, so that their roots have to be kept."""
    early = EarlyPasses()
    first_steps = FirstSteps(LaunchOptions(budget=None).to_json(), early)
    monkeypatch.setattr(recording, "first_steps", first_steps)
    recording.end()
    handle = register_optimizer_step_pre_hook(first_steps.before_step)
    model, other = net(), net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def backward(loss: torch.Tensor) -> float:
        early.begin([loss], {})
        loss.backward()  # type: ignore[no-untyped-call]
        early.end()
        return loss.item()

    losses: list[float] = []
    for _ in range(3):
        before = backward(model(torch.randn(5, 4)).square().mean())
        if way == "dropped":
            optimizer.zero_grad()
        elif way == "zeroed":
            optimizer.zero_grad(set_to_none=False)
        elif way == "other":
            optimizer.zero_grad()
            backward(other(torch.randn(5, 4)).square().mean())
        last = backward(model(torch.randn(5, 4)).square().mean()) if way != "never" else before
        losses.append((before + last) / 2 if way == "added" else last)
        optimizer.step()
        optimizer.zero_grad()
    handle.remove()
    (run,) = recording.runs()
    steps, values = run.scalars("loss")
    assert steps.tolist() == [1, 2, 3]
    np.testing.assert_allclose(values, losses, rtol=1e-6)


class _FabricModule(nn.Module):
    """What Lightning's Fabric puts around a model, which is a child of it under two names."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._forward_module = self._original_module = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._forward_module(x)  # type: ignore[no-any-return]


def test_a_weight_that_was_replaced_is_no_part_of_its_own_and_fabric_adds_no_names(
    home: Path, recording: Recording
) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    nn.utils.parametrizations.weight_norm(model[0])
    train(_FabricModule(model), optimizer, steps=3)
    (run,) = recording.runs()
    assert run.name.endswith("· Sequential")
    assert run.layer_names == ["0", "2"]


@pytest.mark.parametrize("later", [False, True], ids=["from the first step on", "later"])
def test_a_run_that_the_script_records_by_itself_is_noted_once(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: bool
) -> None:
    monkeypatch.setattr("sys.argv", ["train.py"])
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    notes = tmp_path / "notes"
    notes.touch()
    recording = Recording(home, notes=(str(notes),))
    model = net()
    optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in (model[0], model[2])]
    try:
        if later:
            train(model, *optimizers)
        with gradtui.watch(model, optimizers, name="mine") as probe:
            train(model, *optimizers)
        noted = [Path(note["run"]) for note in read_notes(notes)]
        assert noted.count(Path(str(probe.run))) == 1
        assert noted[-1] == probe.run
        assert len(noted) == len(recording.runs()) == (2 if later else 1)
    finally:
        recording.end()
