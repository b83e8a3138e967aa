"""Test help, version, lists and bad input, all without a trainer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import gradtui as package
from gradtui.cli import COMMANDS, main
from gradtui.experiment import resolve, set_fields
from gradtui.experiment.presets import describe, names
from gradtui.experiment.short_string import to_short_string
from tests.support.command_line import forked_gradtui, gradtui, start, strictly


def test_help_names_every_command(home: Path) -> None:
    result = forked_gradtui(home, "--help")
    assert result.returncode == 0
    assert all(f"\n  {command.usage} " in result.stdout for command in COMMANDS.values())


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(home: Path, name: str) -> None:
    result = forked_gradtui(home, name, "--help")
    assert result.returncode == 0
    assert result.stdout.startswith(f"usage: gradtui {name}")


def test_version_is_the_packages(home: Path) -> None:
    assert gradtui(home, "--version").stdout == f"gradtui {package.__version__}\n"


def test_presets_as_json_are_those_that_ship_the_default_first(home: Path) -> None:
    presets = strictly(forked_gradtui(home, "presets", "--json").stdout)
    assert presets == [{"name": name, "description": describe(name)} for name in names()]
    assert presets[0]["name"] == "sigmoid-20"


def test_presets_as_text(home: Path) -> None:
    lines = forked_gradtui(home, "presets").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(names())


def test_empty_list_of_runs_names_the_folder(home: Path) -> None:
    assert strictly(forked_gradtui(home, "runs", "--json").stdout) == []
    assert str(home / "runs") in forked_gradtui(home, "runs").stdout


BAD = [
    (["nosuch"], "nosuch"),
    (["rnu"], 'did you mean "run"'),
    (["sigmoid-2"], 'did you mean "sigmoid-20"'),
    (["--nope"], "--nope"),
    (["--set", "seed=1", "run"], "run"),
    (["sigmoid-20"], "terminal"),
    (["run", "nosuch"], "nosuch"),
    (["run", "missing.toml"], "missing.toml"),
    (["run", "--set", "net.0.wdth=3"], "net.0.wdth"),
    (["run", "--set", "net.7.width=3"], "net.7"),
    (["run", "--set", "net.0.width=wide"], "net.0.width"),
    (["run", "--set", "net.0.width=-3"], "net.0.width"),
    (["run", "--set", "seed"], "--set"),
    (["run", "--steps", "0"], "run.steps"),
    (["run", "--steps", "many"], "--steps"),
    (["run", "--fail-on", "vanishing,sadness"], "sadness"),
    (["run", "a", "b"], "b"),
    (["predict", "--set", "optimizer.lr=0"], "optimizer.lr"),
    (["attach"], "no runs yet"),
    (["attach", "nosuch"], "nosuch"),
    (["diagnose", "nosuch"], "nosuch"),
    (["diagnose", "--fail-on", "sadness"], "sadness"),
    (["presets", "extra"], "extra"),
]


@pytest.mark.parametrize(("words", "named"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_bad_input_is_one_line_that_names_it(
    words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    output, complaint = capsys.readouterr()
    assert output == ""
    assert complaint.startswith("gradtui: ")
    assert named in complaint
    assert complaint.count("\n") == 1


def test_a_wrong_file_is_named(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[optimizer]\nlr = 'fast'\n")
    result = forked_gradtui(home, "run", str(file))
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "optimizer.lr" in result.stderr


def test_a_file_in_place_of_the_folder_of_runs_is_named(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    result = forked_gradtui(home, "run", "--runs", str(file))
    assert (result.returncode, result.stderr) == (2, f"gradtui: --runs: {file} is not a folder\n")


def test_a_closed_pipe_is_no_error(home: Path) -> None:
    process = start(home, "presets")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    complaint = process.stderr.read()
    assert (process.wait(60), complaint) == (0, "")


def test_a_string_is_an_experiment_for_every_command(tmp_path: Path) -> None:
    text = to_short_string(set_fields(resolve("relu-20"), {"net.0.repeat": 3, "name": "pasted"}))
    told = forked_gradtui(tmp_path, "predict", text, "--json")
    assert (told.returncode, told.stderr) == (0, "")
    assert len(json.loads(told.stdout)["log10_profile"]) == 3
    for words in ((text[:-9],), ("run", "gt9-abc"), ("predict", "gt1-%%%")):
        told = forked_gradtui(tmp_path, *words)
        assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)
        assert "the experiment's string" in told.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--steps", "x"], "--steps: 'x' is not allowed; expected a whole number"),
        (["watch", "--budget", "x", "--", "true"], "--budget: 'x' is not allowed; expected a number"),
        (["export", "r", "o", "--to", "xml"], "--to: 'xml' is not allowed; expected one of csv, parquet,"),
        (["run", "--set"], "--set: a value is missing"),
        (["report", "r"], "OUT: is missing"),
        (["presets", "--long"], "--long: not known here"),
    ],
)
def test_a_wrong_option_is_refused_in_the_words_of_all_refusals(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.startswith(f"gradtui: {said}")
