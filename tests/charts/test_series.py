"""Test the smoothing of curves against the closed form of its mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gradtui.charts.series import LEVELS, next_level, smoothed, smoothing_steps

nan, inf = np.nan, np.inf
values = st.floats(-1e6, 1e6) | st.sampled_from([nan, inf, -inf])


def closed(x: np.ndarray, y: np.ndarray, over: float) -> np.ndarray:
    """Return the mean written out, window by window."""
    known = np.isfinite(y)
    means = y.copy()
    for i in np.flatnonzero(known):
        means[i] = np.mean(y[known & (x <= x[i]) & (x > x[i] - over)])
    return means


@given(arrays(np.float64, st.integers(1, 60), elements=values), st.floats(0.5, 100), st.integers(0, 5))
def test_smoothing_equals_the_closed_form(y: np.ndarray, over: float, seed: int) -> None:
    x = np.cumsum(np.random.default_rng(seed).integers(1, 9, len(y))).astype(float)
    np.testing.assert_allclose(smoothed(x, y, over), closed(x, y, over), rtol=1e-9, atol=1e-6)


def test_smoothing_leaves_a_constant_unchanged() -> None:
    np.testing.assert_allclose(smoothed(np.arange(50.0), np.full(50, 2.3), 10), 2.3, rtol=1e-12)


def test_smoothing_forgets_a_jump_after_its_window() -> None:
    x = np.arange(301.0)
    found = smoothed(x, np.where(x < 100, 1.0, 0.0), 50.0)
    np.testing.assert_allclose(found[99:150], np.linspace(1, 0, 51), atol=1e-12)
    assert (found[150:] == 0).all(), (
        "on a log axis a memory that fades would draw a line that nobody measured"
    )


def test_smoothing_keeps_precision_after_a_spike() -> None:
    y = np.full(100, 0.125)
    y[10] = 1e30
    assert smoothed(np.arange(100.0), y, 5.0)[15:].tolist() == [0.125] * 85


def test_smoothing_reduces_noise_with_the_root_of_the_points() -> None:
    y = np.random.default_rng(0).normal(0, 1, 20_000)
    assert np.std(smoothed(np.arange(20_000.0), y, 25.0)) == pytest.approx(1 / 5, rel=0.1)


def test_smoothing_leaves_gaps_and_does_not_count_them() -> None:
    x = np.arange(6.0)
    found = smoothed(x, np.array([1.0, nan, 1.0, inf, 1.0, -inf]), 2.0)
    np.testing.assert_array_equal(found, [1.0, nan, 1.0, inf, 1.0, -inf])
    assert np.isnan(smoothed(x, np.full(6, nan), 2.0)).all()


@given(arrays(np.float64, st.integers(2, 60), elements=values), st.integers(1, 59))
def test_smoothing_uses_no_later_point(y: np.ndarray, until: int) -> None:
    x = np.arange(len(y), dtype=float)
    np.testing.assert_array_equal(smoothed(x, y, 7.0)[:until], smoothed(x[:until], y[:until], 7.0))


def test_smoothing_off_returns_the_values() -> None:
    x = y = np.arange(4.0)
    assert smoothed(x, y, smoothing_steps("off", 500.0)) is y
    assert smoothed(x, y, smoothing_steps("heavy", 500.0)) is y
    assert smoothed(x[:0], y[:0], 5.0).size == 0


@pytest.mark.parametrize(
    ("span", "light", "strong"),
    [(500, 10, 50), (1, 0.02, 0.1), (20_000, 500, 2000), (0, 0, 0), (np.inf, 0, 0)],
)
def test_smoothing_steps_are_round_numbers(span: float, light: float, strong: float) -> None:
    assert smoothing_steps("light", span) == pytest.approx(light)
    assert smoothing_steps("strong", span) == pytest.approx(strong)


def test_smoothing_steps_change_seldom_while_a_run_grows() -> None:
    assert len({smoothing_steps("light", float(span)) for span in range(1000, 10_000)}) <= 4


def test_next_level_goes_through_all_levels() -> None:
    seen = ["off"]
    for _ in range(3):
        seen.append(next_level(seen[-1]))
    assert seen == [*LEVELS, "off"]
    assert next_level("what a settings file says") == "off"
