"""Test the comparison of runs, driven by keys, on folders that are on disk."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from textual.pilot import Pilot

from gradtui.experiment import resolve, set_fields
from gradtui.runs.writer import RunWriter
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.compare.compare_screen import CompareScreen
from gradtui.ui.screens.compare.differences import DifferenceTable
from gradtui.ui.screens.compare.overlays import OverlaidCurves, OverlaidProfiles, RunWaterfall
from gradtui.ui.screens.compare.runs_legend import RunsLegend
from gradtui.ui.screens.lab.lab_screen import LabScreen
from gradtui.ui.screens.runs.runs_screen import RunsScreen
from gradtui.ui.widgets.curve_plot import CurvePlot
from gradtui.ui.widgets.waterfall import Waterfall
from tests.support.drawn import MONO, PLAIN, lines
from tests.support.lab import SIZES, alien, lab_of, no_standby, screen_text, until
from tests.support.studies import failing_run
from tests.ui.conftest import SCALARS, MakeRun

__all__ = ["no_standby"]

SIGMOID = resolve("sigmoid-20")


@pytest.fixture
def two(make_run: MakeRun) -> list[Path]:
    """A failing run, and one that is deeper and healthy."""
    deep = set_fields(SIGMOID, {"name": "deep", "net.0.repeat": 30, "optimizer.lr": 0.5})
    return [make_run(), make_run(deep, decades=0.0, steps=100)]


async def compared(pilot: Pilot[None], folders: list[Path]) -> CompareScreen:
    await lab_of(pilot)
    screen = CompareScreen(folders)
    pilot.app.push_screen(screen)
    await until(pilot, lambda: all(entry.followed.outcome is not None for entry in screen.entries))
    await until(pilot, lambda: len(screen.query(RunWaterfall)) == len(folders))
    await pilot.pause(0.4)
    return screen


@pytest.mark.parametrize("size", SIZES)
async def test_everything_of_all_runs_is_there(size: tuple[int, int], two: list[Path]) -> None:
    app = GradtuiApp()
    async with app.run_test(size=size) as pilot:
        screen = await compared(pilot, two)
        seen = screen_text(app)
        assert all(len(line) == size[0] for line in seen.splitlines())
        for tab in "234" if size == (80, 24) else "":
            await pilot.press(tab)
            await pilot.pause(0.2)
            seen += screen_text(app)
        head = seen.splitlines()[0]
        assert head.index("A ━ sigmoid-20") < head.index("B ━ deep")
        for palette in (MONO, PLAIN):
            assert "━" not in (drawn := lines(screen.query_one(RunsLegend).draw(1, 100, palette))[0])
            assert "*" not in drawn, "the letters themselves are the curves"
            assert drawn.index("A   sigmoid-20") < drawn.index("B   deep")
        for said in ("Loss of each batch", "Accuracy of each batch", "first to last of 21, 31 layers"):
            assert said in seen
        assert "✖ vanishing" in seen
        table = screen.query_one(DifferenceTable).render().plain
        differences = [line.split() for line in table.splitlines()]
        assert ["optimizer.lr", "0.001", "0.5"] in differences
        assert ["net.0.repeat", "20", "30"] in differences
        loss = screen.query(OverlaidCurves).first().query_one(CurvePlot)
        assert loss.frame is not None
        assert loss.frame.high == 100, "the axis ends with the data, not with the 500 steps of the plans"


async def test_a_deeper_run_that_is_worse_has_degradation_beside_the_shallower_one(home: Path) -> None:
    deep, shallow = resolve("plain-57"), resolve("plain-5")
    folders = [
        failing_run(deep, decades=0.3, accuracy=0.32, learns=True, steps=60),
        failing_run(shallow, decades=0.3, accuracy=0.95, learns=True, steps=60),
        failing_run(set_fields(shallow, {"seed": 9}), decades=0.3, accuracy=0.97, learns=True, steps=60),
    ]
    app = GradtuiApp(attach=folders[0])
    async with app.run_test(size=(120, 36)) as pilot:
        await compared(pilot, folders)
        await until(pilot, lambda: "▲ degradation: deeper than B," in screen_text(app))
        assert screen_text(app).count("✓ no problems") == 2


async def test_profiles_hold_the_numbers_of_the_step_that_is_looked_at(two: list[Path]) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await compared(pilot, two)
        screen.go_to(40)
        await until(pilot, lambda: all(e.followed.data.step == 40 for e in screen.entries))
        await pilot.pause(0.6)
        failing, deep = screen.query_one(OverlaidProfiles).query_one(CurvePlot)._given[0]
        expected = 10.0 ** np.linspace(-12, 0, 21) * (1 + 0.1 * np.sin(40))
        np.testing.assert_allclose(failing.y, expected, rtol=1e-6)
        assert (failing.sign, deep.sign) == ("A", "B")
        np.testing.assert_allclose(deep.x, np.linspace(0, 1, 31))
        assert [plot.cursor for plot in screen.query_one(OverlaidCurves).query(CurvePlot)] == [40]
        assert "step 40" in screen_text(app)
        # Beyond the end of the shorter one, that one shows its last step.
        screen.go_to(90)
        await until(pilot, lambda: [e.followed.data.step for e in screen.entries] == [60, 90])
        await pilot.press("escape")
        assert screen.at is None
        assert isinstance(app.screen, CompareScreen)


async def test_keys_move_through_time_panes_parts_and_measures(two: list[Path]) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await compared(pilot, two)
        await pilot.press("left", "left")
        assert screen.at is not None
        assert screen.at < 100
        later = screen.at
        await pilot.press("tab", "tab", "left")
        assert isinstance(app.focused, OverlaidProfiles)
        assert screen.at < later
        await pilot.press("e")
        await until(pilot, lambda: "Loss on the training set" in screen_text(app))
        await pilot.press("z")
        await pilot.pause()
        assert screen.maximized is not None
        await pilot.press("escape")
        assert screen.maximized is None
        await pilot.press("shift+tab", "y")
        await until(pilot, lambda: "Error (1 − accuracy)" in screen_text(app))
        await pilot.press("4", "escape", "escape")
        await until(pilot, lambda: isinstance(app.screen, LabScreen))


async def test_a_live_run_continues_to_grow(two: list[Path], make_run: MakeRun) -> None:
    live = make_run(set_fields(SIGMOID, {"name": "alive"}), steps=30, end=None)
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await compared(pilot, [two[0], live])
        assert "● 30/500" in screen_text(app)
        names = [f"dense{n}" for n in range(1, 21)] + ["output"]
        writer = RunWriter(live, {"scalars": SCALARS, "grad_norm": names})
        for step in range(31, 51):
            writer.append("scalars", step, [1.0, 0.5, 0.1, 1.0, 1.0])
            writer.append("grad_norm", step, [1.0] * 21)
        writer.close()
        await until(pilot, lambda: "● 50/500" in screen_text(app))


async def test_eight_runs_have_a_reader_each(make_run: MakeRun) -> None:
    folders = [make_run(set_fields(SIGMOID, {"name": f"run {n}"}), decades=float(n)) for n in range(8)]
    app = GradtuiApp()
    async with app.run_test(size=(200, 50)) as pilot:
        screen = await compared(pilot, folders)
        assert len({chart.scale for chart in screen.query(Waterfall)}) == 1
        head = screen_text(app).splitlines()[0]
        assert all(f"{letter} ━ run {n}" in head for n, letter in enumerate("ABCDEFGH"))


async def test_waterfalls_show_as_many_rows_as_they_have_room_for(make_run: MakeRun) -> None:
    folders = [make_run(steps=512), make_run(steps=512)]
    app = GradtuiApp()
    async with app.run_test(size=(200, 50)) as pilot:
        screen = await compared(pilot, folders)
        charts = screen.query(Waterfall)
        await until(
            pilot, lambda: all(chart.capacity / 2 < len(chart._matrix) <= chart.capacity for chart in charts)
        )


async def test_one_of_them_is_opened_alone(two: list[Path]) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and len(app.screen.listing.runs) == 2)
        await pilot.press("space", "down", "C")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await until(pilot, lambda: "B ━ sigmoid-20" in screen_text(app))
        await pilot.press("enter")
        await pilot.pause(0.2)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, LabScreen) and app.screen.followed is not None)
        assert app.lab is not None
        assert app.lab.followed is not None
        assert app.lab.followed.folder == two[0]


async def test_a_run_that_is_gone_is_said_and_the_others_are_shown(two: list[Path], tmp_path: Path) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await lab_of(pilot)
        screen = CompareScreen([two[0], tmp_path / "gone"])
        app.push_screen(screen)
        await until(pilot, lambda: "no such folder" in screen_text(app).replace("\n", " "))
        await until(pilot, lambda: "✖ vanishing" in screen_text(app))


async def test_compare_screen_is_ascii_on_an_ascii_terminal(two: list[Path]) -> None:
    app = GradtuiApp(terminal={"GRADTUI_CHARSET": "ascii"})
    async with app.run_test(size=(120, 36)) as pilot:
        await compared(pilot, two)
        assert alien(app) == set()
        assert "AAAA" in screen_text(app)


@pytest.mark.parametrize("tab", ["curves", "layers", "waterfalls", "differences"])
async def test_a_small_terminal_shows_one_tab(tab: str, two: list[Path]) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await compared(pilot, two)
        screen.action_tab(tab)
        await pilot.pause(0.2)
        shown = {name for name, pane in screen.panes() if pane.display and pane.size.height > 2}
        assert shown == {tab}
        assert app.focused in [pane for name, pane in screen.panes() if name == tab]


async def test_compared_runs_are_drawn_by_time_and_by_a_number_that_one_has(two: list[Path]) -> None:
    """Each run has its own time; where one lacks the number, its curve is left out and the frame says so."""
    meta = json.loads((two[1] / "run.json").read_text())
    meta["tables"]["tokens"] = {"columns": ["tokens"], "kind": "scalars"}
    (two[1] / "run.json").write_text(json.dumps(meta))
    writer = RunWriter(two[1], {"tokens": ("tokens",)})
    for step in range(1, 101):
        writer.append("tokens", step, [step * 2048.0])
    writer.close()
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await compared(pilot, two)
        panes = list(screen.query(OverlaidCurves))
        screen.go_to(40)
        await pilot.press("X", "X")
        await until(pilot, lambda: all(" · by time" in pane.heading.plain for pane in panes))
        frame = panes[0].query_one(CurvePlot).frame
        assert frame is not None
        # The rows are 0.01 s apart, and the first one is at 0.
        assert frame.axis.places(40) == pytest.approx(0.39)
        assert "step 40" in screen_text(app)
        await pilot.press("X", "X")
        await until(pilot, lambda: all(" · by tokens" in pane.heading.plain for pane in panes))
        frame = panes[0].query_one(CurvePlot).frame
        assert frame is not None
        assert frame.axis.places(40) == 40 * 2048
        assert panes[0].caption == "not recorded in A"
        await pilot.press("X", "X")
        await until(pilot, lambda: panes[0].caption == "" and "by" not in panes[0].heading.plain)
        assert screen.at == 40


@pytest.mark.parametrize("what", ["quit", "back", "part"])
async def test_a_key_may_come_while_the_waterfalls_are_placed(what: str, two: list[Path]) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        screen = CompareScreen(two)
        app.push_screen(screen)
        while not screen.query(RunWaterfall):
            await asyncio.sleep(0)
        if what == "quit":
            app.exit()
            return
        (screen.action_back if what == "back" else screen.action_part)()
        await pilot.pause(0.3)
        assert app.screen is (screen if what == "part" else lab)
