"""`gradtui run --preflight` measures a net by a real trainer, and leaves no run behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradtui.cli import main
from gradtui.experiment import net_shape, resolve
from tests.support.command_line import gradtui, strictly


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files, in which gradtui must leave nothing."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def test_json_has_the_documented_keys_and_nothing_is_left(home: Path, nowhere: Path) -> None:
    result = gradtui(home, "run", "sigmoid-20", "--preflight", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    told = strictly(result.stdout)
    assert list(told) == ["layers", "loss", "chance_loss", "prediction"]
    names = [layer.name for layer in net_shape(resolve("sigmoid-20")).layers]
    assert [layer["name"] for layer in told["layers"]] == names
    for layer in told["layers"]:
        assert list(layer) == [
            *("name", "grad_norm", "output_grad_rms", "activation_mean", "activation_std", "dead_fraction"),
            *("activation_slope", "backward_gain"),
        ]
    first, last = told["layers"][0], told["layers"][-2]
    assert first["output_grad_rms"] / last["output_grad_rms"] < 1e-11
    assert told["layers"][-1]["dead_fraction"] is None
    assert told["layers"][-1]["activation_slope"] is None, "it has no activation"
    assert told["layers"][0]["backward_gain"] is None, "no gradient leaves towards the data"
    assert all(layer["activation_slope"] <= 0.25 for layer in told["layers"][:-1])
    assert all(0 < layer["backward_gain"] < 1 for layer in told["layers"][1:-1])
    assert told["loss"] == pytest.approx(told["chance_loss"], rel=0.1)
    assert told["prediction"] == strictly(gradtui(home, "predict", "sigmoid-20", "--json").stdout)
    assert not (home / "runs").exists()
    assert list(nowhere.glob("gradtui-*")) == []


def test_the_page_names_what_was_measured_and_what_theory_says(home: Path, nowhere: Path) -> None:
    result = gradtui(home, "run", "sigmoid-20", "--preflight", "--set", "net.0.repeat=10")
    assert (result.returncode, result.stderr) == (0, "")
    text = result.stdout
    for words in (
        "sigmoid-20 · 11 layers",
        "no step was taken",
        "times weaker at the input",
        "dense1 ÷ dense10: ",
        "; theory ",
        "Gradient of each layer at initialisation (norm)",
        "the line that theory predicts",
        "(guessing gives 2.303)",
    ):
        assert words in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100
    assert not (home / "runs").exists()


@pytest.mark.long
def test_preflight_measures_nets_without_a_prediction(home: Path) -> None:
    words = ["--set", "data.source=adding", "--set", "net.0.block=lstm", "--set", "net.0.repeat=1"]
    result = gradtui(home, "run", "sigmoid-20", "--preflight", *words)
    assert result.returncode == 0, result.stderr
    assert "No prediction: " in result.stdout
    assert "Over time the gradient is" in result.stdout
    assert "theory" not in result.stdout.replace("No prediction: the theory covers", "")


def test_a_net_that_cannot_be_built_is_one_line(home: Path, nowhere: Path) -> None:
    result = gradtui(home, "run", "--preflight", "--set", "run.device=cuda:99", "--json")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("gradtui: the preflight failed: run.device: cuda:99 was requested")
    assert result.stderr.count("\n") == 1
    assert list(nowhere.glob("gradtui-*")) == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--from", "x"], "--from"),
        (["--resume", "x"], "--resume"),
        (["--steps", "3"], "--steps"),
        (["--fail-on", "vanishing"], "--fail-on"),
        (["--set", "net.0.width=-3"], "net.0.width"),
        (["nosuch"], "nosuch"),
    ],
)
def test_training_options_with_preflight_are_one_line(
    words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--preflight", *words]) == 2
    output, complaint = capsys.readouterr()
    assert output == ""
    assert named in complaint
    assert complaint.count("\n") == 1
