"""Figures in words."""

from __future__ import annotations

import math

import pytest

from gradtui.report.words import compare_gradients, figure, seconds, share


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (1e-12, 0.63, "630,000,000,000 × weaker"),
        (1e-3, 1.234e-2, "12 × weaker"),
        (1.0, 3.0, "3.0 × weaker"),
        (1e3, 1.0, "1,000 × stronger"),
        (1e-20, 1.0, "10^20 × weaker"),
        (1.0, 1.0, "about as strong"),
        (1.9, 1.0, "about as strong"),
        (0.0, 1.0, "at the input is exactly 0"),
        (1.0, 0.0, "at the output is exactly 0"),
        (0.0, 0.0, "exactly 0 everywhere"),
        (math.nan, 1.0, "not a finite number"),
        (1.0, math.inf, "not a finite number"),
    ],
)
def test_first_layer_against_last(first: float, last: float, words: str) -> None:
    assert words in compare_gradients(first, last)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0.0 s"),
        (3.14, "3.1 s"),
        (59.97, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.7, "1 h 00 min"),
        (12000, "3 h 20 min"),
    ],
)
def test_durations(value: float, words: str) -> None:
    assert seconds(value) == words


def test_what_is_missing_is_a_dash_and_what_is_not_a_number_says_so() -> None:
    assert (figure(None), share(None)) == ("–", "–")
    assert (figure(math.nan), figure(2.302585), share(0.1034)) == ("nan", "2.303", "10.3 %")
