"""Test the results of a study as other programs read them."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from gradtui.study.results import records, table, write_csv, write_parquet
from gradtui.study.state import StudyState
from tests.support.studies import TWO_SEEDS, Launcher, relu_fixes, settled, study


@pytest.fixture
def state() -> StudyState:
    return settled(study(TWO_SEEDS, Launcher(relu_fixes)))


def test_records_have_one_row_per_run(state: StudyState, tmp_path: Path) -> None:
    write_csv(state, tmp_path / "runs.csv")
    with (tmp_path / "runs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["change"] for row in rows] == ["no cure", "ReLU + He initialisation"] * 2
    assert [row["seed"] for row in rows] == ["0", "0", "1", "1"]
    assert [float(row["train_accuracy"]) for row in rows] == [0.1, 0.95, 0.1, 0.95]
    assert [row["findings"] for row in rows] == ["vanishing", "", "vanishing", ""]
    assert {row["lag_drop"] for row in rows} == {""}, "no such figure, so nothing"
    assert [row["run"] for row in rows] == [str(row.folder) for row in state.rows]


def test_table_has_one_row_per_point_over_its_seeds(state: StudyState) -> None:
    failing, cured = table(state)
    assert (failing["change"], failing["seeds"], failing["ended"]) == ("no cure", 2, 2)
    assert failing["findings"] == {"vanishing": 2}
    assert failing["outcomes"] == {"vanishing": 2}
    assert cured["train_accuracy"] == {"mean": 0.95, "min": 0.95, "max": 0.95}
    assert cured["lag_drop"] is None


def test_parquet_file_is_read_back_by_pyarrow(state: StudyState, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write_parquet(state, tmp_path / "runs.parquet")
    read = parquet.read_table(tmp_path / "runs.parquet").to_pylist()
    for row, expected in zip(read, records(state), strict=True):
        assert row.keys() == expected.keys()
        for name, value in expected.items():
            assert row[name] == value or (isinstance(value, float) and math.isnan(value))
