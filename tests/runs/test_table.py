"""Test tables of fixed-size records."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradtui.runs import table as reading
from gradtui.runs.folder import level_path, record_size, table_path
from gradtui.runs.table import Table, bucket_edges, coarsest_bucket
from tests.support.run_folders import assert_summarises, buckets_of, write_rows
from tests.support.run_tables import matrices


def written(folder: Path, values: np.ndarray, **fields: float) -> Table:
    write_rows(folder, {"grad_norm": values}, **fields)
    return Table(folder, "grad_norm", tuple("abcdefgh"[: values.shape[1]]))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_summary_is_that_of_plain_numpy(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    values = data.draw(matrices(most_rows=900))
    folder = tmp_path_factory.mktemp("run")
    table = written(folder, values)
    for bucket in buckets_of(len(values)):
        # A level may lag behind, or be missing.
        path = level_path(folder, "grad_norm", bucket)
        os.truncate(path, data.draw(st.sampled_from([path.stat().st_size, path.stat().st_size // 2, 0])))
    start = data.draw(st.integers(0, len(values)))
    stop = data.draw(st.integers(start, len(values)))
    buckets = data.draw(st.integers(1, 40))
    got = table.summary(start, stop, buckets)
    assert len(got) == min(buckets, stop - start)
    if not len(got):
        return
    edges = [*(got.step - 1), stop]
    assert edges[0] == start
    assert (np.diff(edges) > 0).all()
    largest = coarsest_bucket((stop - start) // len(got))
    assert np.diff(edges).max() <= (stop - start) / len(got) + largest
    np.testing.assert_array_equal(got.time, 1e9 + got.step * 0.01)
    for index, (first, last) in enumerate(itertools.pairwise(edges)):
        assert_summarises((got.min[index], got.mean[index], got.max[index]), values[first:last])


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(1, 1000))
def test_edges_ascend_and_lie_on_buckets(start: int, length: int, count: int) -> None:
    count = min(count, length)
    bucket = coarsest_bucket(length // count)
    assert bucket <= length // count < 16 * bucket
    edges = bucket_edges(start, start + length, count, bucket)
    assert (edges[0], edges[-1], len(edges)) == (start, start + length, count + 1)
    assert (np.diff(edges) > 0).all()
    assert not (edges[1:-1] % bucket).any()


def test_a_summary_reads_few_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = written(tmp_path, np.ones((20_000, 2), np.float32))
    taken = []
    real = reading.read_records

    def counted(*arguments: object) -> np.ndarray:
        taken.append(len(records := real(*arguments)))  # type: ignore[arg-type]
        return records

    monkeypatch.setattr(reading, "read_records", counted)
    table.summary(buckets=10)
    assert sum(taken) <= 10 * 16 + 3 * 16


def test_a_summary_in_pieces_is_the_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(2).lognormal(size=(5000, 3)).astype(np.float32)
    table = written(tmp_path, values)
    whole = table.summary(7, 4990, 33)
    monkeypatch.setattr(reading, "_PIECE_BYTES", 1000)
    pieces = table.summary(7, 4990, 33)
    for field in ("step", "time", "min", "mean", "max"):
        np.testing.assert_array_equal(getattr(whole, field), getattr(pieces, field))
    np.testing.assert_array_equal(table.values()[2], values)


def test_rows_are_read_as_slices_count(tmp_path: Path) -> None:
    values = np.arange(60, dtype=np.float32).reshape(20, 3)
    table = written(tmp_path, values)
    assert table.rows == 20
    np.testing.assert_array_equal(table.read()["values"], values)
    np.testing.assert_array_equal(table.read(5, 8)["values"], values[5:8])
    np.testing.assert_array_equal(table.read(-2)["values"], values[-2:])
    assert len(table.read(8, 5)) == len(table.read(30, 40)) == len(table.values(8, 5)[0]) == 0
    steps, times, column = table.column("b")
    assert steps.tolist() == list(range(1, 21))
    np.testing.assert_array_equal(times, 1e9 + steps * 0.01)
    np.testing.assert_array_equal(column, values[:, 1])
    with pytest.raises(ValueError, match="not in tuple"):
        table.column("z")


def test_differences_of_steps_do_not_wrap_around(tmp_path: Path) -> None:
    table = written(tmp_path, np.ones((40, 1), np.float32))
    assert (table.values()[0] - 100).min() == -99
    assert (table.summary(buckets=2).step - 100).min() == -99


def test_rows_are_found_by_step_and_time(tmp_path: Path) -> None:
    write_rows(tmp_path, {"grad_norm": np.ones((5, 1), np.float32)}, first=10)
    write_rows(tmp_path, {"grad_norm": np.ones((5, 1), np.float32)}, first=100)
    table = Table(tmp_path, "grad_norm", ("a",))
    steps = table.values()[0]
    for step in (0, 10, 12, 15, 99, 100, 104, 105):
        assert table.row_of(step) == np.searchsorted(steps, step)
    assert table.row_at(1e9 + 0.12) == 2
    assert table.row_at(0) == 0
    assert table.row_at(2e9) == 10


@pytest.mark.parametrize("rows", [0, 1, 17])
def test_a_torn_last_record_is_no_row(tmp_path: Path, rows: int) -> None:
    table = written(tmp_path, np.ones((rows, 2), np.float32))
    with table_path(tmp_path, "grad_norm").open("ab") as file:
        file.write(b"x" * (record_size(2) - 1))
    assert table.rows == len(table.read()) == len(table.values()[0]) == len(table.summary()) == rows


def test_missing_table_has_no_rows(tmp_path: Path) -> None:
    for columns in ((), ("a", "b")):
        table = Table(tmp_path / "gone", "grad_norm", columns)
        assert table.rows == 0
        assert table.values()[2].shape == (0, len(columns))
        assert table.summary().mean.shape == (0, len(columns))
        assert table.row_of(3) == 0


def test_a_table_cut_short_while_it_is_read_gives_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(3).normal(size=(2000, 2)).astype(np.float32)
    table = written(tmp_path, values)
    monkeypatch.setattr(Table, "rows", 2000)
    for path in tmp_path.glob("*.f32"):
        os.truncate(path, path.stat().st_size // 3)
    np.testing.assert_array_equal(table.values()[2], values[:666])
    for buckets in (1, 7, 400, 2000):
        summary = table.summary(buckets=buckets)
        assert 0 < len(summary) <= buckets
    assert table.row_of(5000) <= 2000
