"""`gradtui run` and the commands that read its run, on real trainings of a few steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest

from gradtui import open_run
from gradtui.diagnosis.findings import CODES
from gradtui.experiment import net_shape, resolve
from tests.support.command_line import gradtui, gradtui_on_a_terminal, strictly


@dataclass
class Trained:
    """A run that a command trained."""

    home: Path
    result: CompletedProcess[str]
    terminal: str = ""
    """What was shown on stderr, where that was a terminal."""

    @property
    def json(self) -> Any:
        return strictly(self.result.stdout)


@pytest.fixture(scope="module")
def vanishing(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The default experiment, 30 steps of it."""
    home = tmp_path_factory.mktemp("vanishing")
    return Trained(home, gradtui(home, "run", "--steps", "30", "--json", "--fail-on", "exploding, vanishing"))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A healthy net of its own file, reported as text, in a folder of runs of its own."""
    home = tmp_path_factory.mktemp("told")
    file = home / "mine.toml"
    file.write_text('name = "mine"\n[[net]]\nactivation = "relu"\ninit = "he"\nrepeat = 2\n')
    words = ["run", str(file), "--set", "run.steps=40", "--runs", str(home / "elsewhere")]
    return Trained(home, *gradtui_on_a_terminal(home, *words))


@pytest.fixture(scope="module")
def diverged(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A net whose loss is not a number after a few steps."""
    home = tmp_path_factory.mktemp("diverged")
    return Trained(home, gradtui(home, "run", "explode-relu-gain", "--steps", "60", "--json"))


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A training on a device that no machine has."""
    home = tmp_path_factory.mktemp("failed")
    return Trained(home, gradtui(home, "run", "--set", "run.device=cuda:999", "--json"))


def test_json_has_the_documented_keys(vanishing: Trained) -> None:
    run = vanishing.json
    assert list(run) == [
        *("run", "name", "status", "steps", "seconds", "loss", "accuracy", "layers", "overhead", "findings")
    ]
    assert list(run["loss"]) == ["first", "last", "best"]
    assert list(run["accuracy"]) == ["train", "test"]
    for layer in run["layers"]:
        assert list(layer) == [
            *("name", "parameters", "grad_norm", "output_grad_rms", "update_ratio", "dead_fraction")
        ]
        assert list(layer["grad_norm"]) == list(layer["output_grad_rms"]) == ["first", "last"]
    for finding in run["findings"]:
        assert list(finding) == ["code", "severity", "step", "layers", "evidence", "cures"]
        assert finding["code"] in CODES
        assert all(list(cure) == ["name", "set", "why", "code"] for cure in finding["cures"])


def test_json_describes_the_run_in_the_folder(vanishing: Trained) -> None:
    told = vanishing.json
    run = open_run(told["run"])
    assert run.folder.parent == vanishing.home / "runs"
    assert (told["name"], told["status"], told["steps"]) == ("sigmoid-20", "finished", 30)
    assert 0 < told["seconds"] < 60
    shape = net_shape(resolve("sigmoid-20"))
    assert [(layer["name"], layer["parameters"]) for layer in told["layers"]] == [
        (layer.name, layer.parameters) for layer in shape.layers
    ]
    _, norms = run.layers("grad_norm")
    for end, row in (("first", 0), ("last", -1)):
        assert (np.float32([layer["grad_norm"][end] for layer in told["layers"]]) == norms[row]).all()
    _, loss = run.scalars("loss")
    assert np.float32(told["loss"]["best"]) == loss.min()


def test_the_gradient_of_the_default_experiment_vanishes_at_its_first_layer(vanishing: Trained) -> None:
    # RECIPES.md has 10^-11.8 for the gradient of the outputs.
    layers = vanishing.json["layers"]
    assert len(layers) == 21
    assert layers[0]["grad_norm"]["first"] / layers[-1]["grad_norm"]["first"] < 1e-8
    assert 0.05 < vanishing.json["accuracy"]["train"] < 0.2


def test_fail_on_exits_with_3_when_the_finding_is_there(vanishing: Trained) -> None:
    assert "vanishing" in [finding["code"] for finding in vanishing.json["findings"]]
    assert (vanishing.result.returncode, vanishing.result.stderr) == (3, "")


def test_diagnose_says_the_same_afterwards(vanishing: Trained) -> None:
    again = gradtui(vanishing.home, "diagnose", "sigmoid-20", "--json", "--fail-on", "exploding")
    assert again.returncode == 0
    assert strictly(again.stdout) == vanishing.json


def test_diagnose_as_text_names_finding_and_cure(vanishing: Trained) -> None:
    told = gradtui(vanishing.home, "diagnose", "--fail-on", "vanishing")
    finding = vanishing.json["findings"][0]
    assert told.returncode == 3
    text = " ".join(told.stdout.split())
    assert f"{finding['code']}, {finding['severity']}, since step {finding['step']}" in text
    assert finding["evidence"] in text
    assert all(cure["why"] in text for cure in finding["cures"])
    assert "--set net.0.activation=relu --set net.0.init=he" in text


def test_runs_lists_the_run(vanishing: Trained) -> None:
    (row,) = strictly(gradtui(vanishing.home, "runs", "--json").stdout)
    assert list(row) == ["run", "name", "status", "steps", "started"]
    assert (row["run"], row["name"], row["status"]) == (vanishing.json["run"], "sigmoid-20", "finished")
    assert row["started"] == open_run(row["run"]).meta.started
    (line,) = gradtui(vanishing.home, "runs").stdout.splitlines()
    assert Path(row["run"]).name in line
    assert "30 steps" in line


def test_the_report_fits_and_has_no_colours(told: Trained) -> None:
    assert told.result.returncode == 0
    assert "\x1b" not in told.result.stdout
    charts = [line for line in told.result.stdout.splitlines() if "/" not in line]
    assert max(map(len, charts)) <= 100


def test_progress_is_shown_where_stderr_is_a_terminal(told: Trained) -> None:
    assert "importing" in told.terminal
    assert "step 40/40" in told.terminal
    assert "loss " in told.terminal


def test_the_report_says_what_matters(told: Trained) -> None:
    (folder,) = (told.home / "elsewhere").iterdir()
    text = told.result.stdout
    for words in (
        "mine",
        "3 layers",
        "finished after 40 steps",
        "Gradient of each layer",
        "steps/s",
        "train",
        str(folder),
    ):
        assert words in text
    assert f"gradtui attach {folder}" in text
    assert not (told.home / "runs").exists()


def test_a_diverged_training_exits_with_0(diverged: Trained) -> None:
    run = diverged.json
    assert (diverged.result.returncode, run["status"]) == (0, "diverged")
    assert run["loss"]["last"] in ("nan", "inf")
    assert math.isfinite(run["loss"]["first"])
    assert run["layers"][0]["grad_norm"]["last"] in ("nan", "inf")


def test_a_failed_training_says_why_in_one_line(failed: Trained) -> None:
    assert failed.result.returncode == 1
    assert failed.result.stderr.startswith("gradtui: the training failed: ")
    assert failed.result.stderr.count("\n") == 1
    assert (failed.json["status"], failed.json["steps"], failed.json["layers"]) == ("failed", 0, [])


@pytest.mark.parametrize("command", ["run", "fix"])
@pytest.mark.parametrize("source", ["npz", "text", "cifar10", "idx"])
def test_data_that_cannot_be_read_are_bad_input_and_leave_no_run(
    command: str, source: str, tmp_path: Path
) -> None:
    words = [f"data.source={source}", f"data.path={tmp_path / 'none'}"]
    result = gradtui(tmp_path, command, *(part for word in words for part in ("--set", word)))
    assert result.returncode == 2
    assert not result.stdout
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"gradtui: data.path: {tmp_path / 'none'} ")
    assert not (tmp_path / "runs").exists()
