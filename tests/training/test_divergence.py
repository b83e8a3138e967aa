"""Test the detector of divergences on made-up losses and norms."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pytest

from gradtui.training.divergence import (
    CALM_STEPS,
    MEDIAN_REFRESH_STEPS,
    REPORTED_BLOW_UPS,
    Divergence,
    DivergenceDetector,
    Recovery,
)

CHANCE = 2.3
QUIET = [(2.0, 1.0)] * 60
NORMS = np.array([1.0, 2.0])


def watched(
    numbers: Iterable[tuple[float, float]],
    *,
    detector: DivergenceDetector | None = None,
    skipped: bool = False,
) -> list[Divergence | Recovery]:
    """Return what a detector finds in losses and norms of the gradient, step by step from 1."""
    detector = detector or DivergenceDetector(CHANCE)
    for step, (loss, norm) in enumerate(numbers, 1):
        detector.add_step(step, loss, norm, norm, NORMS, skipped=skipped)
    return detector.take()


def told(numbers: Iterable[tuple[float, float]]) -> list[tuple[int, str, str]]:
    return [(one.step, one.reason, one.measure) for one in watched(numbers) if isinstance(one, Divergence)]


@pytest.mark.parametrize(
    ("last", "measure"),
    [((math.nan, 1.0), "loss"), ((math.inf, 1.0), "loss"), ((2.0, math.nan), "grad_norm"),
     ((2.0, math.inf), "grad_norm"), ((math.nan, math.nan), "loss")],
)  # fmt: skip
def test_nonfinite_number_is_one_divergence(last: tuple[float, float], measure: str) -> None:
    assert told([*QUIET, last, last, *QUIET]) == [(61, "nonfinite", measure)]
    assert told([last]) == [(1, "nonfinite", measure)]


def test_divergence_has_the_numbers_before_it() -> None:
    (one,) = watched([*QUIET, (1.5, 3.0), (math.nan, 7.0)])
    assert isinstance(one, Divergence)
    assert (one.before, one.grad_norm, one.usual) == (1.5, 7.0, 2.0)
    assert math.isnan(one.loss)
    assert one.norms is NORMS


@pytest.mark.parametrize(
    ("last", "measure"),
    [((20.1, 1.0), "loss"), ((2.0, 50.1), "grad_norm"), ((19.9, 49.9), ""), ((2.0, 0.0), "")],
)
def test_blow_up_is_far_above_the_usual(last: tuple[float, float], measure: str) -> None:
    assert told([*QUIET, last]) == ([(61, "blow-up", measure)] if measure else [])


def test_small_numbers_may_vary() -> None:
    """A net that has learned: one odd batch is ten times as bad as usual, and far better than chance; a gradient that
    has come down may go up again to where it began."""
    assert told([(2.3, 1.0), *[(0.01, 0.001)] * 80, (0.5, 0.001), (0.01, 4.9)]) == []
    assert told([(2.3, 1.0), *[(0.01, 0.001)] * 80, (3.5, 0.001)]) == [(82, "blow-up", "loss")]
    assert told([(2.3, 1.0), *[(0.01, 0.001)] * 80, (0.01, 5.1)]) == [(82, "blow-up", "grad_norm")]


def test_second_step_can_diverge() -> None:
    assert told([(11.5, 1.2e3), (2.8e34, 7.2e35), (2.3, 0.06)]) == [(2, "blow-up", "loss")]


def test_clipped_gradient_is_no_blow_up() -> None:
    detector = DivergenceDetector(CHANCE)
    for step in range(1, 50):
        detector.add_step(step, 2.0, 1e9 if step == 40 else 1.0, 1.0, NORMS, skipped=False)
    assert detector.take() == []


def test_skipped_step_is_no_divergence() -> None:
    assert watched([(2.0, math.inf), (2.0, 1e9)] * 30, skipped=True) == []
    assert len(watched([(math.inf, math.inf)], skipped=True)) == 1


def test_long_blow_up_is_reported_once_and_diverged_until_calm() -> None:
    detector = DivergenceDetector(CHANCE)
    assert len(watched([*QUIET, *[(100.0, 1.0)] * 300], detector=detector)) == 1
    assert detector.diverged
    assert watched(QUIET[: CALM_STEPS - 1], detector=detector) == []
    assert detector.diverged
    assert watched(QUIET[:1], detector=detector) == []
    assert not detector.diverged


def test_recovery_is_when_the_loss_is_as_low_as_before() -> None:
    learned = [(2.3, 1.0), *[(0.5, 1.0)] * 60]
    worse = watched([*learned, (50.0, 1.0), *[(1.0, 1.0)] * 300])
    assert [type(one) for one in worse] == [Divergence]
    better = watched([*learned, (50.0, 1.0), *[(1.0, 1.0)] * 100, *[(0.4, 1.0)] * 200])
    assert [type(one) for one in better] == [Divergence, Recovery]
    assert 62 + CALM_STEPS + 50 < better[1].step < 62 + CALM_STEPS + 50 + 2 * 100 + MEDIAN_REFRESH_STEPS


def test_dead_net_has_not_recovered() -> None:
    """explode-pixels: large losses at first, one huge step, and the loss of chance forever after."""
    news = watched([(11.5, 1.2e3), (2.8e34, 7.2e35), *[(2.3, 0.06)] * 500])
    assert [type(one) for one in news] == [Divergence]


def test_number_of_reported_blow_ups_is_limited() -> None:
    swing = [(100.0, 1.0), *[(2.0, 1.0)] * (CALM_STEPS + 30)]
    assert len(told([*QUIET, *swing * 6])) == REPORTED_BLOW_UPS
    # What is not a number is always told.
    assert len(told([*QUIET, *swing * 6, (math.nan, 1.0)])) == REPORTED_BLOW_UPS + 1
