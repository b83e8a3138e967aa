"""Test that exported CSV reads back with the same numbers."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from gradtui.runs.export.export import export
from tests.support.exported_run import LAYERS, made_run


def read(path: Path) -> dict[str, list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    return {name: list(cells) for name, cells in zip(names, zip(*rows, strict=True), strict=True)}


def test_every_number_of_the_wide_table_reads_back_as_it_was(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    done = export(run, "csv", tmp_path / "out" / "run.csv")
    assert (done.steps, done.files) == (60, (tmp_path / "out" / "run.csv",))
    table = read(done.files[0])
    np.testing.assert_array_equal(np.array(table["step"], int), np.arange(1, 61))
    np.testing.assert_array_equal(np.array(table["time"], float), run.scalars("time")[1])
    np.testing.assert_array_equal(np.float32(table["loss"]), run.scalars("loss")[1])
    norms = run.layers("grad_norm")[1]
    for index, layer in enumerate(LAYERS):
        np.testing.assert_array_equal(np.float32(table[f"grad_norm/{layer}"]), norms[:, index])
    assert (table["loss"][4], table["loss"][5], table["grad_norm/dense1"][5]) == ("inf", "nan", "-inf")


def test_a_cell_is_empty_only_where_nothing_was_recorded(tmp_path: Path) -> None:
    table = read(export(made_run(tmp_path / "run"), "csv", tmp_path / "run.csv").files[0])
    filled = {step: cell for step, cell in enumerate(table["update_ratio/dense1"], 1) if cell}
    assert filled == dict.fromkeys(range(7, 61, 7), "nan")
    assert {step: cell for step, cell in enumerate(table["evaluation/test_accuracy"], 1) if cell} == {
        30: "0.75",
        60: "0.75",
    }


def test_a_folder_has_a_file_for_each_table(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    done = export(run, "csv", tmp_path / "out")
    names = {"scalars.csv", "grad_norm.csv", "update_ratio.csv", "grad_histogram.csv", "evaluation.csv"}
    assert {path.name for path in done.files} == {path.name for path in (tmp_path / "out").iterdir()} == names
    assert list(read(tmp_path / "out" / "grad_norm.csv")) == ["step", "time", *LAYERS]
