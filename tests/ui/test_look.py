"""Where one looks: steps and stretches of time, without any run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gradtui.ui.look import Look


def test_the_newest_step_and_what_lies_beyond_it_are_live() -> None:
    look = Look(at=50)
    assert look.travelled(99, 100).at == 99
    assert look.travelled(100, 100).at is None
    assert look.travelled(1000, 100).at is None
    assert look.travelled(None, 100).at is None
    assert look.travelled(0, 100).at == 1


def test_a_stretch_of_time_follows_the_step_that_leaves_it() -> None:
    look = Look(window=(40, 59))
    assert look.travelled(45, 100) == Look(at=45, window=(40, 59))
    assert look.travelled(30, 100) == Look(at=30, window=(30, 49))
    assert look.travelled(70, 100) == Look(at=70, window=(51, 70))


def test_zooming_keeps_the_step_in_its_place() -> None:
    close = Look(at=500).zoomed(0.5, 1000)
    assert close.window == (251, 750)
    assert close.zoomed(0.5, 1000).window == (376, 625)
    assert close.zoomed(2.0, 1000) == Look(at=500)


@given(
    newest=st.integers(1, 10**7),
    at=st.none() | st.integers(1, 10**7),
    factors=st.lists(st.sampled_from([0.5, 2.0, 0.1, 10.0]), max_size=30),
)
def test_a_stretch_lies_within_the_run_and_holds_the_step(
    newest: int, at: int | None, factors: list[float]
) -> None:
    look = Look().travelled(at, newest)
    for factor in factors:
        look = look.zoomed(factor, newest)
        if look.window is not None:
            first, last = look.window
            assert 1 <= first < last <= newest
            assert look.at is None or first <= look.at <= last
