"""Test that showing another person's run opens no file outside the folder of runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from gradtui.experiment import from_dict, net_shape, set_fields, to_dict
from gradtui.runs.meta import LayerMeta, Parent, RunMeta, TableMeta, write_meta
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from tests.benchmarks.terminal import Terminal
from tests.support.bounded_command import Outcome, run_bounded
from tests.support.command_line import GRADTUI, environment

SPY = """
import os, sys
log = os.open(os.environ["OPENED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
def note(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and arguments and isinstance(arguments[0], str | bytes):
        os.write(log, os.fsencode(os.fsdecode(arguments[0]).replace("\\n", "?")) + b"\\n")
sys.addaudithook(note)
"""
"""Python runs this first in every process, and notes the path of each file that is opened."""

NAMES = tuple(f"dense{number}" for number in range(1, 13))


def foreign_run(root: Path, source: str, path: Path, shape: dict[str, object], parent: str = "") -> Path:
    """Write a run on data in `path`, with vanishing gradients, so that cures are looked for."""
    experiment = {
        "name": "foreign",
        "data": {"source": source, "path": str(path)},
        "net": [{"width": 16, "repeat": 11, "activation": "sigmoid", "init": "xavier"}],
        "run": {"steps": 60},
    }
    folder = root / "runs" / f"20260101-000000-{source}"
    folder.mkdir(parents=True)
    write_meta(
        folder,
        RunMeta.of_this_process(
            id=folder.name,
            name="foreign",
            experiment=experiment,
            layers=tuple(LayerMeta(name, "dense", 272) for name in NAMES),
            tables={
                "scalars": TableMeta(("loss", "accuracy", "lr"), "scalars"),
                "grad_norm": TableMeta(NAMES),
            },
            steps=60,
            chance_loss=2.3,
            data=shape,
            parent=Parent(parent, 0) if parent else None,
        ),
    )
    writer = RunWriter(folder, {"scalars": ("loss", "accuracy", "lr"), "grad_norm": NAMES})
    for step in range(1, 61):
        writer.append("scalars", step, np.array([2.3, 0.1, 0.1]), time=1e9 + step)
        writer.append("grad_norm", step, np.logspace(-12, 0, len(NAMES)), time=1e9 + step)
    writer.event("end", 60, status="finished")
    writer.close()
    return folder


CASES = {
    "idx": {"input": [1, 8, 8], "outputs": 10, "task": "classify"},
    "npz": {"input": [20], "outputs": 3, "task": "classify"},
    "text": {"input": [30], "outputs": 40, "task": "sequence"},
    "cifar10": {"input": [3, 32, 32], "outputs": 10, "task": "classify"},
}
UNKNOWN: dict[str, object] = {}


def tempting_data(tmp_path: Path, source: str) -> Path:
    """Make what a reader of the data would open: files that look right, or a FIFO, which would hang."""
    data = tmp_path / "data-images"
    if source == "text":
        os.mkfifo(data)
    elif source == "cifar10":
        data.mkdir()
    else:
        data.write_bytes(b"not what it seems")
        (tmp_path / "data-labels").write_bytes(b"not what it seems")
    return data


def spied(tmp_path: Path) -> tuple[dict[str, str], Path]:
    """Return an environment in which every opened path is noted, and the file of the notes."""
    (tmp_path / "spy").mkdir()
    (tmp_path / "spy" / "sitecustomize.py").write_text(SPY)
    opened = tmp_path / "opened"
    given = {**environment(tmp_path), "PYTHONPATH": str(tmp_path / "spy"), "OPENED": str(opened)}
    return given, opened


def spied_command(words: Sequence[str], home: Path) -> tuple[Outcome, list[str]]:
    """Run one command in a process that is forked from this one; also return the paths that it opened."""
    opened = home / "opened"

    def work() -> int:
        from gradtui.cli import main

        os.environ.update(environment(home), OPENED=str(opened))
        exec(SPY, {})
        return main(list(words))

    outcome = run_bounded(work, seconds=30)
    return outcome, opened.read_text().splitlines()


@pytest.mark.parametrize("known", [True, False], ids=["shape in run.json", "shape unknown"])
@pytest.mark.parametrize("source", CASES)
def test_diagnose_does_not_open_the_data(tmp_path: Path, source: str, known: bool) -> None:
    data = tempting_data(tmp_path, source)
    foreign_run(tmp_path, source, data, CASES[source] if known else UNKNOWN)
    for words in (
        ["diagnose"],
        ["diagnose", "--json"],
        ["runs"],
        ["export", source, "--to", "csv", str(tmp_path / "out")],
    ):
        outcome, paths = spied_command(words, tmp_path)
        assert (outcome.code, outcome.stderr) == (0, "")
        assert words[0] != "diagnose" or "vanishing" in outcome.stdout
        assert any(path.endswith("run.json") for path in paths), "the spy sees what is opened"
        assert not [path for path in paths if path.startswith(str(tmp_path / "data"))]


@pytest.mark.parametrize("known", [True, False], ids=["shape in run.json", "shape unknown"])
def test_attach_does_not_open_the_data(tmp_path: Path, known: bool) -> None:
    data = tempting_data(tmp_path, "idx")
    foreign_run(tmp_path, "idx", data, CASES["idx"] if known else UNKNOWN)
    given, opened = spied(tmp_path)
    given["TERM"] = "xterm-256color"
    terminal = Terminal([*GRADTUI, "attach", "idx"], (140, 40), given)
    try:
        terminal.until(lambda screen: "vanishing" in screen.text.lower(), 20.0, "finding")
        for key in "\r", "\x1b", "2", "3", "r":
            terminal.press(key)
            terminal.stay(0.7)
        paths = opened.read_text().splitlines()
        assert any(path.endswith("run.json") for path in paths)
        assert not [path for path in paths if path.startswith(str(tmp_path / "data"))]
    finally:
        terminal.close()


def test_parent_outside_of_the_folder_of_runs_is_not_opened(tmp_path: Path) -> None:
    outside = foreign_run(tmp_path / "elsewhere", "idx", tmp_path / "none", CASES["idx"])
    for parent in (str(outside), f"../elsewhere/runs/{outside.name}", "..", "a\0b", "x" * 5000):
        run = foreign_run(tmp_path, "idx", tmp_path / "none", CASES["idx"], parent)
        outcome, paths = spied_command(["diagnose", run.name], tmp_path)
        assert (outcome.code, outcome.stderr) == (0, "")
        assert not [path for path in paths if str(tmp_path / "elsewhere") in path]
        run.rename(tmp_path / f"done-{len(list(tmp_path.iterdir()))}")


def test_recorded_shape_is_the_one_of_the_net(tmp_path: Path) -> None:
    run = open_run(foreign_run(tmp_path, "npz", tmp_path / "none", CASES["npz"]))
    experiment = run.experiment
    assert experiment is not None
    # 20 inputs to 16 units: weights and biases of the first layer.
    assert net_shape(experiment).layers[0].parameters == 20 * 16 + 16
    wider = set_fields(experiment, {"net.0.width": 32, "optimizer.lr": 0.5})
    assert net_shape(wider).layers[0].parameters == 20 * 32 + 32
    moved = set_fields(experiment, {"data.path": str(tmp_path / "other")})
    with pytest.raises(ValueError, match="other does not exist"):
        # Another file is the person's own choice, and is opened.
        net_shape(moved)
    assert to_dict(experiment) == to_dict(from_dict(to_dict(experiment)))


@pytest.mark.parametrize(
    "shape",
    [
        {"input": [], "outputs": 3, "task": "classify"},
        {"input": [0], "outputs": 3, "task": "classify"},
        {"input": [1, 2, 3, 4], "outputs": 3, "task": "classify"},
        {"input": [2**20, 2**20, 2**20], "outputs": 3, "task": "classify"},
        {"input": "20", "outputs": 3, "task": "classify"},
        {"input": [20], "outputs": -1, "task": "classify"},
        {"input": [20], "outputs": 10**30, "task": "classify"},
        {"input": [20], "outputs": 3, "task": "guess"},
        {"input": [20.5], "outputs": 3, "task": "classify"},
        {"input": [30], "outputs": 3, "task": "sequence"},
    ],
    ids=str,
)
def test_shape_that_cannot_be_is_not_believed(tmp_path: Path, shape: dict[str, object]) -> None:
    foreign_run(tmp_path, "npz", tmp_path / "none", shape)
    outcome, _ = spied_command(["diagnose"], tmp_path)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert "vanishing" in outcome.stdout
