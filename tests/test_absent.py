"""Test that a missing number stays distinct from a NaN of a calculation, through every cast and summary of a table."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from gradtui import headlines
from gradtui.absent import ABSENT, absent_in, is_absent, log10_of
from gradtui.charts.layer_axis import ABSENT as BLANK
from gradtui.charts.layer_axis import FINITE, NAN, LayerAxis, fold, kind_of
from gradtui.charts.series import CurveData, curve_of
from gradtui.runs.library import profile_of
from gradtui.runs.meta import LayerMeta, RunMeta, TableMeta, write_meta
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from gradtui.words import blocks

BROKEN = (math.nan, -math.nan, math.inf, -math.inf)


def test_none_is_a_nan_and_no_other_number_is_none() -> None:
    assert math.isnan(ABSENT)
    assert is_absent(ABSENT)
    assert not any(map(is_absent, (*BROKEN, 0.0, 1.0)))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_none_stays_none_through_casts_copies_and_strides(kind: type) -> None:
    values = np.array([ABSENT, *BROKEN, ABSENT, 2.0], kind)
    expected = [True, False, False, False, False, True, False]
    assert absent_in(values).tolist() == expected
    assert absent_in(values.astype(np.float32).astype(np.float64)).tolist() == expected
    assert absent_in(values[::-1]).tolist() == expected[::-1]
    assert [is_absent(value) for value in values.tolist()] == expected


def test_a_summary_leaves_none_out_and_carries_what_broke_on(tmp_path: Path) -> None:
    write_meta(
        tmp_path,
        RunMeta(
            id="r",
            name="r",
            layers=tuple(map(LayerMeta, "abc")),
            tables={"grad_norm": TableMeta(("a", "b", "c"))},
        ),
    )
    writer = RunWriter(tmp_path, {"grad_norm": ("a", "b", "c")})
    for step in range(1, 65):
        odd = step % 2 == 1
        writer.append("grad_norm", step, [ABSENT, 3.0 if odd else ABSENT, math.nan if odd else ABSENT], 0.0)
    writer.close()
    table = open_run(tmp_path).table("grad_norm")
    for buckets in (1, 2, 3, 5):
        summary = table.summary(buckets=buckets)
        assert absent_in(summary.mean[:, 0]).all()
        np.testing.assert_array_equal(summary.mean[:, 1], 3.0)
        assert np.isnan(summary.mean[:, 2]).all()
        assert not absent_in(summary.mean[:, 2]).any()


def test_charts_draw_none_as_a_blank_and_a_curve_goes_over_it() -> None:
    values = log10_of([1.0, ABSENT, math.nan, ABSENT])
    assert kind_of(values).tolist() == [FINITE, BLANK, NAN, BLANK]
    folded = fold(log10_of([ABSENT, ABSENT, 1.0, ABSENT, math.nan, ABSENT]), LayerAxis(6, 3))
    assert folded.kind.tolist() == [BLANK, FINITE, NAN]
    curve = curve_of(CurveData("g", [1, 2, 3, 4], [1.0, ABSENT, 2.0, math.nan]))
    assert curve.x.tolist() == [1, 3, 4]
    assert curve.broken.tolist() == [False, False, True]
    assert blocks(profile_of([ABSENT, math.nan, 1.0])) == " ×▇"


def test_the_headline_compares_the_layers_that_have_a_gradient() -> None:
    text = headlines.gradient_headline(["a", "b", "c"], [ABSENT, 1.0, 1.0])
    assert text == ("as strong at the input as at the output; 1 of 3 layers has none recorded", "even")
    assert headlines.gradient_headline(["a", "b"], [ABSENT, ABSENT]).tone == "none"
    assert headlines.gradient_headline(["a", "b"], [ABSENT, 1.0]).text == "only layer b has a gradient"
    assert headlines.gradient_headline(["a", "b", "c"], [ABSENT, math.nan, 1.0]).tone == "broken"
