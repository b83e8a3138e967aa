"""Test the deletion of runs and their return."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradtui.runs import trash
from gradtui.runs.errors import RunError
from gradtui.runs.library import list_runs
from tests.support.run_folders import make


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    return [make(tmp_path / "runs", name, started=1e9) for name in ("a", "b", "c")]


def ids(root: Path) -> list[str]:
    return sorted(info.id for info in list_runs(root))


def test_runs_deleted_together_are_restored_together_newest_deletion_first(runs: list[Path]) -> None:
    root = runs[0].parent
    content = {path.name: path.read_bytes() for path in runs[1].iterdir() if path.is_file()}
    trash.delete(runs[:2])
    trash.delete(runs[2:])
    assert ids(root) == []
    assert trash.count(root) == 3
    assert trash.undelete(root) == [runs[2]]
    assert ids(root) == ["c"]
    assert trash.undelete(root) == runs[:2]
    assert ids(root) == ["a", "b", "c"]
    assert {path.name: path.read_bytes() for path in runs[1].iterdir() if path.is_file()} == content
    assert trash.undelete(root) == []


def test_live_run_and_runs_chosen_with_it_are_not_deleted(runs: list[Path]) -> None:
    live = make(runs[0].parent, "live", started=3e9, end=None)
    with pytest.raises(RunError, match="live: still training; stop it first"):
        trash.delete([runs[0], live])
    assert ids(live.parent) == ["a", "b", "c", "live"]


def test_a_corrupt_run_can_be_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "run.json").write_text("{")
    trash.delete([folder])
    assert not folder.exists()


def test_folder_that_is_no_run_is_never_deleted(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("")
    link = tmp_path / "link"
    link.symlink_to(make(tmp_path, "real", started=1e9), target_is_directory=True)
    for folder in (tmp_path / "precious", link, tmp_path / "gone"):
        with pytest.raises(RunError, match="no run"):
            trash.delete([folder])
    assert (tmp_path / "precious" / "thesis.tex").exists()
    assert (tmp_path / "real" / "run.json").exists()


def test_runs_deleted_long_ago_are_removed_for_good(runs: list[Path]) -> None:
    root = runs[0].parent
    trash.delete(runs[:1])
    trash.purge(root)
    assert trash.count(root) == 1
    trash.purge(root, older_than=0)
    assert trash.count(root) == 0
    assert trash.undelete(root) == []
    assert ids(root) == ["b", "c"]


def test_restoring_overwrites_no_run_of_the_same_name(runs: list[Path]) -> None:
    trash.delete(runs[:1])
    make(runs[0].parent, "a", started=5e9)
    with pytest.raises(RunError, match="another run has this name"):
        trash.undelete(runs[0].parent)
    assert trash.count(runs[0].parent) == 1


def test_unwritable_folder_raises_one_line(runs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    (runs[0].parent / ".trash").write_text("a file in its place")
    with pytest.raises(RunError, match=r"\.trash: ") as caught:
        trash.delete(runs[:1])
    assert "\n" not in str(caught.value)
    assert runs[0].exists()
