"""`gradtui study` trains real studies and writes their outputs."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from gradtui.runs.reader import open_run
from gradtui.study.presets import names
from tests.support.command_line import forked_gradtui, gradtui, gradtui_on_a_terminal, strictly

TINY = """
name = "tiny"
seeds = [0, 1]
base = { net = [{ width = 8, repeat = 2, activation = "tanh" }], run = { steps = 4, device = "cpu" } }
grid = { net.0.repeat = [1, 2] }
"""


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    (tmp_path / "tiny.toml").write_text(TINY)
    return str(tmp_path / "tiny.toml")


@pytest.mark.parametrize("words", [["study"], ["study", "--list"]])
def test_without_a_study_the_shipped_ones_are_listed(home: Path, words: list[str]) -> None:
    done = gradtui(home, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(names())
    listed = strictly(gradtui(home, *words, "--json").stdout)
    assert [study["name"] for study in listed] == list(names())
    assert all(study["description"] for study in listed)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["degradatoin"], 'degradatoin: no such study or file; did you mean "degradation"?'),
        (["no/where.toml"], "no/where.toml: cannot be read: No such file or directory"),
        (["cures", "--jobs", "0"], "--jobs: 0 is not allowed"),
        (["cures", "--csv", "no/where.csv"], "--csv: the folder of no/where.csv does not exist"),
        (["cures", "--svg", "."], "--svg: . is a folder"),
        (["cures", "--engine", "steam"], "--engine"),
    ],
)
def test_bad_input_is_one_line(home: Path, words: list[str], said: str) -> None:
    done = forked_gradtui(home, "study", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"gradtui: {said}") or said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (home / "runs").exists()


def test_a_study_from_its_file_to_its_outputs(home: Path, tmp_path: Path, tiny: str) -> None:
    outputs = {name: tmp_path / f"out.{name}" for name in ("csv", "svg", "text")}
    words = [word for name, path in outputs.items() for word in (f"--{name}", str(path))]
    done = forked_gradtui(home, "study", tiny, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "tiny  finished, 4 runs" in done.stdout
    with outputs["csv"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["net.0.repeat"], row["seed"]) for row in rows] == [
        ("1", "0"),
        ("2", "0"),
        ("1", "1"),
        ("2", "1"),
    ]
    for row in rows:
        run = open_run(row["run"])
        assert run.status.state == "finished"
        assert run.folder.parent == home / "runs"
        assert float(row["train_accuracy"]) == evaluation_of(row["run"])["train_accuracy"]
    ET.parse(outputs["svg"])
    assert "training accuracy" in outputs["text"].read_text()


def evaluation_of(run: str) -> dict[str, Any]:
    return [event for event in open_run(run).events() if event["event"] == "evaluation"][-1]


def test_studies_lie_beside_the_chosen_folder_of_runs(home: Path, tmp_path: Path) -> None:
    runs = tmp_path / "elsewhere" / "runs"
    file = tmp_path / "tiny.toml"
    file.write_text(TINY.split("grid")[0].replace("[0, 1]", "[0]"))
    told = strictly(gradtui(home, "study", str(file), "--runs", str(runs), "--json").stdout)
    assert told["study"] == str(tmp_path / "elsewhere" / "studies" / "tiny")
    assert {Path(run["run"]).parent for run in told["runs"]} == {runs}
    assert not home.exists()


@pytest.mark.long
def test_a_trainer_that_fails_is_a_row_and_the_study_continues(home: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    file = tmp_path / "broken.toml"
    file.write_text(
        TINY.split("grid")[0].replace("[0, 1]", "[0]")
        + '[[change]]\nname = "well"\n[[change]]\nname = "broken"\n'
        f"set = {{ data.source = 'npz', data.path = '{tmp_path / 'broken.npz'}' }}\n"
    )
    done = forked_gradtui(home, "study", str(file), "--json")
    assert done.returncode == 1
    told = strictly(done.stdout)
    assert told["status"] == "failed"
    assert [run["status"] for run in told["runs"]] == ["finished", "failed"]
    assert "broken.npz" in told["runs"][1]["reason"]


@pytest.mark.long
def test_a_bar_is_shown_on_a_terminal(home: Path, tiny: str) -> None:
    done, shown = gradtui_on_a_terminal(home, "study", tiny)
    assert done.returncode == 0
    assert "/4 runs" in shown


@pytest.mark.long
def test_the_shipped_degradation_study_reproduces_the_shape(home: Path) -> None:
    """RECIPES.md: plain nets fall from 0.95 at 5 layers to 0.3 at 57, residual ones rise to 0.97 and more."""
    told = strictly(gradtui(home, "study", "degradation", "--json").stdout)
    assert told["status"] == "finished"
    mean = {(row["change"], row["depth"]): row["train_accuracy"]["mean"] for row in told["table"]}
    assert mean["plain", 5] > 0.9
    assert mean["plain", 57] < 0.5
    assert mean["residual", 57] >= mean["residual", 5] > 0.9
    drops = {(row["change"], row["depth"]): row["drop"] for row in told["table"]}
    assert all(max(abs(drop["min"]), abs(drop["max"])) < 0.9 for drop in drops.values()), "nothing vanishes"
    (finding,) = told["findings"]
    assert (finding["code"], finding["series"]) == ("degradation", "plain")
    deep = [
        run["key"]
        for run in told["runs"]
        if run["changes"] == {"change": "plain", "net.1.repeat": 28, "seed": run["seed"]}
    ]
    assert set(deep) <= set(finding["runs"])
