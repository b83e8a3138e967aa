"""What is seen of a run at a step: rows as they are on disk, medians and bounds by numpy, theory by `predict`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gradtui.diagnosis import predict
from gradtui.experiment import resolve, set_fields
from gradtui.runs.follower import Follower, Snapshot
from gradtui.runs.reader import open_run
from gradtui.ui.look import Look
from gradtui.ui.sight import Sight, see
from tests.ui.conftest import MakeRun


def seen(make_run: MakeRun, look: Look, **made: object) -> tuple[Sight, Snapshot, np.ndarray]:
    folder = make_run(**made)
    follower = Follower(open_run(folder), look.measure)
    snapshot = follower.poll()
    assert snapshot is not None
    _, norms = open_run(folder).layers("grad_norm")
    run = open_run(folder)
    return see(snapshot, [run.table("scalars")], look, run.experiment, None), snapshot, norms


def test_at_a_step_the_row_and_what_came_just_before_it(make_run: MakeRun) -> None:
    sight, _, norms = seen(make_run, Look(at=60), steps=200)
    assert sight.step == 60
    np.testing.assert_array_equal(sight.values, norms[59])
    np.testing.assert_allclose(sight.middle, np.median(norms[10:60], axis=0))
    np.testing.assert_array_equal(sight.low, norms[10:60].min(axis=0))
    np.testing.assert_array_equal(sight.high, norms[10:60].max(axis=0))
    assert sight.last == 200, "the waterfall shows the whole run whatever step one looks at"


def test_live_is_the_newest_row(make_run: MakeRun) -> None:
    sight, _, norms = seen(make_run, Look(rows=16), steps=200)
    assert sight.step == 200
    np.testing.assert_array_equal(sight.values, norms[-1])
    assert len(sight.matrix) <= 16
    assert sight.steps[0] == 1


def test_a_stretch_of_time_is_read_closer_than_the_whole(make_run: MakeRun) -> None:
    sight, snapshot, norms = seen(make_run, Look(window=(101, 120), rows=40), steps=1200)
    assert sight.steps.tolist() == list(range(101, 121))
    np.testing.assert_array_equal(sight.matrix, norms[100:120])
    assert sight.curves["loss"].step.tolist() == list(range(101, 121))
    again = see(snapshot, (), replace(sight.look, at=110), None, sight)
    assert again.matrix is sight.matrix, "nothing is read again that lies in the past"


def test_nan_is_in_the_picture_and_bounds_leave_it_out(make_run: MakeRun) -> None:
    sight, _, _ = seen(make_run, Look(), steps=60, nan_from=50)
    assert np.isnan(sight.values).all()
    assert np.isnan(sight.middle).all()
    assert np.isfinite(sight.low).all()
    assert sight.corridor is None, "no level to hold the layers against"


def test_the_corridor_is_level_with_the_last_hidden_layer_and_allows_for_sizes(make_run: MakeRun) -> None:
    sight, _, norms = seen(make_run, Look(), steps=60)
    assert sight.corridor is not None
    low, high = sight.corridor
    parameters = np.array([layer.parameters for layer in open_run_layers(make_run)])
    expected = norms[-1][-2] * np.sqrt(parameters / parameters[-2])
    np.testing.assert_allclose(low, expected * 10**-0.9, rtol=1e-6)
    np.testing.assert_allclose(high, expected * 10**0.9, rtol=1e-6)


def open_run_layers(make_run: MakeRun) -> tuple[object, ...]:
    meta = open_run(make_run()).meta
    assert meta is not None
    return meta.layers


def test_theory_is_drawn_where_it_speaks_and_at_the_level_it_starts_from(make_run: MakeRun) -> None:
    sight, snapshot, _ = seen(make_run, Look(), steps=20)
    assert sight.theory is None, "of the parameters' gradient theory says nothing"
    experiment = resolve("sigmoid-20")
    look = Look(measure="output_grad_rms")
    theory = see(snapshot, (), look, experiment, None).theory
    assert theory is not None
    assert np.isnan(theory[-1]), "nor of the output layer"
    np.testing.assert_allclose(theory[-2], sight.values[-2], rtol=1e-6)
    np.testing.assert_allclose(
        np.log10(theory[:-1] / theory[-2]), predict(experiment).log10_profile, atol=1e-9
    )
    narrow = set_fields(experiment, {"net.0.width": 4})
    assert see(snapshot, (), look, narrow, None).theory is None


@pytest.mark.parametrize("measure", ["grad_norm", "update_ratio"])
def test_before_the_first_row_there_is_nothing(make_run: MakeRun, measure: str) -> None:
    folder = make_run(steps=0, end=None)
    snapshot = Follower(open_run(folder), measure).poll()
    assert snapshot is not None
    sight = see(snapshot, (), Look(measure=measure), None, None)
    assert len(sight.values) == 0
    assert sight.step == 0
