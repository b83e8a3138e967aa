"""Test norms from histograms against the norms of the numbers."""

from __future__ import annotations

import numpy as np
import pytest

from gradtui.importing.log import norm_from_bins, norm_from_squares


def test_numbers_even_in_their_bins_come_out_exactly() -> None:
    # The second moment of a uniform distribution on (a, b): (a² + ab + b²) / 3.
    edges = np.array([-2.0, 1.0, 4.0])
    assert norm_from_bins(edges, [0, 7]) == pytest.approx(np.sqrt(7 * 21 / 3))
    assert norm_from_bins(edges, [5, 0]) == pytest.approx(np.sqrt(5 * 3 / 3))


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e15])
def test_64_bins_of_normal_numbers_are_right_to_two_percent(scale: float) -> None:
    numbers = scale * np.random.default_rng(0).standard_normal(10_000)
    counts, edges = np.histogram(numbers, bins=64)
    assert norm_from_bins(edges, counts) == pytest.approx(np.linalg.norm(numbers), rel=0.02)


def test_a_sum_of_squares_is_taken_where_it_can_be_trusted() -> None:
    assert norm_from_squares(9.0, [0, 100], [1]) == (3.0, False)
    norm, estimated = norm_from_squares(0.0, [1e-30, 2e-30], [4])
    assert estimated
    assert norm == pytest.approx(np.sqrt(4 * 7 / 3) * 1e-30)
    assert norm_from_squares(0.0, [0.0, 0.0], [4]) == (0.0, False)
    assert np.isnan(norm_from_squares(np.nan, [0, 1], [1])[0])
