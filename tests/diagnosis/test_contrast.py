"""The sentence over the bars."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradtui.diagnosis.contrast import contrast


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
def test_sentences(norms: list[float], text: str, tone: str) -> None:
    assert contrast(["a", "b"], norms) == (text, tone)


@given(st.lists(st.floats().map(abs), min_size=0, max_size=5))
def test_any_norms_make_one_line(norms: list[float]) -> None:
    assert "\n" not in contrast([str(i) for i in range(len(norms))], norms).text
