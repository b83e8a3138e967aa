"""Test the healthy range of each layer, and the sample from which on a state lasts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradtui.diagnosis.profile import growth, healthy_range, lasting_from
from gradtui.runs.summary import Summary


def test_updates_have_a_healthy_size_of_their_own() -> None:
    bounds = healthy_range("update_ratio", [1e-9, 1e-3, np.nan], [1, 1, 1], 1)
    assert bounds is not None
    assert bounds[0].tolist() == [1e-4] * 3
    assert bounds[1].tolist() == [1e-2] * 3


def test_output_gradients_of_any_size_are_compared_with_the_last_hidden_layer() -> None:
    bounds = healthy_range("output_grad_rms", [1e-9, 1e-5, 1e-2], [10, 1000, 7], 1)
    assert bounds is not None
    np.testing.assert_allclose(bounds[0], 1e-5 * 10**-0.9)
    np.testing.assert_allclose(bounds[1], 1e-5 * 10**0.9)


@pytest.mark.parametrize("level", [math.nan, math.inf, 0.0])
def test_without_a_gradient_at_the_output_there_is_no_healthy_range(level: float) -> None:
    assert healthy_range("grad_norm", [1.0, level, 1.0], [1, 1, 1], 1) is None


def test_no_shape_of_a_gradient_that_explodes_is_healthy() -> None:
    steps = np.arange(1, 6)
    sizes = np.array([0.5, 1.0, 60.0, 1e12, np.nan], np.float32)
    norms = Summary(step=steps, time=steps * 1.0, min=sizes, mean=sizes, max=sizes)
    grown = [growth(norms, step) for step in (1, 2, 3, 4, 5, None)]
    assert grown == pytest.approx([1, 2, 120, 2e12, 1, 1])
    ranges = [healthy_range("grad_norm", [1.0, 1.0], [1, 1], 1, one) is not None for one in grown[:4]]
    assert ranges == [True, True, False, False]
    assert growth(None) == 1
    # The size of an update is healthy or not by itself.
    assert healthy_range("update_ratio", [1.0, 1.0], [1, 1], 1, 1e9) is not None


@pytest.mark.parametrize("metric", ["weight_norm", "activation_mean", "hidden_grad", "dead_fraction"])
def test_metrics_without_bounds_have_no_healthy_range(metric: str) -> None:
    assert healthy_range(metric, [1.0, 1.0], [1, 1], 0) is None


@pytest.mark.parametrize(
    ("state", "index"),
    [
        ("1111", 0),
        ("0011", 2),
        ("0001", 3),
        ("0000", 3),
        ("01" + "1" * 20 + "0" + "1" * 10, 1),
        ("0100000" + "1" * 20, 7),
        ("1" * 20 + "0", 0),
        ("", 0),
    ],
)
def test_small_relapses_do_not_end_a_lasting_state(state: str, index: int) -> None:
    assert lasting_from(np.array([sign == "1" for sign in state], dtype=bool)) == index
