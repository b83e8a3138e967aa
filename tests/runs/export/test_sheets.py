"""Test sheets against a plain merge by dictionaries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gradtui.runs.export import sheets
from gradtui.runs.export.sheets import EVALUATION, Piece, sheet_of_all, sheets_of
from gradtui.runs.reader import Run
from tests.support.exported_run import LAYERS, made_run


def plainly(run: Run) -> dict[int, dict[str, float]]:
    """Return what stands at each step, column by column."""
    rows: dict[int, dict[str, float]] = {}
    for name in run.scalar_names:
        for step, value in zip(*run.scalars(name), strict=True):
            rows.setdefault(int(step), {})[name] = value
    for measure in run.metrics:
        for step, values in zip(*run.layers(measure), strict=True):
            rows.setdefault(int(step), {}).update(
                {f"{measure}/{layer}": value for layer, value in zip(LAYERS, values, strict=True)}
            )
    for event in run.events():
        if event["event"] == "evaluation":
            rows[event["step"]].update({f"evaluation/{name}": np.float32(event[name]) for name in EVALUATION})
    return rows


def as_rows(columns: tuple[str, ...], pieces: list[Piece]) -> dict[int, dict[str, float]]:
    rows = {}
    for piece in pieces:
        for step, values, present in zip(piece.steps, piece.values, piece.present, strict=True):
            there = {name: v for name, v, p in zip(columns, values, present, strict=True) if p}
            assert np.isnan(values[~present]).all()
            rows[int(step)] = there
    return rows


@pytest.mark.parametrize("numbers", [1, 37, 200, 1 << 18])
def test_pieces_of_any_size_make_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: int
) -> None:
    run = made_run(tmp_path / "run")
    monkeypatch.setattr(sheets, "PIECE_NUMBERS", numbers)
    sheet = sheet_of_all(run)
    pieces = list(sheet.pieces())
    most = max(1, numbers // len(sheet.columns))
    # Of each of the four parts no more rows are read than that.
    assert max(len(piece.steps) for piece in pieces) <= 4 * most
    got, expected = as_rows(sheet.columns, pieces), plainly(run)
    assert list(got) == sorted(expected)
    for step, row in expected.items():
        np.testing.assert_equal(got[step], row)


def test_the_time_of_a_step_is_the_one_that_was_recorded(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    (piece,) = sheet_of_all(run).pieces()
    np.testing.assert_array_equal(piece.times, run.scalars("time")[1])


def test_a_sheet_for_each_table_has_only_the_steps_of_that_table(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    found = {sheet.name: list(sheet.pieces()) for sheet in sheets_of(run)}
    assert set(found) == {"scalars", "grad_norm", "update_ratio", "grad_histogram", "evaluation"}
    assert found["update_ratio"][0].steps.tolist() == list(range(7, 61, 7))
    assert found["evaluation"][0].steps.tolist() == [30, 60]
    assert all(piece.present.all() for pieces in found.values() for piece in pieces)
