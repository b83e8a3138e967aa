"""`gradtui export` writes the tables of a run."""

from __future__ import annotations

from pathlib import Path

from tests.support.command_line import forked_gradtui, gradtui_on_a_terminal
from tests.support.exported_run import made_run


def test_an_export_is_described_in_one_line(tmp_path: Path) -> None:
    made_run(tmp_path / "runs" / "20260101-000000-made")
    out = tmp_path / "made.csv"
    result = forked_gradtui(tmp_path, "export", "made", "--to", "csv", str(out))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{out}, 60 steps of 20260101-000000-made\n"
    again = forked_gradtui(tmp_path, "export", "made", "--to", "csv", str(out))
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == f"gradtui: {out}: exists already; --force replaces it\n"


def test_an_unknown_kind_is_one_line(tmp_path: Path) -> None:
    result = forked_gradtui(tmp_path, "export", "made", "--to", "xls", "out")
    assert result.returncode == 2
    assert "one of csv, parquet, tensorboard" in result.stderr
    assert result.stderr.count("\n") == 1


def test_progress_is_shown_where_stderr_is_a_terminal(tmp_path: Path) -> None:
    made_run(tmp_path / "runs" / "20260101-000000-made")
    result, shown = gradtui_on_a_terminal(
        tmp_path, "export", "made", "--to", "csv", str(tmp_path / "made.csv")
    )
    assert result.returncode == 0
    assert "exporting" in shown
    assert " rows" in shown
