"""Test the data of a view: rows as on disk, medians and bounds by numpy, theory by `predict`."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gradtui.absent import ABSENT, absent_in
from gradtui.diagnosis import predict
from gradtui.experiment import resolve, set_fields
from gradtui.runs.follower import Follower, Snapshot
from gradtui.runs.reader import open_run
from gradtui.ui.view import ViewRequest
from gradtui.ui.view_data import ViewData, median_of, read_view, values_beside
from tests.ui.conftest import MakeRun


def read(make_run: MakeRun, request: ViewRequest, **made: object) -> tuple[ViewData, Snapshot, np.ndarray]:
    folder = make_run(**made)
    follower = Follower(open_run(folder), request.metric)
    snapshot = follower.poll()
    assert snapshot is not None
    _, norms = open_run(folder).layers("grad_norm")
    run = open_run(folder)
    return read_view(snapshot, [run.table("scalars")], request, run.experiment, None), snapshot, norms


def test_at_a_step_the_data_are_its_row_and_those_just_before_it(make_run: MakeRun) -> None:
    data, _, norms = read(make_run, ViewRequest(at=60), steps=200)
    assert data.step == 60
    np.testing.assert_array_equal(data.values, norms[59])
    np.testing.assert_allclose(data.middle, np.median(norms[10:60], axis=0))
    np.testing.assert_array_equal(data.low, norms[10:60].min(axis=0))
    np.testing.assert_array_equal(data.high, norms[10:60].max(axis=0))
    assert data.last == 200, "the waterfall shows the whole run whatever step one looks at"


def test_without_a_step_the_data_are_the_newest_row(make_run: MakeRun) -> None:
    data, _, norms = read(make_run, ViewRequest(rows=16), steps=200)
    assert data.step == 200
    np.testing.assert_array_equal(data.values, norms[-1])
    assert len(data.matrix) <= 16
    assert data.steps[0] == 1


def test_a_stretch_of_time_is_read_closer_than_the_whole(make_run: MakeRun) -> None:
    data, snapshot, norms = read(make_run, ViewRequest(window=(101, 120), rows=40), steps=1200)
    assert data.steps.tolist() == list(range(101, 121))
    np.testing.assert_array_equal(data.matrix, norms[100:120])
    assert data.curves["loss"].step.tolist() == list(range(101, 121))
    again = read_view(snapshot, (), replace(data.request, at=110), None, data)
    assert again.matrix is data.matrix, "nothing is read again that lies in the past"


def test_values_have_nan_and_bounds_leave_it_out(make_run: MakeRun) -> None:
    data, _, _ = read(make_run, ViewRequest(), steps=60, nan_from=50)
    assert np.isnan(data.values).all()
    assert np.isnan(data.middle).all()
    assert np.isfinite(data.low).all()
    assert data.healthy is None, "there is no level to compare the layers with"


def test_the_healthy_range_is_level_with_the_last_hidden_layer_and_allows_for_sizes(
    make_run: MakeRun,
) -> None:
    data, _, norms = read(make_run, ViewRequest(), steps=60)
    assert data.healthy is not None
    low, high = data.healthy
    parameters = np.array([layer.parameters for layer in open_run_layers(make_run)])
    expected = norms[-1][-2] * np.sqrt(parameters / parameters[-2])
    np.testing.assert_allclose(low, expected * 10**-0.9, rtol=1e-6)
    np.testing.assert_allclose(high, expected * 10**0.9, rtol=1e-6)


def open_run_layers(make_run: MakeRun) -> tuple[object, ...]:
    meta = open_run(make_run()).meta
    assert meta is not None
    return meta.layers


def test_theory_is_given_where_it_predicts_and_at_the_level_it_starts_from(make_run: MakeRun) -> None:
    data, snapshot, _ = read(make_run, ViewRequest(), steps=20)
    assert data.theory is None, "of the parameters' gradient theory says nothing"
    experiment = resolve("sigmoid-20")
    request = ViewRequest(metric="output_grad_rms")
    theory = read_view(snapshot, (), request, experiment, None).theory
    assert theory is not None
    assert np.isnan(theory[-1]), "nor of the output layer"
    np.testing.assert_allclose(theory[-2], data.values[-2], rtol=1e-6)
    np.testing.assert_allclose(
        np.log10(theory[:-1] / theory[-2]), predict(experiment).log10_profile, atol=1e-9
    )
    narrow = set_fields(experiment, {"net.0.width": 4})
    assert read_view(snapshot, (), request, narrow, None).theory is None


@pytest.mark.parametrize("metric", ["grad_norm", "update_ratio"])
def test_before_the_first_row_there_is_nothing(make_run: MakeRun, metric: str) -> None:
    folder = make_run(steps=0, end=None)
    snapshot = Follower(open_run(folder), metric).poll()
    assert snapshot is not None
    data = read_view(snapshot, (), ViewRequest(metric=metric), None, None)
    assert len(data.values) == 0
    assert data.step == 0


def test_a_run_with_the_cure_is_compared_layer_by_layer(make_run: MakeRun) -> None:
    data, _, norms = read(make_run, ViewRequest(), steps=60)
    count = len(data.names)
    assert values_beside(data, None) is None
    np.testing.assert_array_equal(values_beside(data, data), norms[-1])
    fewer = replace(data, names=data.names[:-1])
    np.testing.assert_array_equal(values_beside(fewer, data), norms[-1][:-1], "by name where most have one")
    # "dense1", "dense2" have become the two layers of a block: "dense1.1" and "dense1.2".
    blocks = tuple(f"block{at // 2 + 1}.{at % 2 + 1}" for at in range(count - 1))
    np.testing.assert_array_equal(
        values_beside(replace(data, names=(*blocks, data.names[-1])), data), norms[-1]
    )
    half = replace(data, names=blocks[: count // 2])
    beside = values_beside(half, data)
    assert beside is not None
    assert (beside[0], beside[-1]) == (norms[-1][0], norms[-1][-1]), "by depth where the numbers differ"
    assert len(beside) == count // 2


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 9), st.just(3)),
        elements=st.floats(width=32, allow_subnormal=True) | st.just(ABSENT),
    )
)
def test_the_median_of_rows_is_that_of_numpy(rows: np.ndarray) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        expected = np.median(rows.astype(np.float64), axis=0).astype(np.float32)
    median = median_of(rows)
    np.testing.assert_allclose(median, expected, rtol=2e-7)
    assert median.dtype == np.float32
    absent = absent_in(rows).all(axis=0)
    assert absent_in(median)[absent].all(), "what is absent in all rows stays absent, and is not a NaN"


def test_a_view_is_read_without_masked_arrays() -> None:
    code = (
        "import sys, numpy as np\n"
        "from gradtui.ui.view_data import median_of\n"
        "median_of(np.ones((50, 3), np.float32))\n"
        "sys.exit('numpy.ma' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
