"""Test what a training records of the plane, against a net of plain numpy with the weights of its checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from gradtui.data import Dataset, load
from gradtui.experiment.spec import Data
from gradtui.probe.sampling_budget import SamplePlan
from gradtui.runs.plane import read_plane, read_units
from gradtui.runs.reader import Run
from tests.support.trainings import small, trained

STEPS = 11


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("runs") / "plane", small(run__steps=STEPS))[0]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[np.ndarray, np.ndarray]]:
    """The weights and biases of the same training one step earlier: those that its last row was taken on."""
    folder = tmp_path_factory.mktemp("runs") / "before"
    trained(folder, small(run__steps=STEPS - 1))
    stored = load_file(next((folder / "checkpoints").glob("step-*.safetensors")))
    names = ("dense1.weights1", "dense2.weights1", "output")
    return [(stored[f"model.{name}.weight"], stored[f"model.{name}.bias"]) for name in names]


def answers(weights: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray) -> list[np.ndarray]:
    """Return what each layer of a tanh net answers, the softmax of the last one's at the end."""
    found = []
    for matrix, bias in weights:
        x = x @ matrix.T + bias
        found.append(x := np.tanh(x) if matrix.shape[0] == 16 else x)
    powers = np.exp(x - x.max(1, keepdims=True))
    return [*found, powers / powers.sum(1, keepdims=True)]


def grid(run: Run, side: int) -> np.ndarray:
    """Return the centres of the places, written down one by one from what run.json says."""
    about = run.meta.plane  # type: ignore[union-attr]
    (left, below), (right, above) = about.low, about.high  # type: ignore[union-attr]
    return np.array(
        [
            (left + (right - left) * (column + 0.5) / side, above - (above - below) * (row + 0.5) / side)
            for row in range(side)
            for column in range(side)
        ]
    )


def test_the_last_row_is_what_the_net_answers_at_each_place(run: Run, weights: Any) -> None:
    plane = read_plane(run)
    assert plane is not None
    assert plane.step == STEPS
    expected = answers(weights, grid(run, 36))[-1].T.reshape(3, 36, 36)
    assert np.allclose(plane.outputs, expected, atol=1e-5)
    assert (plane.classes == expected.argmax(0)).mean() > 0.999


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_units_are_those_of_the_layer_in_the_middle_of_each_place(run: Run, weights: Any, layer: int) -> None:
    units = read_units(run, layer)
    assert units is not None
    expected = answers(weights, grid(run, 12))[layer].T.reshape(-1, 12, 12)
    assert units.shape == (min(12, len(expected)), 12, 12)
    assert np.allclose(units, expected[:12], atol=1e-5)


def test_the_points_are_training_points_and_the_accuracy_is_theirs(run: Run) -> None:
    dataset = load(small().data, 0)
    plane = read_plane(run)
    assert plane is not None
    count = len(plane.about.x)
    assert count == min(300, len(dataset.train_x))
    assert np.allclose(np.c_[plane.about.x, plane.about.y], dataset.train_x[:count], rtol=1e-4, atol=1e-4)
    assert plane.about.answers == tuple(dataset.train_y[:count].double().tolist())
    assert abs(plane.accuracy - run.scalars("accuracy")[1][-3:].mean()) < 0.4
    assert plane.shares.sum() == pytest.approx(1.0)


def test_asking_the_net_changes_no_number_of_its_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With batch norm, whose statistics a forward pass in training mode would write."""
    monkeypatch.setattr(SamplePlan, "due", lambda *_: True)
    exp = small(net__0__norm="batch", run__steps=30)
    run, _ = trained(tmp_path / "with", exp)
    assert len(read_plane(run).steps) > 5  # type: ignore[union-attr]
    monkeypatch.setattr(Dataset, "plane", None)
    without, _ = trained(tmp_path / "without", exp)
    assert read_plane(without) is None
    for name in ("loss", "accuracy", "grad_norm"):
        assert np.array_equal(run.scalars(name)[1], without.scalars(name)[1])
    both = [(tmp_path / name / "checkpoints").glob("step-*.safetensors") for name in ("with", "without")]
    one, other = (load_file(next(files)) for files in both)
    assert any("norm" in key for key in one)
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[key], other[key]) for key in one)


def test_earlier_steps_can_be_read_and_deep_nets_have_fewer_units(tmp_path: Path) -> None:
    run, _ = trained(tmp_path / "deep", small(net__0__repeat=60, net__0__width=8, run__steps=8))
    plane = read_plane(run)
    assert plane is not None
    assert plane.steps[0] == 1
    assert plane.steps[-1] == 8
    early = read_plane(run, 3)
    assert early is not None
    assert early.step == max(step for step in plane.steps if step <= 3)
    assert read_plane(run, 0) is None
    assert plane.beside(8, -1) == plane.steps[-2]
    assert plane.beside(1, -1) == 1
    units = read_units(run, 30)
    assert units is not None
    assert len(units) == 32_768 // (61 * 144)
    assert run.meta.tables["unit_planes"].numbers <= 32_768  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"data__source": "adding", "net__0__block": "rnn"}, "sequences"),
        ({"data__source": "digits"}, "images"),
    ],
)
def test_other_data_have_no_plane(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    run, _ = trained(tmp_path / "other", small(**changes, run__steps=2))
    assert run.meta is not None
    assert run.meta.plane is None, why
    assert "plane" not in run.meta.tables
    assert read_plane(run) is None


@pytest.mark.parametrize(("classes", "has"), [(2, True), (8, True), (9, False), (0, True)])
def test_points_of_a_file_have_a_plane_where_a_picture_can_tell_the_classes_apart(
    tmp_path: Path, classes: int, has: bool
) -> None:
    """0 classes are numbers to predict. The two coordinates differ in size by a million."""
    numbers = np.random.default_rng(0)
    x = numbers.normal(0, 1, (100, 2)).astype(np.float32) * np.float32([1000, 1e-3])
    y = np.arange(100) % classes if classes else x[:, 0] / 1000
    np.savez(tmp_path / "points.npz", x=x, y=y)
    exp = small(data__source="npz", data__path=str(tmp_path / "points.npz"), run__steps=2, optimizer__lr=1e-6)
    run, _ = trained(tmp_path / "run", exp)
    plane = read_plane(run)
    assert (plane is not None) == has
    if plane is None:
        return
    assert plane.about.classes == classes
    assert np.all(np.array(plane.about.low) < x.min(0))
    assert np.all(np.array(plane.about.high) > x.max(0))
    rows, columns = (np.bincount(np.asarray(at), minlength=1).argmax() for at in plane.places(36, 36))
    assert 5 < rows < 31
    assert 5 < columns < 31


def test_points_that_are_not_finite_or_all_alike() -> None:
    dataset = load(Data(source="gauss", samples=20), 0)
    dataset.train_x[0, 0] = float("nan")
    assert dataset.plane is None
    dataset.train_x[:], dataset.test_x[:] = 1.0, 1.0
    plane = replace(dataset).plane
    assert plane is not None
    assert plane.low == (0.0, 0.0)
    assert plane.high == (2.0, 2.0)
