"""Test where steps lie on an axis by time or by a logged number, against the numbers themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradtui.charts.curves import CurveView, draw_layer, draw_over
from gradtui.charts.marks import CurveMark, CurveMarks, marks_at
from gradtui.charts.series import CurveData, curve_of
from gradtui.charts.x_axis import STEPS, XAxis, clock, rising_axis
from tests.support.drawn import TRUE, lines

WHOLE = st.lists(st.floats(0, 1e6), min_size=2, max_size=60)


@given(WHOLE, st.booleans())
def test_recorded_steps_lie_at_their_numbers(amounts: list[float], log: bool) -> None:
    values = np.cumsum(np.array(amounts) + 1e-3)
    steps = np.arange(1, len(values) + 1) * 3
    axis = rising_axis("tokens", steps, values, log=log)
    assert axis is not None
    np.testing.assert_allclose(axis.places(steps), np.log10(values) if log else values, rtol=1e-9)
    back = [axis.step_at(place) for place in axis.places(steps).tolist()]
    np.testing.assert_allclose(back, steps, rtol=1e-6)
    every = axis.places(np.arange(0, steps[-1] + 10))
    known = every[~np.isnan(every)]
    assert (np.diff(known) >= 0).all()


def test_an_epoch_that_stays_the_same_grows_evenly_until_the_next() -> None:
    steps = np.arange(1, 301)
    axis = rising_axis("epoch", steps, (steps - 1) // 100)
    assert axis is not None
    assert axis.places([1, 51, 101, 151, 201, 251, 300]) == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5, 2.99])


def test_a_number_that_is_logged_now_and_then_reaches_the_first_and_the_last_step() -> None:
    values = np.full(500, np.nan)
    values[99::100] = [1e6, 2e6, 3e6, np.nan, 5e6]
    axis = rising_axis("tokens", np.arange(1, 501), values)
    assert axis is not None
    assert axis.places([1, 50, 100, 400]) == pytest.approx([1e4, 5e5, 1e6, 4e6])
    # After the last value, the axis goes on for as long as between the last two, and no further.
    assert axis.places(700) == pytest.approx(7e6)
    assert np.isnan(axis.places(701))
    assert axis.nearest(10_000) == axis.places(700)


def test_a_count_that_begins_late_or_high_does_not_fall_below_0() -> None:
    axis = rising_axis("tokens", [100, 200], [5.0, 105.0])
    assert axis is not None
    assert axis.places([95, 100]) == pytest.approx([0, 5])
    assert np.isnan(axis.places(94))


@pytest.mark.parametrize(
    "values", [[1.0, 3.0, 2.0], [4.0, 4.0, 4.0], [np.nan, np.nan, 1.0], [0.0, -1.0, -2.0]]
)
def test_a_number_that_falls_or_stays_is_no_axis(values: list[float]) -> None:
    assert rising_axis("loss", [1, 2, 3], values) is None


def test_a_curve_keeps_its_values_at_each_step_over_any_axis() -> None:
    steps = np.arange(1, 101)
    values = 1.0 / steps
    for axis in (STEPS, XAxis(log=True), rising_axis("time", steps, steps**2.0)):
        assert axis is not None
        curve = curve_of(CurveData("batch", steps, values, axis=axis))
        assert [curve.at(step) for step in (1, 37, 100)] == [1.0, 1 / 37, 0.01]
        assert (np.diff(curve.x) > 0).all()


def test_the_cursor_marks_and_window_are_at_their_steps_over_time() -> None:
    steps = np.arange(1, 101)
    # The second half of the steps takes nine times as long as the first one.
    seconds = np.where(steps <= 50, steps, 50 + 9 * (steps - 50)).astype(float)
    axis = rising_axis("time", steps, seconds)
    assert axis is not None
    series = [CurveData("batch", steps, steps, axis=axis)]
    layer = draw_layer(12, 108, series, TRUE, CurveView())
    assert layer is not None
    frame = layer.frame
    assert frame.high == pytest.approx(500)
    assert frame.place(50) == pytest.approx((frame.columns - 1) / 10, abs=1)
    marks = CurveMarks((CurveMark(50, "paused", "paused"),))
    assert marks_at(frame, marks, 50) == ["paused"]
    drawn = lines(draw_over(layer, TRUE, marks=marks, cursor=50)[0])
    assert "▲50s" in drawn[-1], "the axis is labelled with the time"
    assert any("step 50" in line for line in drawn), "the legend with the step"
    # A key moves by columns, which are steps of time, and by one step at least.
    beside = [frame.step_beside(50, 1), frame.step_beside(50, -1)]
    assert beside[0] == 51
    assert beside[1] in range(40, 50)
    stretch = draw_layer(12, 108, series, TRUE, CurveView(window=(51, 60)))
    assert stretch is not None
    assert (stretch.frame.low, stretch.frame.high) == pytest.approx((59, 140))


def test_runs_with_axes_of_their_own_share_one_chart() -> None:
    slow, fast = (rising_axis("time", [1, 100], [pace, 100 * pace]) for pace in (5.0, 1.0))
    assert slow is not None
    assert fast is not None
    pair = [
        CurveData("", [1, 100], [1, 2], axis=axis, sign=sign) for axis, sign in ((slow, "A"), (fast, "B"))
    ]
    layer = draw_layer(10, 100, pair, TRUE, CurveView())
    assert layer is not None
    assert [curve.x[-1] for curve in layer.curves] == pytest.approx([500, 100])
    assert layer.frame.high == pytest.approx(500)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("what", ["step", "time", "tokens"])
def test_labels_are_in_order_and_lie_inside(what: str, log: bool) -> None:
    for low, high in ((0.0, 7.0), (1.0, 3e5), (0.02, 0.9), (30.0, 31.0), (1e4, 1e13)):
        axis = XAxis(what, log)
        ends = (np.log10(max(low, 1e-3)), np.log10(high)) if log else (low, high)
        ticks = axis.ticks(float(ends[0]), float(ends[1]), 8)
        assert 1 <= len(ticks) <= 8
        assert ticks == sorted(ticks)
        assert ends[0] - 1e-6 <= ticks[0]
        assert ticks[-1] <= ends[1] + 1e-6
        labels = [axis.label(tick, float(ends[1] - ends[0])) for tick in ticks]
        assert len(set(labels)) == len(labels), labels
        assert all(len(label) <= 8 for label in labels)


def test_times_are_short() -> None:
    said = [clock(at) for at in (0, 2.5, 40, 90, 7200, 8100, 3 * 86400, 3.5 * 86400)]
    assert said == ["0", "2.5s", "40s", "1m30", "2h", "2h15", "3d", "3d12h"]


@given(st.integers(0, 50), st.integers(1, 40), st.integers(3, 12))
def test_only_whole_steps_are_labelled(low: int, span: int, room: int) -> None:
    ticks = STEPS.ticks(low, low + span, room)
    assert ticks
    assert all(low <= at <= low + span and at == int(at) for at in ticks)
