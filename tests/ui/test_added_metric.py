"""Test that a metric registered from outside is drawn on all screens without a change of any of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gradtui import metrics
from gradtui.headlines import extremes_headline
from gradtui.importing.names import measured
from gradtui.metrics import Figure, Metric
from gradtui.runs.folder import new_folder, runs_root
from gradtui.runs.meta import TableMeta
from gradtui.runs.writer import RunWriter
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.layer.layer_screen import LayerScreen
from tests.support.lab import lab_of, no_standby, screen_text, until
from tests.support.run_folders import SCALARS, columns_of, describe

__all__ = ["no_standby"]

LAYERS = ("dense1", "dense2", "dense3")
SHARES = (0.25, 0.5, 0.96)


@pytest.fixture
def sparsity() -> Iterator[Metric]:
    """The share of gradient entries that are exactly zero, registered for one test."""
    metric = metrics.register(
        Metric(
            name="grad_sparsity",
            title="Zeros in the gradient of each layer",
            unit="share of the gradient's entries that are 0",
            source="gradients",
            headline=extremes_headline(".0%", "zeros"),
            scale="linear",
            low=0.0,
            high=1.0,
            label="zeros",
            format="{:.1%}",
            curve=("gradient", "zeros"),
            figure=Figure("{:.0%}", finding="vanishing"),
        )
    )
    yield metric
    metrics.unregister(metric.name)


async def test_added_metric_has_a_chart_a_figure_and_a_curve_of_each_layer(sparsity: Metric) -> None:
    folder = new_folder(runs_root(), "sparse")
    tables = {"scalars": TableMeta(SCALARS, "scalars"), "grad_norm": TableMeta(LAYERS)}
    meta = describe(folder, tables={**tables, sparsity.name: TableMeta(LAYERS)})
    writer = RunWriter(folder, columns_of(meta))
    for step in range(1, 41):
        writer.append("scalars", step, (2.0, 0.5, 0.1))
        writer.append("grad_norm", step, (0.5, 0.6, 0.7))
        writer.append(sparsity.name, step, SHARES)
    writer.event("end", 40, status="finished")
    writer.close()
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 40)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.followed is not None and lab.followed.data is not None)
        await until(pilot, lambda: "96% in dense3" in screen_text(app))
        await pilot.press("2", "m")
        await until(pilot, lambda: "zeros from 25% (dense1) to 96% (dense3)" in screen_text(app))
        assert sparsity.title in screen_text(app)
        await pilot.press("home", "enter")
        await until(pilot, lambda: isinstance(app.screen, LayerScreen))
        await until(pilot, lambda: "zeros 25.0%" in screen_text(app))


def test_added_metric_is_recognised_in_a_log_that_is_imported(sparsity: Metric) -> None:
    assert measured("grad_sparsity/fc1") == ("grad_sparsity", "fc1")
