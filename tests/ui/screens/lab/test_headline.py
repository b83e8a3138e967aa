"""Test the legend over the bars: its signs have the characters and colours with which the chart draws them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from gradtui.charts.bars import LayerProfile, draw_bars
from gradtui.charts.cells import Cells
from gradtui.charts.layer_axis import GUTTER, LayerAxis
from gradtui.charts.palette import OTHER, THEORY, Palette
from gradtui.charts.scale import Scale
from gradtui.ui.screens.lab.headline import chart_legend
from tests.support.drawn import ALL


@pytest.mark.parametrize("palette", ALL)
def test_a_sign_of_the_legend_looks_like_the_line_over_the_bars(palette: Palette) -> None:
    layers, rows = 4, 8
    values = np.full(layers, -3.0)
    theory, other = np.full(layers, -0.6), np.full(layers, -1.8)
    cells = Cells(rows, GUTTER + 40)
    scale = Scale()
    scale.include(np.array([-4.0, 0.0]))
    draw_bars(
        cells,
        LayerProfile(values, theory=theory, other=other),
        LayerAxis(layers, 40),
        scale,
        palette,
        rows,
        None,
    )
    data = SimpleNamespace(theory=theory, healthy=None, moment=SimpleNamespace(rows=[1]))
    legend = chart_legend(cast(Any, data), True, palette)[0]
    styles = [str(span.style) for span in legend.spans if "bold" in str(span.style)]
    for slot, style in zip((OTHER, THEORY), styles, strict=True):
        assert (cells.ink == slot).any()
        assert style.split() == ["bold", *filter(None, [palette.name_of(slot)])]
    if palette.ascii:
        drawn = {slot: chr(cells.codes[cells.ink == slot][0]) for slot in (OTHER, THEORY)}
        assert legend.plain.split()[0] == drawn[OTHER]
        assert f"{drawn[THEORY]} theory" in legend.plain
