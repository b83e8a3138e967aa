"""Test the range of values and its ticks."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gradtui.absent import log10_of
from gradtui.charts.scale import LEAST_DECADES, UPDATES_UNTIL_SHRINK, Scale

anything = arrays(np.float64, st.integers(0, 30), elements=st.floats(width=64))


def test_log10_of_numbers_without_logarithm_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = log10_of([0.0, 1e-12, 10.0, np.inf, np.nan, -1.0])
    np.testing.assert_array_equal(got, [-np.inf, -12.0, 1.0, np.inf, np.nan, np.nan])


def test_a_log_scale_has_whole_decades_around_the_values() -> None:
    scale = Scale()
    assert scale.include(np.array([-11.7, -0.3]))
    assert (scale.low, scale.high) == (-12, 0)


def test_a_log_scale_has_four_decades_at_least() -> None:
    scale = Scale()
    scale.include(np.array([-1.2, -0.9]))
    assert (scale.low, scale.high) == (-LEAST_DECADES, 0)


def test_a_scale_grows_at_once_and_shrinks_after_many_updates() -> None:
    scale = Scale()
    scale.include(np.array([-2.0, 0.0]))
    scale.include(np.array([-9.5, 0.0]))
    assert scale.low == -10
    version = scale.version
    quiet = np.array([-4.0, 0.0])
    for _ in range(UPDATES_UNTIL_SHRINK - 1):
        assert not scale.include(quiet)
    assert scale.version == version
    assert scale.include(quiet)
    assert (scale.low, scale.high) == (-4, 0)


def test_one_wide_update_restarts_the_wait_before_shrinking() -> None:
    scale = Scale()
    for _ in range(3):
        scale.include(np.array([-10.0, 0.0]))
        for _ in range(UPDATES_UNTIL_SHRINK - 1):
            scale.include(np.array([-4.0, 0.0]))
    assert scale.low == -10


def test_a_scale_does_not_shrink_by_one_decade() -> None:
    scale = Scale()
    scale.include(np.array([-10.0, 0.0]))
    assert not any(scale.include(np.array([-9.0, 0.0])) for _ in range(10 * UPDATES_UNTIL_SHRINK))


def test_values_that_are_not_finite_do_not_change_the_scale() -> None:
    scale = Scale()
    version = scale.version
    assert not scale.include(np.array([np.nan, np.inf, -np.inf]))
    assert scale.version == version


def test_a_linear_scale_keeps_its_given_ends() -> None:
    scale = Scale("linear", 0.0, 1.0)
    scale.include(np.array([0.2, 0.4]))
    assert (scale.low, scale.high) == (0, 1)
    scale.include(np.array([0.2, 2.0]))
    assert (scale.low, scale.high) == (0, 2)


@example([np.array([5e-324, 0.0])], "linear", 1)
@given(st.lists(anything, min_size=1, max_size=5), st.sampled_from(["log", "linear"]), st.integers(1, 40))
def test_every_finite_value_lies_inside_and_ticks_fit(frames: list[np.ndarray], kind: str, room: int) -> None:
    scale = Scale(kind)  # type: ignore[arg-type]
    for values in frames:
        far = 99 if kind == "log" else 1e100
        values = np.where(np.isfinite(values), np.clip(values, -far, far), values)
        scale.include(values)
        finite = values[np.isfinite(values)]
        assert scale.low < scale.high
        slack = 1e-6 * (scale.high - scale.low)
        if finite.size:
            assert scale.low - slack <= finite.min()
            assert finite.max() <= scale.high + slack
        share = scale.share(values)
        assert np.nanmin(share, initial=0) >= 0
        assert np.nanmax(share, initial=1) <= 1
        ticks = scale.ticks(room)
        assert 1 <= len(ticks) <= room
        assert all(scale.low - slack <= tick <= scale.high + slack for tick in ticks)
        assert ticks == sorted(ticks)
        assert all(len(scale.label(tick)) <= 5 for tick in ticks)


def test_log_ticks_are_labelled_as_powers_of_ten() -> None:
    scale = Scale()
    scale.include(np.array([-12.0, 0.0]))
    assert [scale.label(t) for t in scale.ticks(5)] == ["1e-12", "1e-9", "1e-6", "1e-3", "1e0"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5"),
        (1500, "1500"),
        (1.5e6, "1.5e6"),
        (7e10, "7e10"),
        (2e-5, "2e-5"),
        (1e100, "1e100"),
        (-0.25, "-0.25"),
    ],
)
def test_linear_ticks_are_labelled_as_plain_numbers(value: float, text: str) -> None:
    assert Scale("linear").label(value) == text


def test_reset_forgets_the_range() -> None:
    scale = Scale()
    scale.include(np.array([-30.0, 30.0]))
    version = scale.version
    scale.reset()
    assert scale.version > version
    scale.include(np.array([-1.0, 0.0]))
    assert scale.low == -LEAST_DECADES
    assert math.isclose(scale.high, 0)


def test_an_axis_of_a_round_length_less_one_has_more_than_one_label() -> None:
    # A script of 500 steps may have its last row at 499, where a step of 500 would leave the label 0 alone.
    assert Scale("linear", 0.0, 499.0).ticks(3) == [0.0, 200.0, 400.0]
    assert Scale("linear", 0.0, 500.0).ticks(3) == [0.0, 500.0]
    assert Scale("linear", 0.0, 0.9).ticks(2) == [0.0, 0.5]
