"""Test the timeline of a table for a waterfall."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradtui.runs.follower import History, Timeline
from gradtui.runs.table import Table
from tests.support.run_folders import assert_summarises, write_rows
from tests.support.run_tables import matrices


def timeline_of(folder: Path, values: np.ndarray, most: int, *, first: int = 1) -> Timeline:
    if not (folder / "grad_norm.f32").exists():
        write_rows(folder, {"grad_norm": values}, first=first)
    table = Table(folder, "grad_norm", tuple("abcdefgh"[: values.shape[1]]))
    history = History(values.shape[1], most)
    history.take(table, len(values))
    summary = history.summary()
    return Timeline(table, summary.mean, summary.step, history.stride, history.last_rows)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_folding_gives_the_timeline_of_fewer_rows(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    values = data.draw(matrices(most_rows=500))
    folder = tmp_path_factory.mktemp("run")
    height = data.draw(st.integers(1, 30))
    long = timeline_of(folder, values, data.draw(st.integers(height, 200)))
    short = timeline_of(folder, values, height)
    matrix, steps, stride = long.fold(height)
    assert (len(matrix), stride) == (len(short.rows), short.stride)
    assert steps.tolist() == short.steps.tolist()
    whole = len(matrix) - (short.last_count < stride)
    np.testing.assert_array_equal(matrix[:whole], short.rows[:whole])
    for index, row in enumerate(matrix):
        rows = values[index * stride : (index + 1) * stride]
        low, high = np.fmin.reduce(rows), np.fmax.reduce(rows)
        assert_summarises((low, row, high), rows)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 300), st.integers(1, 20))
def test_a_pane_that_grows_changes_only_at_its_end_until_the_stride_doubles(
    tmp_path_factory: pytest.TempPathFactory, rows: int, height: int
) -> None:
    values = np.random.default_rng(rows).lognormal(size=(rows + 1, 2)).astype(np.float32)
    folder = tmp_path_factory.mktemp("run")
    write_rows(folder, {"grad_norm": values})
    before, _, stride = timeline_of(folder, values[:rows], 64).fold(height)
    after, _, doubled = timeline_of(folder, values, 64).fold(height)
    if stride == doubled:
        np.testing.assert_array_equal(after[: len(before) - 1], before[:-1])
        assert len(after) - len(before) in (0, 1)
    else:
        assert doubled == 2 * stride


def test_nan_and_infinity_are_seen_in_any_fold(tmp_path: Path) -> None:
    values = np.ones((100, 3), np.float32)
    values[37, 0], values[12, 1], values[99, 2] = np.nan, np.inf, -np.inf
    for height in (100, 10, 1):
        matrix, _, _ = timeline_of(tmp_path, values, 64).fold(height)
        assert np.isnan(matrix[:, 0]).sum() == 1
        assert np.isposinf(matrix[:, 1]).sum() == 1
        assert np.isneginf(matrix[:, 2]).sum() == 1


def test_run_without_rows_has_an_empty_timeline(tmp_path: Path) -> None:
    timeline = timeline_of(tmp_path, np.ones((0, 3), np.float32), 64)
    matrix, steps, stride = timeline.fold(10)
    assert (matrix.shape, len(steps), stride, timeline.recorded) == ((0, 3), 0, 1, 0)
    assert len(timeline.window(1, 100, 10)) == 0


def test_window_has_finer_rows_than_the_whole_run(tmp_path: Path) -> None:
    values = np.random.default_rng(0).lognormal(size=(1000, 2)).astype(np.float32)
    timeline = timeline_of(tmp_path, values, 4, first=11)
    assert timeline.stride == 256
    assert (timeline.first_step, timeline.recorded) == (11, 1000)
    window = timeline.window(501, 520, 400)
    assert window.step.tolist() == list(range(501, 521))
    np.testing.assert_array_equal(window.mean, values[490:510])
    assert len(timeline.window(1, 5000, 10)) == 10
    assert timeline.window(1, 5000, 10).step[0] == 11
    assert len(timeline.window(2000, 3000, 10)) == 0
