from __future__ import annotations

import math

import numpy as np
import pytest

from gradtui.diagnosis import diagnose
from gradtui.diagnosis.corridor import corridor_of
from tests.support.evidence import evidence


def test_updates_have_a_healthy_size_of_their_own() -> None:
    bounds = corridor_of("update_ratio", [1e-9, 1e-3, np.nan], [1, 1, 1], 1)
    assert bounds is not None
    assert bounds[0].tolist() == [1e-4] * 3
    assert bounds[1].tolist() == [1e-2] * 3


def test_output_gradients_are_held_against_the_last_hidden_layer_whatever_their_size() -> None:
    bounds = corridor_of("output_grad_rms", [1e-9, 1e-5, 1e-2], [10, 1000, 7], 1)
    assert bounds is not None
    np.testing.assert_allclose(bounds[0], 1e-5 * 10**-0.9)
    np.testing.assert_allclose(bounds[1], 1e-5 * 10**0.9)


@pytest.mark.parametrize("level", [math.nan, math.inf, 0.0])
def test_where_nothing_comes_in_there_is_no_corridor(level: float) -> None:
    assert corridor_of("grad_norm", [1.0, level, 1.0], [1, 1, 1], 1) is None


@pytest.mark.parametrize("measure", ["weight_norm", "activation_mean", "hidden_grad", "dead_fraction"])
def test_measures_without_bounds_have_none(measure: str) -> None:
    assert corridor_of(measure, [1.0, 1.0], [1, 1], 0) is None


def test_what_was_known_at_a_step_is_what_a_run_that_ended_there_would_have_shown() -> None:
    loss = np.r_[np.full(60, 2.3), np.full(60, np.nan)]
    run = evidence(loss=loss, steps=120)
    assert [finding.code for finding in diagnose(run)][:1] != []
    before = run.upto(60)
    assert before.step == 60
    assert len(before.loss) == 60
    assert np.isfinite(before.loss.values).all()
    assert before.layers == run.layers
    assert not before.finished
    assert not [finding for finding in diagnose(before) if finding.code == "nonfinite"]
