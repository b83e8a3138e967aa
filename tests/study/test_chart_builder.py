"""Test the charts of a study, built from rows with known results."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gradtui.diagnosis import predict
from gradtui.diagnosis.outcome import Outcome
from gradtui.experiment import resolve, set_fields
from gradtui.study import presets
from gradtui.study.chart_builder import ChartBuilder, theory_borders
from gradtui.study.chart_data import OUTCOMES, BarChart, LineChart, MapChart
from gradtui.study.plan import Member, plan
from gradtui.study.presets import names
from gradtui.study.presets import resolve as shipped
from gradtui.study.run_result import RunResult
from gradtui.study.spec import loads
from gradtui.study.state import StudyRow

OUTCOME = Outcome((), 10, 1.0, 0.5, 0.5, 0.0, 0.01)
MEASURES = RunResult(0.5, 0.5, 1.0, 0.0, math.nan, 0.01, 0.0)


def row(member: Member, codes: tuple[str, ...] = (), **measured: float) -> StudyRow:
    """Return a row of a run that has ended with these results."""
    return StudyRow(
        member=member, state="finished", outcome=OUTCOME, codes=codes, result=replace(MEASURES, **measured)
    )


def test_curves_show_mean_least_and_greatest_of_the_seeds() -> None:
    spec = loads(
        'base = "plain-21"\nseeds = [0, 1]\ngrid = { net.1.repeat = [10, 2] }\n'
        '[[change]]\nname = "a"\n[[change]]\nname = "b"\nset = { net.1.shortcut = "identity" }\n'
        '[compare]\nx = "depth"\ny = ["train_accuracy"]\n'
    )
    members = plan(spec)
    accuracy = {("a", 5): (0.2, 0.4), ("a", 21): (0.1, 0.1), ("b", 5): (0.8, 0.6), ("b", 21): (1.0, 0.9)}
    rows = [row(m, train_accuracy=accuracy[m.change, m.depth][m.seed]) for m in members]
    (chart,) = ChartBuilder(spec, members).build(rows)
    assert isinstance(chart, LineChart)
    assert chart.x_label == "weight layers"
    assert [line.name for line in chart.lines] == ["a", "b"]
    first, second = chart.lines
    assert first.x.tolist() == second.x.tolist() == [5, 21], "in order, whatever the file's"
    assert first.mean.tolist() == pytest.approx([0.3, 0.1])
    assert (first.low.tolist(), first.high.tolist()) == ([0.2, 0.1], [0.4, 0.1])
    assert second.mean.tolist() == pytest.approx([0.7, 0.95])
    assert first.runs[0] == tuple(m.key for m in members if (m.change, m.depth) == ("a", 5))


def test_runs_that_have_not_ended_are_in_no_point_and_no_mean() -> None:
    spec = loads('base = "sigmoid-20"\nseeds = [0, 1]\ngrid = { net.0.repeat = [2, 4] }\n')
    members = plan(spec)
    waiting = [StudyRow(member=member) for member in members]
    rows = [row(members[0], train_accuracy=0.25), *waiting[1:]]
    (chart,) = ChartBuilder(spec, members).build(rows)
    assert isinstance(chart, LineChart)
    np.testing.assert_array_equal(chart.lines[0].mean, [0.25, np.nan])


def test_bars_of_a_study_without_a_grid_are_its_changes_with_their_findings() -> None:
    spec = loads('base = "sigmoid-20"\n[[change]]\nname = "none"\n[[change]]\ncure = "relu"\n')
    members = plan(spec)
    rows = [row(members[0], ("vanishing",), train_accuracy=0.1), row(members[1], train_accuracy=0.9)]
    (chart,) = ChartBuilder(spec, members).build(rows)
    assert isinstance(chart, BarChart)
    assert [(bar.name, bar.mean, bar.note) for bar in chart.bars] == [
        ("none", 0.1, "vanishing"),
        ("ReLU + He initialisation", 0.9, ""),
    ]


MAP = (
    'base = "vanish-tanh-20"\nseeds = [0, 1, 2]\nset = { net.0.init = "normal" }\n'
    "grid = { net.0.repeat = [10, 40], net.0.gain = [3.0, 0.5] }\n"
    '[compare]\nkind = "map"\nx = "depth"\nseries = "net.0.gain"\ny = ["outcome"]\nlog_y = true\n'
)


def test_map_cell_is_the_most_common_outcome_and_of_a_tie_the_worse() -> None:
    spec = loads(MAP)
    members = plan(spec)
    said = {
        (10, 0.5): ("learned", "learned", "vanishing"),
        (10, 3.0): ("learned", "slow", "exploding"),
        (40, 0.5): ("vanishing",) * 3,
        (40, 3.0): ("exploding",) * 3,
    }
    rows = [
        row(m, outcome=float(OUTCOMES.index(said[m.depth, dict(m.point)["net.0.gain"]][m.seed])))
        for m in members
    ]
    (chart,) = ChartBuilder(spec, members).build(rows)
    assert isinstance(chart, MapChart)
    assert (chart.x, chart.y) == ((10, 40), (0.5, 3.0)), "ascending, the first row at the bottom"
    words = [[OUTCOMES[int(value)] for value in line] for line in chart.cells]
    assert words == [["learned", "vanishing"], ["exploding", "exploding"]]
    broken = [
        StudyRow(member=m, state="failed") if m.depth == 40 else r for m, r in zip(members, rows, strict=True)
    ]
    (chart,) = ChartBuilder(spec, members).build(broken)
    assert isinstance(chart, MapChart)
    assert OUTCOMES[int(chart.cells[0, 1])] == "failed"


def test_theory_borders_lie_where_the_prediction_crosses_the_thresholds() -> None:
    spec = loads(MAP)
    members = plan(spec)
    (chart,) = ChartBuilder(spec, members).build([StudyRow(member=member) for member in members])
    assert isinstance(chart, MapChart)
    assert len(chart.borders) == 3
    for edge, level in zip(chart.borders, (0.0, -2.0, 1.0), strict=True):
        for depth, gain in zip(edge.x.tolist(), edge.y.tolist(), strict=True):
            nets = set_fields(
                resolve("vanish-tanh-20"),
                {"net.0.init": "normal", "net.0.repeat": int(depth), "net.0.gain": gain},
            )
            # Linear between two of 65 values.
            assert predict(nets).log10_profile[0] == pytest.approx(level, abs=0.02)


def test_no_theory_borders_where_the_vertical_axis_does_not_change_the_prediction() -> None:
    column = [(20.0, resolve("relu-20"))]
    assert theory_borders(column, "optimizer.lr", 0.001, 1.0, log=True) == ()
    assert theory_borders(column, "net.0.repeat", 1, 9, log=False) == ()
    assert theory_borders(column, "net.0.gain", 1, 1, log=False) == ()


def test_shipped_studies_are_valid_and_have_a_description() -> None:
    for name in names():
        spec = shipped(name)
        assert spec.name == name
        assert spec.description
        assert len(plan(spec)) <= 60
    assert {file.stem for file in Path(presets.__file__).parent.glob("*.toml")} == set(names())
    cures = {change.cure for change in shipped("cures").change if change.cure}
    assert len(cures) >= 8
