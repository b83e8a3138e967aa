"""Test which files an export writes and which it leaves unchanged."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gradtui.runs.errors import RunError
from gradtui.runs.export import KINDS
from gradtui.runs.export.export import export
from tests.support.exported_run import made_run
from tests.support.run_folders import describe


def test_what_is_there_is_replaced_only_by_force(tmp_path: Path) -> None:
    run, out = made_run(tmp_path / "run"), tmp_path / "run.csv"
    out.write_text("mine")
    with pytest.raises(RunError, match=r"run\.csv: exists already; --force"):
        export(run, "csv", out)
    assert out.read_text() == "mine"
    export(run, "csv", out, force=True)
    assert out.read_text().startswith("step,time,loss")


def test_force_touches_no_other_file_of_a_folder(tmp_path: Path) -> None:
    run, out = made_run(tmp_path / "run"), tmp_path / "out"
    out.mkdir()
    export(run, "csv", out)
    (out / "mine.txt").write_text("mine")
    (out / "scalars.csv").write_text("old")
    with pytest.raises(RunError, match="out: exists already"):
        export(run, "csv", out)
    export(run, "csv", out, force=True)
    assert (out / "mine.txt").read_text() == "mine"
    assert (out / "scalars.csv").read_text().startswith("step,")


def test_a_file_takes_no_folders_place_nor_a_folder_a_files(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    (tmp_path / "a.csv").mkdir()
    (tmp_path / "b").write_text("mine")
    with pytest.raises(RunError, match=r"a\.csv: is a folder"):
        export(run, "csv", tmp_path / "a.csv", force=True)
    with pytest.raises(RunError, match="b: is a file"):
        export(run, "csv", tmp_path / "b", force=True)


@pytest.mark.parametrize(
    ("kind", "module", "said"),
    [
        ("parquet", "pyarrow", r"pip install 'gradtui\[parquet\]'"),
        ("tensorboard", "tensorboard.compat.proto.event_pb2", r"pip install 'gradtui\[tensorboard\]'"),
    ],
)
def test_a_missing_library_is_one_line_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, module: str, said: str
) -> None:
    # What the import system itself takes for a module that is not there.
    monkeypatch.setitem(sys.modules, module, None)
    run = made_run(tmp_path / "run")
    assert kind in KINDS
    with pytest.raises(RunError, match=said):
        export(run, kind, tmp_path / "out")  # type: ignore[arg-type]
    assert not list((tmp_path / "out").iterdir())


def test_a_run_without_a_step_is_refused(tmp_path: Path) -> None:
    describe(tmp_path / "run")
    from gradtui import open_run

    with pytest.raises(RunError, match="run: nothing is recorded yet"):
        export(open_run(tmp_path / "run"), "csv", tmp_path / "run.csv")
