"""The metric registry: what it says of each metric, and that one added from outside is drawn."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradtui.metrics import gradient_headline


@pytest.mark.parametrize(
    ("norms", "text", "tone"),
    [
        ([1e-12, 1.0], "1.0 trillion times weaker at the input", "weak"),
        ([1.6e-12, 1.0], "620 billion times weaker at the input", "weak"),
        ([0.05, 1.0], "20 times weaker at the input", "uneven"),
        ([2.0, 1.0], "2.0 times stronger at the input", "even"),
        ([0.6, 1.0], "as strong at the input as at the output", "even"),
        ([3e4, 1.0], "30,000 times stronger at the input", "strong"),
        ([1e-40, 1e2], "10^42 times weaker at the input", "weak"),
        ([math.nan, 1.0], "the gradient is not a finite number in a", "broken"),
        ([math.inf, math.nan], "the gradient is not a finite number in 2 of 2 layers", "broken"),
        ([0.0, 1.0], "no gradient at all reaches the input", "weak"),
        ([0.0, 0.0], "no gradient at all", "broken"),
        ([-1.0, 1.0], "the gradient is not a finite number in a", "broken"),
        ([1.0, 0.0], "no gradient at all at the output", "broken"),
    ],
)
def test_gradient_headline_compares_first_and_last_layer(norms: list[float], text: str, tone: str) -> None:
    assert gradient_headline(["a", "b"], norms) == (text, tone)


@given(st.lists(st.floats().map(abs), min_size=0, max_size=5))
def test_gradient_headline_of_any_norms_is_one_line(norms: list[float]) -> None:
    assert "\n" not in gradient_headline([str(i) for i in range(len(norms))], norms).text
