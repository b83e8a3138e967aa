"""Test the factors of the layers on the screens: one key opens them in the lab and on the page of a layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gradtui.absent import ABSENT
from gradtui.diagnosis.findings import Finding
from gradtui.experiment import net_shape, resolve, to_dict
from gradtui.judgement import judge
from gradtui.runs.folder import new_folder, runs_root
from gradtui.runs.meta import LayerMeta, RunMeta, TableMeta, write_meta
from gradtui.runs.writer import RunWriter
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.lab.cure_options import CureListScreen
from gradtui.ui.shown_diagnosis import ShownDiagnosis
from gradtui.ui.widgets.factor_chart import FactorChart
from gradtui.ui.widgets.waterfall import Waterfall
from tests.support.lab import SIZES, lab_of, no_standby, screen_text, until
from tests.ui.conftest import MakeRun

__all__ = ["no_standby"]

SCALARS = ("loss", "accuracy", "lr", "grad_norm", "grad_norm_clipped")


def recorded(preset: str, factor: float, slope: float, lags: int = 0, first: float | None = None) -> Path:
    """Write a run whose layers all have one factor; `first` is another one at the first step."""
    experiment = resolve(preset)
    folder = new_folder(runs_root(), experiment.name)
    layers = tuple(LayerMeta(s.name, s.kind, s.parameters) for s in net_shape(experiment).layers)
    names = tuple(layer.name for layer in layers)
    tables = {"scalars": TableMeta(SCALARS, "scalars")}
    tables |= {
        name: TableMeta(names, "layers") for name in ("grad_norm", "activation_slope", "backward_gain")
    }
    if lags:
        tables["hidden_grad"] = TableMeta(tuple(str(lag) for lag in range(lags)), "lags")
    meta = RunMeta.of_this_process(
        id=folder.name,
        name=experiment.name,
        experiment=to_dict(experiment),
        layers=layers,
        tables=tables,
        steps=5,
    )
    write_meta(folder, meta)
    writer = RunWriter(folder, {name: table.columns for name, table in tables.items()})
    for step in range(1, 6):
        writer.append("scalars", step, np.array([2.3, 0.1, 0.001, 1.0, 1.0]))
        writer.append("grad_norm", step, np.ones(len(names)))
        gains = np.full(len(names), first if first is not None and step == 1 else factor)
        gains[0] = ABSENT
        writer.append("backward_gain", step, gains)
        slopes = np.full(len(names), slope)
        slopes[-1] = ABSENT
        writer.append("activation_slope", step, slopes)
        if lags:
            writer.append("hidden_grad", step, 0.5 ** np.arange(lags))
    writer.event("end", step=5, status="finished", reason="")
    writer.close()
    return folder


@pytest.mark.parametrize("size", SIZES)
async def test_a_key_of_the_lab_shows_the_product_with_its_parts(size: tuple[int, int]) -> None:
    app = GradtuiApp(attach=recorded("sigmoid-20", 0.24, 0.25))
    async with app.run_test(size=size) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: bool(lab.query(Waterfall)) and lab.followed.snapshot is not None)
        await pilot.press("2", "P")
        await until(pilot, lambda: bool(lab.query(FactorChart)))
        text = screen_text(app)
        assert "0.24 × 0.24 × 0.24 × … = 4e-13 after 20 layers" in text
        assert "derivative" in text
        assert "theory" in text
        await pilot.press("right", "right")
        await until(pilot, lambda: "0.24 = 0.25 × 0.96" in screen_text(app))
        await pilot.press("P")
        await until(pilot, lambda: not lab.query(FactorChart))
        assert "Gradient of each layer" in screen_text(app)


async def test_the_key_leads_to_the_product_from_a_tab_that_hides_it() -> None:
    app = GradtuiApp(attach=recorded("sigmoid-20", factor=0.25, slope=0.25))
    async with app.run_test(size=(80, 24)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.followed is not None and bool(lab.followed.metrics))
        for tab in ("3", "4", "3"):
            await pilot.press(tab)
            await until(pilot, lambda: "Factors " not in screen_text(app))
            await pilot.press("P")
            await until(pilot, lambda: "Factors " in screen_text(app))
            assert lab.followed.request.draws_factors
        await pilot.press("P")
        await until(pilot, lambda: "Gradient of each layer" in screen_text(app))


async def test_an_explanation_leads_to_the_factors_of_the_step_that_it_explains() -> None:
    app = GradtuiApp(attach=recorded("sigmoid-20", 0.5, 0.25, first=2.0))
    async with app.run_test(size=(80, 24)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "too few" in screen_text(app).splitlines()[0])
        exploded = Finding("exploding", "critical", 1, ("dense1",), "It was large at step 1.")
        diagnosis = ShownDiagnosis((exploded,), judge([exploded], live=False), (exploded,))
        lab.followed.diagnosis = diagnosis
        await pilot.press("3", "w")
        await until(pilot, lambda: "2 × 2 × 2 × … = 1e6 after 20 layers" in screen_text(app))
        assert "(step 1)" in screen_text(app)
        assert "P factors · f fix it · esc back" in screen_text(app)
        for _ in ("drawn first", "left as they are"):
            await pilot.press("P")
            await until(pilot, lambda: app.screen is lab)
            assert lab.followed.request.draws_factors
            assert lab.followed.at == 1
            await pilot.press("w")
            await until(pilot, lambda: "P draws them" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is lab)
        lab.followed.diagnosis = diagnosis
        await pilot.press("w", "f")
        await until(pilot, lambda: isinstance(app.screen, CureListScreen))


async def test_the_page_of_a_layer_has_the_product_too() -> None:
    app = GradtuiApp(attach=recorded("sigmoid-20", 0.24, 0.25))
    async with app.run_test(size=(80, 24)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: bool(lab.query(Waterfall)) and lab.followed.snapshot is not None)
        await pilot.press("2", "right", "right", "enter")
        await until(pilot, lambda: "layer 2 of 21" in screen_text(app))
        await pilot.press("P")
        await until(pilot, lambda: "after 20 layers" in screen_text(app))
        assert "dense2  0.24 = 0.25 × 0.96" in screen_text(app)
        await pilot.press("P")
        await until(pilot, lambda: "after 20 layers" not in screen_text(app))


async def test_a_recurrent_net_has_the_factors_of_its_steps_of_time() -> None:
    app = GradtuiApp(attach=recorded("adding-rnn", 0.5, ABSENT, lags=30))
    async with app.run_test(size=(80, 24)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: bool(lab.query(Waterfall)) and lab.followed.snapshot is not None)
        await pilot.press("2", "P")
        await until(pilot, lambda: "0.5 × 0.5 × 0.5 × … = 1.9e-9 after 29 steps back" in screen_text(app))


async def test_a_run_that_has_no_factors_says_so(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run())
    async with app.run_test(size=(80, 24)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: bool(lab.query(Waterfall)) and lab.followed.snapshot is not None)
        await pilot.press("2", "P")
        await until(pilot, lambda: any("not recorded in this run" in n.message for n in app._notifications))
