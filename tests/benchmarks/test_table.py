"""Test how a figure is printed, for people and for programs."""

from __future__ import annotations

import math

import pytest

from tests.benchmarks.figures import Measured, rows_of


@pytest.mark.parametrize(
    ("figure", "ok"),
    [
        (Measured("a", 1.0, "ms"), True),
        (Measured("a", 1.0, "ms", budget=1.0), True),
        (Measured("a", 1.1, "ms", budget=1.0), False),
        (Measured("a", 0.0, "B/s", budget=0), True),
        (Measured("a", 19.0, "a second", budget=18, at_least=True), True),
        (Measured("a", 17.0, "a second", budget=18, at_least=True), False),
        (Measured("a", math.nan, "ms", budget=1.0), False),
    ],
)
def test_a_budget_is_kept_or_missed(figure: Measured, ok: bool) -> None:
    assert figure.ok is ok
    assert figure.to_json()["ok"] is ok


def test_json_of_a_figure_has_value_unit_and_budget() -> None:
    assert Measured("a", 1234.5678, "ms", budget=2000).to_json() == {
        "name": "a",
        "value": 1235.0,
        "unit": "ms",
        "budget": 2000,
        "ok": True,
    }


def test_table_shows_values_with_unit_and_budget() -> None:
    heading, *rows = rows_of(
        [
            Measured("first", 1.0345, "×", budget=1.2),
            Measured("second", 1234.5, "ms", budget=300),
            Measured("third", 17.1, "a second", budget=18, at_least=True),
            Measured("fourth", 0.5, "ms"),
            Measured("fifth", 1.05, "×", budget=1.06, spread=(1.041, 1.0789)),
        ]
    )
    assert heading == ("measured", "value", "budget", "")
    assert rows == [
        ("first", "1.03×", "≤ 1.2×", "✓"),
        ("second", "1,230 ms", "≤ 300 ms", "✖ over budget"),
        ("third", "17.1 a second", "≥ 18 a second", "✖ too little"),
        ("fourth", "0.5 ms", "", ""),
        ("fifth", "1.05× (1.04 to 1.08)", "≤ 1.06×", "✓"),
    ]
