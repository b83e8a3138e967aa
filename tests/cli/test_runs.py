"""`gradtui runs` lists runs, as a real process."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gradtui.cli import main
from gradtui.runs.label import Label, write_label
from tests.support.command_line import forked_gradtui, strictly
from tests.support.run_folders import make


@pytest.fixture
def runs(home: Path) -> Path:
    root = home / "runs"
    write_label(make(root, "a", started=1e9), Label("the bad one", ("Fig2", "paper")))
    make(root, "b", started=2e9, end="diverged")
    return home


def test_the_filter_chooses_runs(runs: Path) -> None:
    (row,) = strictly(forked_gradtui(runs, "runs", "--json", "--filter", "tag:paper step>=40").stdout)
    assert (Path(row["run"]).name, row["name"]) == ("a", "the bad one")
    assert (
        strictly(forked_gradtui(runs, "runs", "--json", "--filter=-tag:paper").stdout)[0]["status"]
        == "diverged"
    )
    assert strictly(forked_gradtui(runs, "runs", "--json", "--filter", "depth>1000").stdout) == []


def test_names_and_tags_of_runs_are_listed(runs: Path) -> None:
    newest, oldest = forked_gradtui(runs, "runs").stdout.splitlines()
    assert newest.split()[:2] == ["b", "a"]
    assert "the bad one" in oldest
    assert oldest.endswith("#Fig2 #paper")


def test_a_terminal_shows_the_head_of_the_table(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["runs", "--runs", str(runs / "runs")]) == 0
    head, newest, _ = capsys.readouterr().out.splitlines()
    # The runs have no gradient, and a column without anything in it is left out.
    assert " ".join(head.split()) == "run name state step started test findings tags and note"
    assert newest.index("diverged") == head.index("state")


def test_a_terminal_of_120_columns_has_room_for_a_run_in_each_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.mktime((2026, 11, 30, 4, 1, 34, 0, 0, -1))
    ids = [
        f"20261130-040134-sigmoid-20-{end}" for end in ("relu", "elu", "layer-normalisation" + "-more" * 10)
    ]
    for id in ids:
        write_label(make(home / "runs", id, started=started), Label(name=id[16:]))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "90")
    assert main(["runs", "--runs", str(home / "runs")]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    # The id says its name and when it was started.
    assert head.split()[:4] == ["run", "state", "step", "test"]
    assert sorted(line for line in lines if " finished " not in line) == [ids[2]], "only its id has no room"
    assert len(lines) == 4
    assert {line.index("finished") for line in lines if "finished" in line} == {head.index("state")}


def test_a_note_is_given_listed_and_found(runs: Path) -> None:
    assert forked_gradtui(runs, "runs", "--note", "a", "clip was off\nsee figure 2").stdout == ""
    (row,) = strictly(forked_gradtui(runs, "runs", "--json", "--filter", "note:*figure*").stdout)
    assert row["note"] == "clip was off\nsee figure 2"
    newest, oldest = forked_gradtui(runs, "runs").stdout.splitlines()
    assert oldest.endswith("#Fig2 #paper clip was off")
    assert "clip" not in newest
    assert forked_gradtui(runs, "runs", "--note", "a", "").returncode == 0
    assert all("note" not in row for row in strictly(forked_gradtui(runs, "runs", "--json").stdout))
    told = forked_gradtui(runs, "runs", "--note", "zzz", "text")
    assert (told.returncode, told.stderr.count("\n"), told.stderr[:16]) == (2, 1, "gradtui: --note:")


def test_a_filter_that_matches_no_run_says_so(runs: Path) -> None:
    assert (
        forked_gradtui(runs, "runs", "--filter", "nothing").stdout == f"no run matches in {runs / 'runs'}\n"
    )


def test_a_wrong_filter_is_one_line(runs: Path) -> None:
    told = forked_gradtui(runs, "runs", "--filter", "depth>")
    assert told.returncode == 2
    assert told.stdout == ""
    assert told.stderr.splitlines() == ["gradtui: --filter: depth>: the value of depth is missing"]
