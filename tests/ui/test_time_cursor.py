"""Test the keys that move through the time and the layers of a run, and zoom."""

from __future__ import annotations

import numpy as np
from textual import events
from textual.pilot import Pilot

from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.lab.gradient_pane import GradientPane
from gradtui.ui.screens.lab.lab_screen import LabScreen
from gradtui.ui.screens.layer.layer_screen import LayerScreen
from gradtui.ui.widgets.curve_plot import CurvePlot
from gradtui.ui.widgets.layer_charts import ProfileChart
from gradtui.ui.widgets.waterfall import Waterfall
from tests.support.lab import lab_of, no_standby, screen_text, until
from tests.ui.conftest import SCALARS, MakeRun

__all__ = ["no_standby"]


async def seen(pilot: Pilot[None]) -> LabScreen:
    """Return the lab, its attached run painted, the gradients focused."""
    lab = await lab_of(pilot)
    await until(pilot, lambda: lab.followed is not None and lab.followed.data is not None)
    await until(pilot, lambda: bool(lab.query(Waterfall)) and "weaker" in screen_text(pilot.app))
    await pilot.press("2")
    await until(pilot, lambda: lab.query_one(GradientPane).has_focus)
    return lab


def drawn(lab: LabScreen) -> np.ndarray:
    """Return the values of the bars, not their logarithms."""
    profile = lab.query_one(ProfileChart)._profile
    assert profile is not None
    return 10.0**profile.values


async def test_bars_numbers_and_title_show_the_step_one_travels_to(make_run: MakeRun) -> None:
    folder = make_run(steps=200)
    _, norms = open_run(folder).layers("grad_norm")
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await seen(pilot)
        await pilot.press("up", "up", "up")
        await until(pilot, lambda: lab.followed.data.request.at is not None)
        await until(pilot, lambda: "looking at step" in screen_text(app))
        at = lab.followed.at
        assert at is not None
        assert at < 200
        await until(pilot, lambda: np.allclose(drawn(lab), norms[at - 1], rtol=1e-5))
        assert f"step {at:,}" in screen_text(app)
        assert f"{at:>5}▶" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: "looking at step" not in screen_text(app))
        await until(pilot, lambda: np.allclose(drawn(lab), norms[-1], rtol=1e-5))


async def test_going_down_from_the_last_line_is_live_again(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run(steps=200))
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await seen(pilot)
        await pilot.press("up")
        await until(pilot, lambda: lab.followed.at is not None)
        await pilot.press("pagedown")
        await until(pilot, lambda: lab.followed.at is None)


async def test_the_past_stands_still_while_training_continues(make_run: MakeRun) -> None:
    folder = make_run(steps=100, end=None)
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await seen(pilot)
        await pilot.press("up", "up")
        await until(pilot, lambda: lab.followed.data.request.at is not None)
        at, before = lab.followed.at, drawn(lab)
        names = open_run(folder).layer_names
        writer = RunWriter(folder, {"scalars": SCALARS, "grad_norm": names})
        for step in range(101, 161):
            writer.append("scalars", step, np.array([2.0, 0.2, 0.001, 1.0, 1.0]))
            writer.append("grad_norm", step, np.full(len(names), 0.5))
        writer.close()
        await until(pilot, lambda: "step 160/500" in screen_text(app))
        assert lab.followed.at == at
        assert np.array_equal(drawn(lab), before)
        await pilot.press("escape")
        await until(pilot, lambda: np.allclose(drawn(lab), 0.5))


async def test_one_key_goes_to_the_first_bad_step(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run(steps=100, decades=0.0, nan_from=40, end="diverged"))
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: bool(lab.followed and lab.followed.findings))
        await pilot.press("b")
        await until(pilot, lambda: lab.followed.at == 40)
        await until(pilot, lambda: "NaN or infinite in all 21" in screen_text(app))
        lab.cursor.go_to(39)
        await until(pilot, lambda: lab.followed.data.step == 39 and np.isfinite(drawn(lab)).all())
        await until(pilot, lambda: not any(f.code == "nonfinite" for f in lab.followed.findings))


async def test_both_charts_zoom_and_point_as_one(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run(steps=200))
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await seen(pilot)
        await pilot.press("end", "plus", "plus")
        await pilot.pause()
        profile, waterfall = lab.query_one(ProfileChart), lab.query_one(Waterfall)
        assert profile.axis == waterfall.axis
        assert (profile.axis.last, profile.axis.shown) == (20, 5)
        assert "output 1.1" in screen_text(app) or "output 9" in screen_text(app)
        await pilot.press("right_square_bracket", "right_square_bracket")
        await until(pilot, lambda: lab.followed.data.request.window == (151, 200))
        await until(pilot, lambda: waterfall._steps[0] == 151)
        await pilot.press("0")
        await until(pilot, lambda: waterfall._steps[0] == 1)
        assert profile.window is None
        assert waterfall.window is None
        # The curves have the same keys for time.
        await pilot.press("3", "right_square_bracket", "right_square_bracket")
        curves = lab.query(CurvePlot).first()
        await until(pilot, lambda: waterfall._steps[0] == 151 and curves.window == (151, 200))
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: curves.window == (101, 200))
        await pilot.press("0")
        await until(pilot, lambda: waterfall._steps[0] == 1 and curves.window is None)


async def test_another_measure_keeps_the_layer_and_the_step(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run(steps=100))
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await seen(pilot)
        await pilot.press("end", "up", "up")
        await until(pilot, lambda: lab.followed.data.request.at is not None)
        at = lab.followed.at
        await pilot.press("m")
        await pilot.pause(0.3)
        assert lab.followed.at == at
        assert lab.query_one(GradientPane).pointed == 20


async def test_the_layer_page_and_its_neighbours(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run(steps=100))
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await seen(pilot)
        await pilot.press("home", "right", "right", "enter")
        await until(pilot, lambda: isinstance(app.screen, LayerScreen))
        await until(pilot, lambda: "dense3" in screen_text(app) and "layer 3 of 21" in screen_text(app))
        assert "4,160 parameters" in screen_text(app)
        await pilot.press("right")
        await until(pilot, lambda: "dense4" in screen_text(app))
        await pilot.press("slash", *"outp", "enter")
        await until(pilot, lambda: "layer 21 of 21" in screen_text(app))
        await pilot.press("right")
        await pilot.pause(0.2)
        assert "layer 21 of 21" in screen_text(app), "the last layer has no neighbour after it"
        page = app.screen
        assert isinstance(page, LayerScreen)
        assert "esc back" in screen_text(app)
        page.cursor.go_to(50)
        await until(pilot, lambda: "esc newest  q back" in screen_text(app))
        assert "esc back" not in screen_text(app), "esc has one meaning at a time"
        await pilot.press("escape")
        assert not page.cursor.in_the_past, "first back to the newest step"
        assert app.screen is page
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is lab)
        assert lab.query_one(GradientPane).pointed == 20


async def test_a_layer_is_found_by_its_name(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run(steps=20))
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await seen(pilot)
        await pilot.press("slash", *"dense17", "enter")
        await until(pilot, lambda: lab.query_one(GradientPane).pointed == 16)


async def test_a_narrow_terminal_shows_one_tab_and_reaches_all(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run(steps=100))
    async with app.run_test(size=(80, 24)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "weaker" in screen_text(app))
        assert lab.tabs.opened == "gradient", "a run that is opened is looked at"
        seen_tabs = []
        for _ in range(8):
            await pilot.press("tab")
            await pilot.pause(0.1)
            seen_tabs.append(lab.tabs.opened)
            assert app.focused is not None
            assert app.focused.region.area, "what has the focus is on the screen"
        assert set(seen_tabs) == {"net", "gradient", "curves", "findings"}
        await pilot.press("2")
        await pilot.pause(0.1)
        for key, words in [("1", "Training"), ("2", "weaker"), ("3", "Accuracy"), ("4", "vanishing")]:
            lab.query_one(GradientPane).focus()
            await pilot.press(key)
            await until(pilot, lambda words=words: words in screen_text(app))


async def test_a_pane_fills_the_screen_and_goes_back(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run(steps=100))
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await seen(pilot)
        pane = lab.query_one(GradientPane)
        await pilot.press("z")
        await until(pilot, lambda: pane.size.width > 110 and "Training" not in screen_text(app))
        await pilot.press("z")
        await until(pilot, lambda: pane.size.width < 90 and "Training" in screen_text(app))
        for _, other in lab.panes():
            other.focus()
            await pilot.press("z")
            await until(pilot, lambda: lab.maximized is not None and lab.maximized.size.width > 110)
            assert other in (lab.maximized, *lab.maximized.query("*"))
            # All that is beside the pane is the line of keys, which begins with the way back.
            await until(pilot, lambda: screen_text(app).splitlines()[-1].startswith(" z all panes"))
            assert lab.maximized.region == (0, 0, 120, 35)
            await pilot.press("z")
            await until(pilot, lambda: lab.maximized is None)
            await until(pilot, lambda: "z all panes" not in screen_text(app))


async def test_while_the_terminal_is_resized_everything_stays_in_its_place(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run(steps=100))
    async with app.run_test(size=(200, 50)) as pilot:
        await seen(pilot)
        for size in [(120, 36), (99, 30), (80, 24), (60, 15), (40, 10), (240, 70), (120, 36)]:
            await pilot.resize_terminal(*size)
            await pilot.pause(0.1)
            lines = screen_text(app).splitlines()
            assert [len(line) for line in lines] == [size[0]] * size[1]
        await until(pilot, lambda: "times weaker" in screen_text(app))


async def test_the_net_is_drawn_until_there_is_a_run_and_by_a_key(make_run: MakeRun) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "dense   64 → 64" in screen_text(app))
        await pilot.press("right")
        await until(pilot, lambda: "×21" in screen_text(app))
        lab.open_run(make_run())
        await until(pilot, lambda: "times weaker" in screen_text(app))
        assert "dense   64 → 64" not in screen_text(app)
        await pilot.press("N")
        await until(pilot, lambda: "Changed since the last run" in screen_text(app))
        assert "net.0.repeat" in screen_text(app)
        await pilot.press("N")
        await until(pilot, lambda: "times weaker" in screen_text(app))


async def test_toml_from_the_clipboard_becomes_the_experiment_and_a_bad_one_changes_nothing() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        app.post_message(events.Paste("[optimizer]\nlr = 0.5\n"))
        await until(pilot, lambda: lab.workbench.experiment.optimizer.lr == 0.5)
        before = lab.workbench.experiment
        app.post_message(events.Paste("[optimizer]\nlr = -1\n"))
        await until(pilot, lambda: any("optimizer.lr" in toast.message for toast in app._notifications))
        assert lab.workbench.experiment == before
        await pilot.press("u")
        await until(pilot, lambda: lab.workbench.experiment.optimizer.lr == 0.001)
        await pilot.press("Y")
        await until(pilot, lambda: 'name = "sigmoid-20"' in app.clipboard)
