"""Test `gradtui fix`: rounds of training and advice, the fixed experiment, and the messages if nothing helps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradtui.cli import main
from gradtui.experiment import load
from gradtui.runs.reader import open_run

DEAD = ["dead-bias", "--set", "run.steps=120", "--set", "run.device=cpu"]


@pytest.mark.long
def test_a_net_with_dead_units_is_fixed_and_each_round_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "fixed.toml"
    assert main(["fix", *DEAD, "--runs", str(tmp_path / "runs"), "-o", str(file)]) == 0
    out = capsys.readouterr().out
    assert "Round 0: dead-bias, unchanged" in out
    assert "found: dead-units. " in out
    assert "Round 1: biases at 0" in out
    assert "Fixed after 1 round: --set net.0.bias_mean=0.0" in out
    assert f"Open the fixed experiment: gradtui {file}\n" in out
    last = out.splitlines()[-1]
    assert last.startswith("See the run of round 1: gradtui attach ")
    assert open_run(Path(last.rpartition(" ")[2])).parent is not None
    assert load(file).net[0].bias_mean == 0.0
    runs = sorted((tmp_path / "runs").iterdir())
    parents = [open_run(run).parent for run in runs]
    assert parents[0] is None
    assert parents[1] is not None
    assert parents[1].run == runs[0].name


@pytest.mark.long
def test_where_it_could_not_it_says_so_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "fixed.toml"
    # Pixels that are all noise to a net of one unit: nothing that is advised makes it learn within these steps.
    hopeless = ["--set", "optimizer.lr=1e-9", "--set", "net.0.width=1", "--set", "net.0.bias_mean=0.0"]
    hopeless += ["--set", "net.0.repeat=30", "--set", "run.steps=100"]
    code = main(
        [
            "fix",
            *DEAD,
            *hopeless,
            "--rounds",
            "1",
            "--runs",
            str(tmp_path / "runs"),
            "-o",
            str(file),
            "--json",
        ]
    )
    answer = json.loads(capsys.readouterr().out)
    assert code == 3
    assert answer["fixed"] is False
    assert len(answer["rounds"]) == 2
    assert answer["rounds"][0]["findings"]
    assert answer["rounds"][1]["cure"]["set"] == answer["set"]
    assert not file.exists()


def test_a_net_that_learns_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = ["--set", "net.0.bias_mean=0.0"]
    assert main(["fix", *DEAD, *changes, "--runs", str(tmp_path / "runs"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["fixed"], answer["set"], len(answer["rounds"])) == (True, {}, 1)


@pytest.mark.long
def test_the_cures_are_tried_for_a_few_steps_within_a_time_and_what_came_of_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["fix", *DEAD, "--rounds", "1", "--runs", str(tmp_path)]
    main(arguments)
    out = capsys.readouterr().out
    assert "cures were tried for a few steps each" in out
    assert "tried 30 steps: loss 2." in out
    assert len(list(tmp_path.iterdir())) == 2
    main([*arguments, "--trial-seconds", "0"])
    # The runs are named on the page, and their folder is named after this test.
    assert "tried" not in capsys.readouterr().out.replace(str(tmp_path), "").lower()


@pytest.mark.long
def test_what_could_not_be_fixed_is_said_with_what_to_do_next_and_fits_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    arguments = ["dead-bias", "--set", "run.steps=5", "--set", "run.device=cpu", "--trial-seconds", "0"]
    assert main(["fix", *arguments, "--rounds", "1", "--runs", str(tmp_path)]) == 3
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert "Not fixed after 1 round" in out
    assert "More rounds may help: --rounds 2" in lines
    assert lines[-1].startswith("See the run")
    assert all(len(line) <= 80 for line in lines if "gradtui attach" not in line)
    assert any(line.startswith("    ") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--trial-seconds", "-1"], "--trial-seconds"),
        (["--jobs", "0"], "--jobs"),
        (["--engine", "ray"], "--engine"),
        (["--rounds", "0"], "--rounds"),
        (["--rounds", "many"], "--rounds"),
        (["-o", "no/such/folder/x.toml"], "--output"),
        (["-o", "."], "--output"),
        (["--set", "net.0.nothing=1"], "net.0.nothing"),
    ],
)
def test_bad_input_is_named_before_anything_is_trained(
    arguments: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fix", "dead-bias", "--runs", str(tmp_path), *arguments]) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
