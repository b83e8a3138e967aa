"""Test that pyarrow reads back the exported numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gradtui.runs.export import sheets
from gradtui.runs.export.export import export
from tests.support.exported_run import LAYERS, made_run

parquet = pytest.importorskip("pyarrow.parquet")


@pytest.mark.parametrize("numbers", [100, 1 << 18])
def test_every_number_reads_back_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: int
) -> None:
    monkeypatch.setattr(sheets, "PIECE_NUMBERS", numbers)
    run = made_run(tmp_path / "run")
    table = parquet.read_table(export(run, "parquet", tmp_path / "run.parquet").files[0])
    assert str(table.schema.field("step").type) == "int64"
    assert str(table.schema.field("grad_norm/dense1").type) == "float"
    assert table["step"].to_pylist() == list(range(1, 61))
    np.testing.assert_array_equal(table["time"].to_numpy(), run.scalars("time")[1])
    np.testing.assert_array_equal(table["loss"].to_numpy(), run.scalars("loss")[1])
    norms = run.layers("grad_norm")[1]
    for index, layer in enumerate(LAYERS):
        np.testing.assert_array_equal(table[f"grad_norm/{layer}"].to_numpy(), norms[:, index])


def test_nothing_recorded_is_null_and_nan_is_a_number(tmp_path: Path) -> None:
    table = parquet.read_table(
        export(made_run(tmp_path / "run"), "parquet", tmp_path / "run.parquet").files[0]
    )
    ratios = table["update_ratio/dense1"].to_pylist()
    assert [step for step, value in enumerate(ratios, 1) if value is not None] == list(range(7, 61, 7))
    assert np.isnan(ratios[6])
    assert table["grad_norm/dense2"].null_count == 0


def test_a_folder_has_a_file_for_each_table(tmp_path: Path) -> None:
    done = export(made_run(tmp_path / "run"), "parquet", tmp_path / "out")
    assert parquet.read_table(tmp_path / "out" / "update_ratio.parquet").num_rows == 8
    assert len(done.files) == 5
