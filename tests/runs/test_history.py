"""Test the bounded history of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradtui.runs.follower import History
from gradtui.runs.summary import Summary
from gradtui.runs.table import Table
from tests.support.run_folders import assert_summarises, write_rows
from tests.support.run_tables import cuts, matrices


def same(one: Summary, other: Summary) -> None:
    for field in ("step", "time", "min", "mean", "max"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))


def table_of(folder: Path, values: np.ndarray) -> Table:
    write_rows(folder, {"grad_norm": values})
    return Table(folder, "grad_norm", tuple("abcdefgh"[: values.shape[1]]))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_history_is_the_same_after_one_poll_or_many(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    values = data.draw(matrices(most_rows=1200))
    most = data.draw(st.integers(1, 40))
    table = table_of(tmp_path_factory.mktemp("run"), values)
    often, once = History(2, most), History(2, most)
    for stop in data.draw(cuts(len(values)))[1:]:
        often.take(table, stop)
    once.take(table, len(values))
    same(often.summary(), once.summary())
    assert (often.stride, often.last_rows, often.rows) == (once.stride, once.last_rows, len(values))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_history_is_the_same_without_levels(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    values = data.draw(matrices(most_rows=1200))
    most = data.draw(st.integers(1, 10))
    folder = tmp_path_factory.mktemp("run")
    table = table_of(folder, values)
    by_levels, by_rows = History(2, most), History(2, most)
    by_levels.take(table, len(values))
    for path in folder.glob("grad_norm.*.f32"):
        path.unlink()
    by_rows.take(table, len(values))
    same(by_levels.summary(), by_rows.summary())


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_buckets_of_the_history_equal_plain_numpy(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    values = data.draw(matrices(most_rows=900))
    most = data.draw(st.integers(1, 60))
    history = History(2, most)
    history.take(table_of(tmp_path_factory.mktemp("run"), values), len(values))
    got = history.summary()
    stride = history.stride
    assert stride & (stride - 1) == 0
    assert len(got) == -(-len(values) // stride) <= most
    # The smallest stride that suffices.
    assert stride == 1 or len(values) > most * stride // 2
    for index in range(len(got)):
        rows = values[index * stride : (index + 1) * stride]
        assert got.step[index] == index * stride + 1
        assert_summarises((got.min[index], got.mean[index], got.max[index]), rows)
    assert history.last_rows == (len(values) - (len(got) - 1) * stride if len(got) else 0)


def test_returned_history_does_not_change_later(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    table = table_of(tmp_path, values)
    history = History(2, 16)
    handed = []
    for stop in range(0, 301, 7):
        history.take(table, stop)
        summary = history.summary()
        handed.append((summary, summary.mean.copy(), summary.min.copy(), summary.step.copy()))
    for summary, mean, low, step in handed:
        np.testing.assert_array_equal(summary.mean, mean)
        np.testing.assert_array_equal(summary.min, low)
        np.testing.assert_array_equal(summary.step, step)
