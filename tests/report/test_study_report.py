"""Test the printed page of a study, and its charts as text and SVG."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from gradtui.report.output import Paper, to_json
from gradtui.report.ranking_table import ranking_lines
from gradtui.report.study_charts import series, study_chart
from gradtui.report.study_page import print_study, study_object
from gradtui.report.study_svg import svg_of
from gradtui.study.chart_data import Bar, BarChart, Chart, LineChart, MapChart, StudyCurve, TheoryBorder
from tests.support.command_line import strictly
from tests.support.studies import DEPTHS, TWO_SEEDS, Launcher, degrades, relu_fixes, settled, study

PAPER = Paper(80, colour=False, ascii=False)
NAN = float("nan")
X = np.array([5.0, 21.0, 57.0])


def line(name: str, *values: float) -> StudyCurve:
    mean = np.array(values)
    return StudyCurve(name, X, mean, mean - 0.05, mean + 0.05, ((),) * 3)


LINES = LineChart(
    "depth", "weight layers", "accuracy", (line("plain <&>", 0.9, 0.8, 0.3),), y_range=(0.0, 1.0)
)
BARS = BarChart("cures", "accuracy", (Bar("none", 0.1, 0.1, 0.1, "vanishing"), Bar("ReLU", NAN, NAN, NAN)))
MAP = MapChart(
    "map",
    "depth",
    "gain",
    (4, 8),
    (0.5, 1.0, 2.0),
    np.array([[2.0, 2.0], [0.0, NAN], [3.0, 3.0]]),
    (((),) * 2,) * 3,
    True,
    (TheoryBorder("theory", np.array([4.0, 8.0]), np.array([0.7, 1.5])),),
    log_y=True,
)


def text_of(chart: Chart, paper: Paper = PAPER) -> list[str]:
    return [text.plain for text in study_chart(chart, paper)]


def test_map_has_its_first_row_at_the_bottom_and_borders_between_rows() -> None:
    lines = text_of(MAP)
    rows = [text for text in lines if text[:9].strip() in ("0.5", "1", "2")]
    assert [text[:9].strip() for text in rows] == ["2", "1", "0.5"]
    assert rows[0].count("xxx") == 2
    assert rows[1].count("■■■") == 1
    assert rows[2].count("vvv") == 2
    between = [text for text in lines if "═" in text and "theory" not in text]
    left, right = (text.index("═") for text in between[::-1])
    assert left < right, "at 0.7 under the first column, at 1.5 under the second"


def test_the_legend_of_a_map_names_the_borders_that_are_drawn() -> None:
    outside = TheoryBorder("outside", np.array([4.0, 8.0]), np.array([9.0, NAN]))
    text = "\n".join(text_of(replace(MAP, borders=(outside, *MAP.borders))))
    assert "── theory" in text
    assert "outside" not in text


def test_bars_without_results_say_not_yet() -> None:
    lines = text_of(BARS)
    assert "0.1" in lines[1]
    assert "vanishing" in lines[1]
    assert "not yet" in lines[2]


@pytest.mark.parametrize("width", [76, 120])
def test_the_numbers_of_bars_are_parted_and_their_notes_fit(width: int) -> None:
    chart = BarChart(
        "cures: gradient",
        "y",
        (
            Bar("learned slope (PReLU)", -0.0712, -0.181, 0.0388, "vanishing"),
            Bar("pretraining by Boltzmann machines", 0.00444, -0.148, 0.157, "dead-units"),
        ),
    )
    lines = text_of(chart, Paper(width, colour=False, ascii=False))
    assert all(len(line) <= width for line in lines)
    spread = width > 80
    assert ("-0.0712  -0.181 … 0.0388  vanishing" if spread else "-0.0712  vanishing") in lines[1]
    assert ("0.00444  -0.148 … 0.157   dead-units" if spread else "0.00444  dead-units") in lines[2]


def test_too_many_curves_are_split_into_several_charts() -> None:
    chart = LineChart("many", "x", "y", tuple(line(f"curve {i}", 0.1, 0.2, 0.3) for i in range(6)))
    said = "\n".join(text_of(chart))
    assert said.count("many") == 2
    assert all(f"curve {i}" in said for i in range(6))


def test_ascii_paper_gets_ascii_characters_only() -> None:
    for chart in (LINES, BARS, MAP):
        for text in text_of(chart, Paper(80, colour=False, ascii=True)):
            text.encode("ascii")


def test_svg_is_well_formed_and_holds_all_of_the_chart() -> None:
    root = ET.fromstring(svg_of([LINES, BARS, MAP]))
    names = {"svg": "http://www.w3.org/2000/svg"}
    texts = [element.text for element in root.iterfind("svg:text", names)]
    for said in ("depth", "plain <&>", "cures", "none", "ReLU", "gain", "vanishing", "theory"):
        assert said in texts or any(said in (text or "") for text in texts), said
    # The curve's three points: falling accuracy is rising pixels.
    dots = [float(dot.attrib["cy"]) for dot in root.iterfind("svg:circle", names)]
    assert len(dots) == 3
    assert dots == sorted(dots)
    high, middle, low = dots
    assert (low - middle) / (middle - high) == pytest.approx((0.8 - 0.3) / (0.9 - 0.8), rel=0.02)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for element in root.iter():
        for name, most in (("x", width), ("y", height), ("cx", width), ("cy", height)):
            assert 0 <= float(element.attrib.get(name, 0)) <= most


def test_charts_are_drawn_before_any_run_has_ended() -> None:
    nothing = np.full(3, NAN)
    empty = LineChart("depth", "x", "y", (StudyCurve("plain", X, nothing, nothing, nothing, ((),) * 3),))
    assert text_of(empty)
    ET.fromstring(svg_of([empty]))
    ET.fromstring(svg_of([MapChart("m", "x", "y", (1,), (1.0,), np.array([[NAN]]), (((),),), True)]))


def test_page_prints_the_findings_and_the_study_folder(capsys: pytest.CaptureFixture[str]) -> None:
    state = settled(study(DEPTHS, Launcher(degrades)))
    print_study(state)
    page = capsys.readouterr().out
    assert "depths  finished, 3 runs" in page
    assert "✖ degradation" in page
    assert "not overfitting" in " ".join(page.split())
    assert "degradation 1/1" in page
    assert str(state.folder) in page


def test_page_of_a_study_without_a_grid_prints_a_ranking(capsys: pytest.CaptureFixture[str]) -> None:
    print_study(settled(study(TWO_SEEDS, Launcher(relu_fixes))))
    page = capsys.readouterr().out
    (ranked,) = [line for line in page.splitlines() if line.startswith("1 ")]
    assert "ReLU + He initialisation" in ranked
    assert "95.0%" in ranked
    assert ranked.endswith("fixed")


def test_in_a_terminal_a_ranking_goes_on_below_its_last_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    rows = [
        ("", "", "loss", "gradient", ""),
        ("1", "init=he", "2 → NaN", "×××", "not fixed: exploding, nonfinite, flat"),
    ]
    lines = [line.plain for line in ranking_lines("unchanged", rows, Paper(60, colour=False, ascii=False))]
    assert lines[2:] == [
        "1  init=he  2 → NaN  ×××       not fixed: exploding,",
        "                               nonfinite, flat",
    ]


def test_json_object_holds_runs_table_findings_and_ranking() -> None:
    state = settled(study(TWO_SEEDS, Launcher(relu_fixes)))
    told = strictly(to_json(study_object(state)))
    assert (told["name"], told["status"], told["study"]) == ("two seeds", "finished", str(state.folder))
    failing = told["runs"][0]
    assert failing["changes"] == {"change": "no cure", "seed": 0}
    assert failing["findings"] == ["vanishing"]
    assert failing["accuracy"] == {"train": 0.1, "test": pytest.approx(0.05)}
    assert failing["steps"] == 60
    assert [row["change"] for row in told["table"]] == ["no cure", "ReLU + He initialisation"]
    (best,) = told["ranking"]
    assert best["healed"]
    assert best["accuracy"]["train"] == 0.95


def test_band_is_interpolated_between_points_and_omits_runs_that_have_not_ended() -> None:
    x = np.array([1.0, 10.0, 100.0, 1000.0])
    line = StudyCurve(
        "a",
        x,
        np.array([1.0, 2, 4, np.nan]),
        np.array([0.5, 1, 2, np.nan]),
        np.array([2.0, 4, 8, np.nan]),
        (),
    )
    chart = LineChart("t", "x", "y", (line,), log_x=True)
    drawn = series(line, chart, "B")
    assert drawn is not None
    assert (drawn.x[0], drawn.x[-1], drawn.sign) == (0.0, 2.0, "B")
    at = np.searchsorted(drawn.x, [0.0, 0.5, 1.0, 2.0])
    np.testing.assert_allclose(np.asarray(drawn.y)[at], [1, 1.5, 2, 4], atol=0.01)
    np.testing.assert_allclose(np.asarray(drawn.high)[at], [2, 3, 4, 8], atol=0.02)
    halves = series(line, LineChart("t", "x", "y", (line,), log_x=True, log_y=True))
    assert halves is not None
    np.testing.assert_allclose(np.asarray(halves.low)[at[1]], np.sqrt(0.5), rtol=0.01)
    nothing = StudyCurve("b", x, x * np.nan, x * np.nan, x * np.nan, ())
    assert series(nothing, chart) is None


def test_printed_band_follows_its_curve_without_steps() -> None:
    """The upper edge of a band that opens from nothing to all climbs row by row."""
    x = np.array([0.0, 10.0])
    opens = StudyCurve("a", x, np.array([0.0, 0.5]), np.array([0.0, 0.0]), np.array([0.0, 1.0]), ())
    chart = LineChart("t", "x", "y", (opens,), y_range=(0.0, 1.0))
    starts = [text.index("░") for text in text_of(chart) if "░" in text]
    assert len(starts) > 10
    assert all(above > below for above, below in itertools.pairwise(starts[:-1]))


def test_cells_of_a_map_grow_alike_and_fill_the_pane() -> None:
    small = text_of(MAP)
    assert [text.count("x") for text in small if "xxx" in text] == [6]
    for width, height in ((76, 20), (100, 40)):
        lines = [text.plain for text in study_chart(MAP, Paper(width, colour=False, ascii=False), height)]
        assert len(lines) <= height
        assert max(map(len, lines)) <= width
        exploding = [text for text in lines if "xxx" in text]
        # Between two cells are three blanks, and before the first the values of the axis.
        assert {text.count("x") for text in exploding} == {2 * ((width - 10) // len(MAP.x) - 3)}
        # Nine lines are the title, the axis with its labels, two borders and the legend.
        assert len(exploding) == (height - 9) // len(MAP.y)
        assert sum(text[:9].strip() == "2" for text in lines) == 1, "each value is written once"


@pytest.mark.parametrize(
    ("height", "tall", "gap"), [(0, 1, 0), (8, 1, 0), (11, 1, 1), (16, 2, 1), (90, 3, 1)]
)
def test_bars_get_higher_and_are_parted_where_the_pane_has_room(height: int, tall: int, gap: int) -> None:
    values = (0.1, 0.9, 0.8, 0.7, 0.6)
    chart = BarChart("a", "accuracy", tuple(Bar(f"net {at}", v, v, v) for at, v in enumerate(values)))
    _, *lines = [line.plain for line in study_chart(chart, Paper(80, colour=True, ascii=False), height)]
    assert len(lines) == 5 * tall + 4 * gap
    assert not height or len(lines) < height
    runs = [(filled, len([*group])) for filled, group in itertools.groupby("█" in line for line in lines)]
    assert runs == ([(True, tall), (False, gap)] * 5)[:9] if gap else [(True, 5)]
    assert sum("net" in line for line in lines) == 5, "each is named once"
    assert len({line.count("█") for line in lines if "█" in line}) == 5, "all lines of a bar are equally long"


def test_bars_of_decades_are_written_as_in_the_table() -> None:
    chart = BarChart("a: gradient", "log10 of the gradient", (Bar("none", -5.67, -6.0, -5.0),), decades=True)
    assert "2e-6  1e-6 … 1e-5" in text_of(chart, Paper(120, colour=False, ascii=False))[1]
    assert "2e-6" in svg_of([chart])
