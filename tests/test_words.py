"""Test figures in words."""

from __future__ import annotations

import math

import pytest

from gradtui.report.output import print_table
from gradtui.words import (
    about_range,
    compare_decades,
    figure,
    formatted,
    number,
    percent,
    plain_exponents,
    ratio,
    seconds,
    several,
    times,
    with_deviation,
)


@pytest.mark.parametrize(
    ("decades", "words"),
    [
        (0.1, "as strong at the input as at the output"),
        (-1.3, "20 times weaker at the input"),
        (3.0, "1,000 times stronger at the input"),
        (-11.8, "630 billion times weaker at the input"),
        (-400.0, "1e400 times weaker at the input"),
    ],
)
def test_decades_are_worded_as_times_weaker_or_stronger(decades: float, words: str) -> None:
    assert compare_decades(decades) == words


def test_factors_are_rounded_and_worded() -> None:
    factors = [3.14, 9.97, 42, 512, 99_900, 1.26e6, 6.3e11, 7e15]
    assert [times(math.log10(x)) for x in factors] == [
        "3.1", "10", "42", "510", "100,000", "1.3 million", "630 billion", "7.0 million billion",
    ]  # fmt: skip


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
def test_durations_have_seconds_minutes_or_hours(value: float, words: str) -> None:
    assert seconds(value) == words


def test_what_is_missing_is_a_dash_and_what_is_not_a_number_says_so() -> None:
    assert (figure(None), percent(None)) == ("–", "–")
    assert (figure(math.nan), figure(2.302585), percent(0.1034)) == ("NaN", "2.303", "10.3%")


@pytest.mark.parametrize(
    ("decades", "said"),
    [
        (-12.21, "6e-13"), (-0.01, "0.98"), (0.3, "2"), (1.1, "13"), (3.98, "9500"), (4.0, "1e4"), (-4.001, "1e-4"),
        (400.0, "1e400"), (float("-inf"), "0"), (float("inf"), "∞"), (float("nan"), "–"),
    ],
)  # fmt: skip
def test_a_ratio_is_written_one_way(decades: float, said: str) -> None:
    assert ratio(decades) == said


@pytest.mark.parametrize(
    ("mean", "deviation", "said"),
    [
        (2.31047, 0.000158, "2.31047 ± 0.00016"), (3.25, 0.8165, "3.25 ± 0.82"), (2.3, 0.0, "2.3 ± 0"),
        (431.2, 12.4, "431 ± 12"), (0.5, 2.0, "0.5 ± 2"), (1e9, 2e6, "1e9 ± 2e6"),
    ],
)  # fmt: skip
def test_a_mean_has_the_decimals_of_its_deviation(mean: float, deviation: float, said: str) -> None:
    assert with_deviation(mean, deviation, number) == said


def test_in_a_terminal_a_long_description_continues_under_its_beginning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("degradation", "plain and residual nets of 5 to 57 layers"), ("cures", "20 sigmoid layers")]
    print_table(rows)
    assert capsys.readouterr().out.splitlines()[0].endswith("57 layers"), "what reads a pipe gets whole lines"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    print_table(rows)
    assert capsys.readouterr().out.splitlines() == [
        "degradation  plain and residual nets of",
        "             5 to 57 layers",
        "cures        20 sigmoid layers",
    ]


def test_in_a_terminal_a_wide_row_is_broken_between_its_cells(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    print_table([("run", "name", "findings", "note"), ("20261130-1", "deep", "vanishing", "")])
    assert capsys.readouterr().out.splitlines() == [
        "run         name",
        "    findings   note",
        "20261130-1  deep",
        "    vanishing",
    ]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("1.0e-09", "1e-9"),
        ("2.50e-04 of 1e+05", "2.50e-4 of 1e5"),
        ("1e-10", "1e-10"),
        ("1e+100", "1e100"),
        ("by 0.0e+00 of 10.0e+00 and 0e+00", "by 0 of 10e0 and 0"),
        ("mean from -0.000 (a) to +0.013, -0.00e+00, -0.05, +0%", "mean from 0 (a) to +0.013, 0, -0.05, 0%"),
        ("0.05, nan, inf, the-09 of relu-20", "0.05, NaN, inf, the-09 of relu-20"),
    ],
)
def test_exponents_are_written_as_people_write_them(text: str, plain: str) -> None:
    assert plain_exponents(text) == plain


def test_a_count_has_its_noun() -> None:
    assert [several(count, "layer") for count in (0, 1, 2, 1000)] == [
        "0 layers", "1 layer", "2 layers", "1,000 layers",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("template", "value", "text"),
    [
        ("{:+.2f}", 0.518, "+0.52"),
        ("{:+.2f}", 9999.0, "+9999.00"),
        ("{:+.2f}", -1.6197e20, "-1.6e20"),
        ("{:.3f}", 1e4, "1e4"),
        ("{:.0%}", 1.0, "100%"),
        ("{:+.2f}", math.inf, "+inf"),
        ("{:+.2f}", math.nan, "+NaN"),
    ],
)
def test_long_numbers_have_an_exponent_in_place_of_decimals(template: str, value: float, text: str) -> None:
    assert formatted(template, value) == text


def test_an_estimate_is_a_range_since_a_busy_machine_takes_twice_as_long() -> None:
    assert [about_range(time) for time in (1, 8, 30, 50, 600)] == [
        "under 10 s",
        "under 10 s to 20 s",
        "30 s to 1 min",
        "50 s to 2 min",
        "10 min to 20 min",
    ]
