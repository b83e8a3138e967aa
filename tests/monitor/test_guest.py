"""Watching changes no number of the script's training, keeps nothing alive, and never raises."""

from __future__ import annotations

import contextlib
import copy
import gc
import pickle
import random
import shutil
import subprocess
import time
import tracemalloc
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import gradtui
from gradtui.monitor.guard import WatchWarning
from gradtui.monitor.watch import Probe
from gradtui.runs.library import list_runs
from gradtui.runs.reader import Run
from tests.monitor.conftest import oracle

Opened = Callable[[Probe], Run]


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))


def train(model: nn.Module, steps: int, probe: Probe | None, optimizer: torch.optim.Optimizer) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(torch.randn(16, 8)), torch.arange(16) % 3)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if probe is not None:
            probe.log(loss=loss)
            probe.control()


@pytest.fixture
def silence() -> Iterator[None]:
    """A warning of gradtui is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", WatchWarning)
        yield


@contextmanager
def one_warning(words: str) -> Iterator[pytest.WarningsRecorder]:
    """Exactly one warning of gradtui comes, with these words."""
    with pytest.warns(WatchWarning, match=words) as warned:
        yield warned
    assert len(warned) == 1


@pytest.mark.usefixtures("home", "silence")
@pytest.mark.parametrize("options", [{}, {"budget": None, "activations": True}])
def test_watching_does_not_change_a_bit_of_the_training(options: dict[str, Any]) -> None:
    def trained(watched: bool) -> tuple[Any, ...]:
        random.seed(1)
        np.random.seed(1)
        model = net()
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        torch.manual_seed(2)
        probe = gradtui.watch(model, optimizer, **options) if watched else None
        train(model, 200, probe, optimizer)
        if probe is not None:
            probe.close()
        states = (torch.get_rng_state(), random.getstate(), np.random.get_state())
        return copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict()), states

    (bare, bare_optimizer, before), (weights, state, after) = trained(False), trained(True)
    assert all(torch.equal(bare[name], weights[name]) for name in bare)
    for number, moments in bare_optimizer["state"].items():
        assert all(torch.equal(moment, state["state"][number][name]) for name, moment in moments.items())
    assert torch.equal(before[0], after[0])
    assert before[1] == after[1]
    np.testing.assert_array_equal(before[2][1], after[2][1])


@pytest.mark.usefixtures("home", "silence")
def test_models_that_the_script_drops_are_not_kept_alive() -> None:
    model = net()
    optimizer = torch.optim.Adam(model.parameters())
    probe = gradtui.watch(model, optimizer, budget=None)
    train(model, 5, probe, optimizer)
    gone = [weakref.ref(model), weakref.ref(optimizer), *(weakref.ref(p) for p in model.parameters())]
    gone += [weakref.ref(p.grad) for p in model.parameters() if p.grad is not None]
    del model, optimizer
    gc.collect()
    assert [reference() for reference in gone] == [None] * len(gone)
    probe.log(loss=1.0)
    probe.step()
    assert probe.run is not None
    # Its writer ends it, in a thread of its own.
    end = time.monotonic() + 10
    while gradtui.open_run(probe.run).status.state != "finished":
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.usefixtures("home", "silence")
def test_models_and_optimizers_can_be_copied_and_saved(tmp_path: Path, opened: Opened) -> None:
    model = net()
    optimizer = torch.optim.Adam(model.parameters())
    probe = gradtui.watch(model, optimizer, budget=None)
    early = copy.deepcopy(model)
    pickle.dumps(model)
    # A copy that is used first teaches nothing, and records nothing.
    early[4](torch.zeros(1, 16)).sum().backward()
    train(model, 3, probe, optimizer)
    late, other = copy.deepcopy((model, optimizer))
    torch.save(model, tmp_path / "model.pt")
    torch.save(optimizer, tmp_path / "optimizer.pt")
    loaded = torch.load(tmp_path / "model.pt", weights_only=False)
    assert torch.equal(loaded[0].weight, model[0].weight)
    assert b"gradtui" not in (tmp_path / "model.pt").read_bytes()
    train(late, 3, None, other)
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(model, 2, probe, optimizer)
    run = opened(probe)
    assert run.layer_names == ["0", "1", "4"]
    np.testing.assert_array_equal(run.layers("grad_norm")[0], np.arange(1, 6))


@pytest.mark.long
@pytest.mark.usefixtures("home", "silence")
def test_memory_does_not_grow_with_the_steps() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    train(model, 300, probe, optimizer)
    tracemalloc.start()
    try:
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        train(model, 1000, probe, optimizer)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # What is kept would be ten objects of 56 bytes a step at the least.
    assert grown < 1000 * 10 * 56 / 2.5
    probe.close()


def test_a_run_folder_that_cannot_be_made_is_one_warning(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with one_warning("Not a directory|File exists"):
        probe = gradtui.watch(model, optimizer, runs=tmp_path / "file")
        train(model, 5, probe, optimizer)
        probe.step()
        probe.close()
    assert probe.run is None


def delete(folder: Path) -> None:
    """Delete a folder to which a thread may still be writing."""
    while folder.exists():
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)


@pytest.mark.usefixtures("home")
def test_a_run_folder_that_is_deleted_ends_the_recording() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    train(model, 5, probe, optimizer)
    assert probe.run is not None
    delete(probe.run)
    with one_warning("No such file") as warned:
        for _ in range(200):
            train(model, 20, probe, optimizer)
            if len(warned):
                break
        train(model, 20, probe, optimizer)
        probe.close()
    assert not probe.run.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 256 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting takes more rights than we have")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=False)


def test_a_full_disk_ends_the_recording_with_one_warning(small_disk: Path) -> None:
    model = nn.Sequential(*[nn.Linear(4, 4) for _ in range(200)])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = gradtui.watch(model, optimizer, runs=small_disk, budget=None)
    with one_warning("No space left") as warned:
        for _ in range(2000):
            optimizer.zero_grad()
            model(torch.randn(2, 4)).sum().backward()
            optimizer.step()
            if len(warned):
                break
        optimizer.step()
        probe.close()
    assert probe.run is not None
    run = gradtui.open_run(probe.run)
    assert len(run.layers("grad_norm")[0])


@pytest.mark.usefixtures("home")
def test_new_parameters_of_the_model_end_the_recording() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    train(model, 3, probe, optimizer)
    model[4] = nn.Linear(16, 3)
    optimizer.add_param_group({"params": model[4].parameters()})
    with one_warning("parameters that it did not have"):
        train(model, 5, probe, optimizer)
    assert probe.run is not None
    status = gradtui.open_run(probe.run).status
    assert (status.state, status.step) == ("stopped", 3)


@pytest.mark.usefixtures("home")
def test_the_warning_never_raises_where_warnings_are_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradtui.watch(net(), runs=tmp_path / "file").log(loss=1)
    assert "cannot watch" in capsys.readouterr().err


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("no model",), "expected Module"),
        ((nn.Linear(1, 1), "no optimizer"), "expected Optimizer"),
        ((nn.Linear(1, 1), None, {"layers": "("}), "unterminated"),
        (([],), "expected Module"),
    ],
)
def test_wrong_arguments_are_one_warning(arguments: tuple[Any, ...], words: str, home: Path) -> None:
    options = arguments[2] if len(arguments) > 2 else {}
    with pytest.warns(WatchWarning, match=words):
        probe = gradtui.watch(*arguments[:2], **options)
    probe.log(loss=1.0)
    assert probe.control().lr is None


class Unruly:
    """An Unruly raises whatever is asked of it."""

    def __float__(self) -> float:
        raise RuntimeError("no float")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "loss is None"),
        (torch.zeros(2), "a tensor of 2 numbers"),
        (torch.zeros(0), "a tensor of 0 numbers"),
        (torch.zeros(1, dtype=torch.complex64), "complex64"),
        ("0.3", "a string"),
        ([0.1, 0.2], "a list"),
        ({"a": 1}, "a dict"),
        (np.zeros(3), "a ndarray"),
        (10**400, "a int"),
        (Unruly(), "a Unruly"),
    ],
    ids=["none", "two", "empty", "complex", "string", "list", "dict", "array", "huge", "raises"],
)
@pytest.mark.usefixtures("home")
def test_what_is_no_number_is_left_out_and_the_recording_continues(
    value: Any, words: str, opened: Opened
) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    with one_warning(words):
        for step in range(1, 5):
            model(torch.randn(4, 8)).sum().backward()
            probe.log(loss=value if step % 2 else float(step), other=np.ones(1))
            optimizer.step()
    probe.close()
    run = opened(probe)
    assert [list(column) for column in run.scalars("loss")] == [[2, 4], [2.0, 4.0]]
    assert len(run.scalars("other")[0]) == len(run.scalars("grad_norm")[0]) == 4


@pytest.mark.usefixtures("home")
def test_values_may_be_logged_by_a_dict_and_odd_arguments_are_left_out(opened: Opened) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    with one_warning("value is a string"):
        for _ in range(2):
            probe.log({"loss": 0.5, "val/loss": 2})
            probe.log("what")
            train(model, 1, None, optimizer)
    probe.close()
    assert list(opened(probe).scalars("val/loss")[1]) == [2.0, 2.0]


def test_layers_are_chosen_and_named(home: Path, opened: Opened) -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mlp = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))
            self.ln = nn.LayerNorm(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.mlp(self.ln(x))

    class Stack(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 2)
            self.h = nn.ModuleList(Block() for _ in range(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for block in self.h:
                x = block(x)
            return self.head(x)

    def names(**options: Any) -> list[str]:
        model = Stack()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        probe = gradtui.watch(model, optimizer, **options)
        model(torch.randn(5, 4)).sum().backward()
        optimizer.step()
        return opened(probe).layer_names

    folded = [f"h.{block}.{part}" for block in range(3) for part in ("ln", "mlp")]
    assert names() == [*folded, "head"]
    assert names(fold=False)[:3] == ["h.0.ln", "h.0.mlp.0", "h.0.mlp.2"]
    assert names(layers=r"mlp$") == ["h.0.mlp", "h.1.mlp", "h.2.mlp"]
    assert len(list_runs(home)) == 3


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), ["0", "1"]),
        (lambda: nn.LazyLinear(4), ["0", "1"]),
        (lambda: nn.TransformerEncoderLayer(4, 2, 8), ["0.self_attn", "0.self_attn.out_proj", "0.norm1"]),
        (lambda: nn.DataParallel(nn.Linear(4, 4)), ["0.module", "1"]),
        (lambda: torch.jit.trace(nn.Linear(4, 4), torch.zeros(1, 4)), ["0", "1"]),
    ],
    ids=["parametrised", "lazy", "transformer", "parallel", "traced"],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.usefixtures("home", "silence")
def test_models_out_of_the_ordinary(make: Callable[[], nn.Module], names: list[str], opened: Opened) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(make(), nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = gradtui.watch(model, optimizer, budget=None, activations=True)
    expected = []
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(3, 4)).square().sum().backward()
        expected.append(oracle(list(model.parameters())))
        optimizer.step()
    run = opened(probe)
    assert run.layer_names[: len(names)] == names
    np.testing.assert_allclose(run.scalars("grad_norm")[1], expected, rtol=1e-5)
