from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gradtui.runs.errors import RunError, RunNotFound
from gradtui.runs.folder import runs_root
from gradtui.runs.library import delete, find_run, list_runs
from gradtui.runs.writer import RunWriter

from .making import columns_of, describe


def make(root: Path, identity: str, *, started: float, end: str | None = "finished", **meta: object) -> Path:
    folder = root / identity
    writer = RunWriter(folder, columns_of(describe(folder, started=started, **meta)))  # type: ignore[arg-type]
    folder.mkdir(exist_ok=True)
    writer.append("scalars", 40, [1, 2, 3])
    if end:
        writer.event("end", status=end)
    writer.close()
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    make(root, "20260101-100000-old", started=1e9, name="deep sigmoid")
    make(root, "20260101-110000-new", started=2e9, name="deep relu")
    make(root, "20260101-103000-mid", started=1.5e9, name="deep sigmoid fixed")
    return root


def test_runs_are_listed_newest_first(root: Path) -> None:
    runs = list_runs(root)
    assert [(info.id, info.name, info.status.state, info.steps, info.started) for info in runs] == [
        ("20260101-110000-new", "deep relu", "finished", 40, 2e9),
        ("20260101-103000-mid", "deep sigmoid fixed", "finished", 40, 1.5e9),
        ("20260101-100000-old", "deep sigmoid", "finished", 40, 1e9),
    ]
    assert runs[0].run == root / "20260101-110000-new"


def test_what_is_no_run_or_corrupt_does_not_break_the_list(root: Path) -> None:
    (root / "notes").mkdir()
    (root / "file").write_text("")
    (root / "dangling").symlink_to(root / "nowhere")
    (root / "empty.toml").mkdir()
    (root / "bad").mkdir()
    (root / "bad" / "run.json").write_text('{"id": 3')
    (root / "odd").mkdir()
    (root / "odd" / "run.json").mkdir()
    (root / "odd" / "experiment.toml").write_text("= nonsense")
    (root / "soon").mkdir()
    (root / "soon" / "experiment.toml").write_text("= nonsense")
    runs = {info.id: info for info in list_runs(root)}
    assert set(runs) >= {"20260101-110000-new", "bad", "soon"}
    assert not set(runs) & {"notes", "file", "dangling", "empty.toml"}
    assert runs["bad"].status.state == "failed"
    assert "run.json" in runs["bad"].status.reason
    assert runs["soon"].status.state == "starting"
    assert len(runs) - 3 <= 3


def test_a_root_that_is_not_there_holds_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "gone") == []


def test_the_default_root_is_the_users(home: Path) -> None:
    assert list_runs() == []
    make(runs_root(), "a", started=1e9)
    assert [info.id for info in list_runs()] == ["a"]
    assert find_run() == home / "runs" / "a"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, "20260101-110000-new"),
        ("20260101-100000-old", "20260101-100000-old"),
        ("old", "20260101-100000-old"),
        ("relu", "20260101-110000-new"),
        # Whole before part: only one is called just so.
        ("deep sigmoid", "20260101-100000-old"),
        ("fixed", "20260101-103000-mid"),
    ],
)
def test_a_run_is_found_by_what_tells_it_apart(root: Path, text: str | None, found: str) -> None:
    assert find_run(text, root) == root / found


def test_a_run_is_found_by_its_path(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_run(str(root / "20260101-100000-old"), tmp_path / "elsewhere") == root / "20260101-100000-old"
    monkeypatch.chdir(root / "20260101-100000-old")
    assert find_run(".", tmp_path) == Path(".")


@pytest.mark.parametrize(
    ("text", "says"),
    [("tanh", "no run of that name"), ("deep", "3 runs match: 20260101-110000-new, "), ("", "3 runs match")],
)
def test_what_tells_none_or_several_apart_is_said_in_one_line(root: Path, text: str, says: str) -> None:
    with pytest.raises(RunNotFound) as caught:
        find_run(text, root)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_runs_yet(tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match="no runs yet"):
        find_run(None, tmp_path)


def test_a_finished_run_can_be_deleted_a_live_one_not(root: Path) -> None:
    delete(root / "20260101-100000-old")
    assert not (root / "20260101-100000-old").exists()
    live = make(root, "live", started=3e9, end=None)
    with pytest.raises(RunError, match="still training"):
        delete(live)
    assert (live / "scalars.f32").exists()


def test_a_corrupt_run_can_be_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "run.json").write_text("{")
    delete(folder)
    assert not folder.exists()


def test_what_is_no_run_is_never_deleted(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("")
    link = tmp_path / "link"
    link.symlink_to(make(tmp_path, "real", started=1e9), target_is_directory=True)
    for folder in (tmp_path / "precious", link, tmp_path / "gone"):
        with pytest.raises(RunError, match="no run"):
            delete(folder)
    assert (tmp_path / "precious" / "thesis.tex").exists()
    assert (tmp_path / "real" / "run.json").exists()


def test_a_run_that_never_started_is_listed_by_when_its_folder_changed(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "experiment.toml").write_text("")
    old = time.time() - 100
    os.utime(folder, (old, old))
    (info,) = list_runs(tmp_path)
    assert (info.status.state, info.name) == ("failed", "x")
    assert abs(info.started - old) < 1
