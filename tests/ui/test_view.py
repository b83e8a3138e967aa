"""Test the request for a view, its steps and stretches of time, without a run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gradtui.ui.view import ViewRequest


def test_the_newest_step_and_what_lies_beyond_it_are_live() -> None:
    request = ViewRequest(at=50)
    assert request.at_step(99, 100).at == 99
    assert request.at_step(100, 100).at is None
    assert request.at_step(1000, 100).at is None
    assert request.at_step(None, 100).at is None
    assert request.at_step(0, 100).at == 1


def test_a_stretch_of_time_follows_the_step_that_leaves_it() -> None:
    request = ViewRequest(window=(40, 59))
    assert request.at_step(45, 100) == ViewRequest(at=45, window=(40, 59))
    assert request.at_step(30, 100) == ViewRequest(at=30, window=(30, 49))
    assert request.at_step(70, 100) == ViewRequest(at=70, window=(51, 70))


def test_zooming_keeps_the_step_in_its_place() -> None:
    close = ViewRequest(at=500).zoomed(0.5, 1000)
    assert close.window == (251, 750)
    assert close.zoomed(0.5, 1000).window == (376, 625)
    assert close.zoomed(2.0, 1000) == ViewRequest(at=500)


@given(
    newest=st.integers(1, 10**7),
    at=st.none() | st.integers(1, 10**7),
    factors=st.lists(st.sampled_from([0.5, 2.0, 0.1, 10.0]), max_size=30),
)
def test_a_stretch_lies_within_the_run_and_holds_the_step(
    newest: int, at: int | None, factors: list[float]
) -> None:
    request = ViewRequest().at_step(at, newest)
    for factor in factors:
        request = request.zoomed(factor, newest)
        if request.window is not None:
            first, last = request.window
            assert 1 <= first < last <= newest
            assert request.at is None or first <= request.at <= last
