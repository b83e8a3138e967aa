"""Test the line that explains the colours."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from gradtui.charts.cells import Cells
from gradtui.charts.heat import draw_scale_legend
from gradtui.charts.palette import RAMP, STEPS, Palette
from gradtui.charts.scale import Scale
from gradtui.ui.widgets.layer_charts import ScaleLegend
from tests.support.drawn import ALL, MONO, TRUE, lines


def drawn(width: int, palette: Palette, low: float = -12, high: float = 0) -> Cells:
    scale = Scale()
    scale.include(np.array([low, high]))
    cells = Cells(1, width)
    draw_scale_legend(cells, scale, palette)
    return cells


def test_the_legend_has_decades_and_signs() -> None:
    words = lines(drawn(100, MONO))[0].split()
    assert [word for word in words if word.startswith("1e")] == ["1e-12", "1e-9", "1e-6", "1e-3", "1e0"]
    assert words[-6:] == ["×", "NaN", "∞", "infinite", "0", "zero"]


@pytest.mark.parametrize(("low", "high"), [(-13, 0), (-1, 14), (-3.2, 8.1)])
@pytest.mark.parametrize("width", [24, 60, 82, 150])
def test_the_legend_begins_and_ends_where_the_scale_does(width: int, low: float, high: float) -> None:
    words = lines(drawn(width, MONO, low, high))[0].split()
    labels = [word for word in words if word.startswith("1e")]
    assert labels[0] == f"1e{math.floor(low)}"
    assert labels[-1] == f"1e{math.ceil(high)}"
    assert width < 80 or len(labels) > 2


def test_colours_run_up_the_ramp() -> None:
    cells = drawn(100, TRUE)
    ramp = [ink - RAMP for ink in cells.ink[0].tolist() if RAMP <= ink < RAMP + STEPS]
    assert ramp == sorted(ramp)
    assert ramp[0] == 0
    assert ramp[-1] == STEPS - 1


def test_without_room_the_ends_of_the_scale_remain() -> None:
    text = lines(drawn(24, MONO))[0]
    assert "1e-12" in text
    assert "1e0" in text
    assert "NaN" not in text


@pytest.mark.parametrize("palette", ALL)
@given(st.integers(0, 200), st.floats(-40, 40), st.floats(-40, 40))
def test_the_legend_fits_any_width_and_range(palette: Palette, width: int, low: float, high: float) -> None:
    cells = drawn(width, palette, min(low, high), max(low, high))
    assert len(lines(cells)[0]) == width


async def test_the_legend_follows_the_scale() -> None:
    scale = Scale()

    class Stage(App[None]):
        def compose(self) -> ComposeResult:
            yield ScaleLegend(scale)

    app = Stage()
    async with app.run_test(size=(80, 3)) as pilot:
        legend = app.query_one(ScaleLegend)
        await pilot.pause()
        assert legend.render_line(0).text.startswith("1e-4")
        scale.include(np.array([-30.0, 0.0]))
        legend.update()
        await pilot.pause()
        assert legend.render_line(0).text.startswith("1e-30")
        assert legend.size.height == 1
