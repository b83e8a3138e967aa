from __future__ import annotations

import numpy as np
import pytest

from gradtui.diagnosis.running import LOOKS, running_median


@pytest.mark.parametrize("span", [1, 5, LOOKS, LOOKS + 3])
def test_short_spans_are_exact(span: int) -> None:
    values = np.random.default_rng(0).normal(size=200)
    exact = np.array([np.median(values[i : i + span]) for i in range(200 - span + 1)])
    np.testing.assert_array_equal(running_median(values, span), exact)


def test_long_spans_are_exact_where_they_are_taken_and_of_the_same_length() -> None:
    values = np.random.default_rng(0).normal(size=20_000)
    span = 1_000
    medians = running_median(values, span)
    assert len(medians) == 19_001
    stride = span // LOOKS
    for at in (0, stride, 7 * stride):
        assert medians[at] == np.median(values[at : at + span])
    assert medians[stride + 5] == medians[stride]
