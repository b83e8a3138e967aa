"""Test the frames of the charts of one layer: they name all curves."""

from __future__ import annotations

import numpy as np
import pytest
from textual.app import App, ComposeResult

from gradtui.charts.series import CurveData
from gradtui.ui.screens.layer.layer_panes import ACTIVATION, FRAME_COLUMNS, LayerCurves
from gradtui.ui.widgets.curve_plot import CurvePlot

NAMES = ("mean", "spread", "dead", "saturated", "derivative")


class PaneApp(App[None]):
    """An app with nothing but one frame of curves."""

    def compose(self) -> ComposeResult:
        yield LayerCurves(ACTIVATION)


@pytest.mark.parametrize("width", [38, 60, 100])
async def test_no_name_of_a_curve_is_cut(width: int) -> None:
    """38 columns is the width of the frame at 80x24."""
    app = PaneApp()
    async with app.run_test(size=(width, 10)) as pilot:
        pane = app.query_one(LayerCurves)
        pane.query_one(CurvePlot).update([CurveData(name, np.arange(9), np.ones(9)) for name in NAMES])
        pane.on_resize()
        await pilot.pause()
        edges = [edge.plain for edge in pane._edges]
        assert all(len(edge) <= width - FRAME_COLUMNS for edge in edges)
        assert all(name in " ".join(edges) for name in NAMES)
