"""Test the names and layout of run folders."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradtui.runs import folder as layout
from tests.support.run_folders import describe, write_rows


def three_lines() -> str:
    """Return the lines of numpy that the docstring offers."""
    block = re.search(r"\n\n((?:    .*\n)+)", layout.__doc__[layout.__doc__.index("To read a table") :])
    assert block
    return textwrap.dedent(block.group(1))


def test_the_three_lines_of_the_docstring_read_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe(tmp_path, layers=3)
    values = np.array([[1, 2, 3], [np.nan, np.inf, 1e-45]], np.float32)
    write_rows(tmp_path, {"grad_norm": values}, first=7)
    with (tmp_path / "grad_norm.f32").open("ab") as file:
        file.write(b"torn record")
    monkeypatch.chdir(tmp_path)
    assert len(three_lines().splitlines()) == 3
    names: dict[str, Any] = {}
    exec(three_lines(), names)
    table = names["table"]
    np.testing.assert_array_equal(table["values"], values)
    assert table["step"].tolist() == [7, 8]
    assert table["time"].tolist() == [1e9 + 0.07, 1e9 + 0.08]


@pytest.mark.parametrize("columns", [1, 3, 1200])
def test_record_size_is_that_of_the_dtype(columns: int) -> None:
    assert layout.record_size(columns) == layout.record_dtype(columns).itemsize


def test_fifty_layers_and_six_scalars_stay_below_500_bytes_a_step() -> None:
    levels = sum(layout.level_dtype(n).itemsize for n in (50, 6)) / 15
    assert layout.record_size(50) + layout.record_size(6) + levels < 500


def test_runs_stay_in_gradtui_home(home: Path) -> None:
    assert layout.runs_root() == home / "runs"


def test_without_a_home_runs_stay_in_the_users_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRADTUI_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    root = layout.runs_root()
    assert root.is_relative_to(tmp_path)
    assert root.parts[-2:] == ("gradtui", "runs")


def test_new_folders_of_one_name_in_one_second_differ(tmp_path: Path) -> None:
    made = [layout.new_folder(tmp_path / "deep" / "root", "Deep  Sigmoid!") for _ in range(3)]
    assert len(set(made)) == 3
    assert all("-deep-sigmoid" in folder.name and folder.is_dir() for folder in made)


@pytest.mark.parametrize("name", ["", "../..", "深い", "/"])
def test_folder_stays_in_the_root_for_any_name(tmp_path: Path, name: str) -> None:
    assert layout.new_folder(tmp_path, name).parent == tmp_path


@pytest.mark.parametrize("table", ["", "../loss", "a.16", "a/b", "Loss", "1a", "a\n"])
def test_tables_of_other_names_are_refused(tmp_path: Path, table: str) -> None:
    with pytest.raises(ValueError, match="not a name of a table"):
        layout.table_path(tmp_path, table)


def test_size_of_follows_a_file_and_is_0_without_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert layout.size_of(path) == 0
    path.write_bytes(b"12345")
    assert layout.size_of(path) == 5
