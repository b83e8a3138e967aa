"""Test the widget of curves: it is drawn for new data, and not more often than it may."""

from __future__ import annotations

import builtins
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import numpy as np
import pytest
from textual import on
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from gradtui.charts.cells import Cells
from gradtui.charts.layer_axis import GUTTER
from gradtui.charts.marks import CurveMark, CurveMarks
from gradtui.charts.palette import SERIES, Palette
from gradtui.charts.series import CurveData
from gradtui.ui.view import StepChanged
from gradtui.ui.widgets.curve_plot import CurvePlot


class Counting(CurvePlot):
    drawings = 0

    def draw(self, height: int, width: int, palette: Palette) -> Cells:
        self.drawings += 1
        return super().draw(height, width, palette)


class Stage(App[None]):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.plot = Counting(**options)

    def compose(self) -> ComposeResult:
        yield self.plot

    @property
    def lines(self) -> list[str]:
        return [self.plot.render_line(y).text for y in range(self.plot.size.height)]


LOSS = [CurveData("train", np.arange(50), np.linspace(2, 1, 50))]


async def test_a_placeholder_stands_until_a_value_is_finite() -> None:
    app = Stage(placeholder="nothing to see")
    async with app.run_test(size=(40, 9)) as pilot:
        assert app.lines[4].strip() == "nothing to see"
        app.plot.update([CurveData("train", [0, 1], [np.nan, np.inf])])
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert app.lines[4].strip() == "NaN or infinite at every step"
        assert {len(line) for line in app.lines} == {40}


@pytest.mark.parametrize(("rows", "beside"), [(5, True), (8, False)])
async def test_the_names_stand_beside_the_chart_only_if_its_legend_lacks_one(rows: int, beside: bool) -> None:
    app = Stage(pause=0)
    async with app.run_test(size=(60, rows)) as pilot:
        steps, names = np.arange(50), ("batch", "train", "test", "without")
        app.plot.update(
            [CurveData(name, steps, np.linspace(2, 1 - at / 9, 50)) for at, name in enumerate(names)]
        )
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert ("test 0.7" not in "".join(app.lines)) is beside
        assert bool(app.plot.names_without_room) is beside


async def test_curves_are_drawn_and_the_log_axis_switched() -> None:
    app = Stage(pause=0)
    async with app.run_test(size=(60, 12)) as pilot:
        app.plot.update(LOSS, x_end=100)
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "━ train 1" in "".join(app.lines)
        assert app.lines[0].startswith("    2┤")
        app.plot.logarithmic = True
        await pilot.pause()
        assert app.lines[0].startswith("  1e1┤")


async def test_the_same_data_is_not_drawn_again() -> None:
    app = Stage(pause=0)
    async with app.run_test(size=(60, 12)) as pilot:
        app.plot.update(LOSS)
        await app.workers.wait_for_complete()
        await pilot.pause()
        drawn = app.plot.drawings
        app.plot.update([CurveData("train", np.arange(50), np.linspace(2, 1, 50))])
        await pilot.pause()
        assert app.plot.drawings == drawn
        app.plot.update([CurveData("train", np.arange(50), np.linspace(2, 0.5, 50))])
        await pilot.pause()
        assert app.plot.drawings == drawn + 1


async def test_many_updates_are_one_drawing_and_the_last_one_is_shown() -> None:
    app = Stage(pause=0.2)
    async with app.run_test(size=(60, 12)) as pilot:
        app.plot.update(LOSS)
        await app.workers.wait_for_complete()
        await pilot.pause()
        drawn = app.plot.drawings
        for last in range(100):
            app.plot.update([CurveData("train", np.arange(50), np.linspace(2, last, 50))])
        assert app.plot.drawings <= drawn + 1
        await pilot.pause(1.0)
        assert app.plot.drawings <= drawn + 2
        assert "train 99" in "".join(app.lines)


async def test_another_size_draws_at_once() -> None:
    app = Stage(pause=60)
    async with app.run_test(size=(60, 12)) as pilot:
        app.plot.update(LOSS)
        await app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.resize_terminal(100, 20)
        await pilot.pause()
        assert {len(line) for line in app.lines} == {100}
        assert app.lines[-1].startswith("     └0")


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark"])
async def test_the_curve_has_the_theme_s_colour(theme: str) -> None:
    app = Stage(pause=0)
    async with app.run_test(size=(60, 12)) as pilot:
        app.theme = theme
        app.plot.update(LOSS)
        await app.workers.wait_for_complete()
        await pilot.pause()
        from gradtui.charts.palette import SLOTS

        expected = app.plot.palette.styles[SERIES * SLOTS].color
        assert expected is not None
        colours = {
            s.style.color
            for y in range(11)
            for s in app.plot.render_line(y)
            if "⠉" in s.text or "⠒" in s.text
        }
        assert colours == {expected}
        if theme.startswith("textual"):
            assert expected.triplet is not None
            assert expected.triplet.hex == app.current_theme.primary.lower()


async def test_without_plotext_s_compiled_part_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name == "plotext":
            raise ImportError(
                "plotext cannot draw: its C++ part, kernel.so, was not built during the installation"
            )
        return real(name, *rest, **named)

    for module in [m for m in sys.modules if m == "plotext" or m.startswith("plotext.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", without)
    app = Stage(pause=0)
    async with app.run_test(size=(100, 9)) as pilot:
        app.plot.update(LOSS)
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "the compiled part of plotext" in app.lines[4]


async def test_a_curve_plot_draws_at_any_size() -> None:
    for size in ((1, 1), (GUTTER, 3), (14, 3), (15, 2), (250, 60)):
        app = Stage(pause=0)
        async with app.run_test(size=size) as pilot:
            app.plot.update(LOSS)
            await app.workers.wait_for_complete()
            await pilot.pause()
            assert {len(line) for line in app.lines} == {size[0]}


# -- the cursor, and what else is laid over curves that stay as they are

STEPS = np.arange(1, 501)
TWO = [
    CurveData("batch", STEPS, 2 * np.exp(-STEPS / 100) + 0.1),
    CurveData("test", STEPS[49::50], 2 * np.exp(-STEPS[49::50] / 100) + 0.2),
]
MARKS = CurveMarks((CurveMark(100, "lr", "lr 0.01"), CurveMark(300, "checkpoint", "checkpoint")))


@contextmanager
def dirtied(plot: CurvePlot) -> Iterator[list[Region]]:
    """Return the regions that the chart declares dirty meanwhile; a refresh of everything is the whole."""
    regions: list[Region] = []
    original = plot.refresh

    def refresh(*given: Region, **how: Any) -> CurvePlot:
        regions.extend(given or (plot.size.region,))
        return original(*given, **how)

    plot.refresh = refresh  # type: ignore[method-assign, assignment]
    yield regions
    plot.refresh = original  # type: ignore[method-assign]


@asynccontextmanager
async def shown(app: Stage, size: tuple[int, int] = (90, 14)) -> AsyncIterator[Pilot[None]]:
    """Return the app with its curves on the screen."""
    async with app.run_test(size=size) as pilot:
        app.plot.update(TWO, x_end=500, marks=MARKS)
        await app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.pause()
        assert app.plot.frame is not None
        yield pilot


async def test_a_cursor_move_draws_no_curve_and_repaints_only_what_it_passed_over() -> None:
    app = Stage(pause=0)
    async with shown(app) as pilot:
        app.plot.cursor = 240.0
        await pilot.pause()
        layer, before = app.plot._layer, app.plot._cells
        assert layer is not None
        column = layer.frame.place(240.0)
        assert column is not None
        with dirtied(app.plot) as regions:
            app.plot.cursor = float(app.plot.step_beside(240, 1))
            await pilot.pause()
        assert app.plot._layer is layer, "plotext was not asked again"
        assert app.plot._cells is not None
        assert sorted((r.y, r.x, r.right - 1) for r in regions) == app.plot._cells.changed(before)
        # All rows but those of the legend: the two columns of the line. The axis has a number besides.
        narrow = [r for r in regions if (r.x, r.width) == (GUTTER + column, 2)]
        assert len(narrow) >= 9
        assert sum(r.area for r in regions) < 0.2 * app.plot.size.area
        legend = [r for r in regions if r.right > GUTTER + column + 8]
        assert len(legend) <= 3, "the step and two values"


async def test_the_same_cursor_again_paints_nothing() -> None:
    app = Stage(pause=0)
    async with shown(app) as pilot:
        app.plot.cursor = 240.0
        await pilot.pause()
        with dirtied(app.plot) as regions:
            app.plot.cursor = 240.0
            app.plot.update(list(TWO), x_end=500, marks=CurveMarks(MARKS.signs))
            await pilot.pause()
        assert regions == []


async def test_the_legend_follows_the_cursor_and_is_live_again_without_it() -> None:
    app = Stage(pause=0)
    async with shown(app) as pilot:
        live = app.lines
        app.plot.cursor = 250.0
        await pilot.pause()
        assert "step 250" in "".join(app.lines)
        assert f"batch {2 * np.exp(-2.5) + 0.1:.4g} " in "".join(app.lines)
        app.plot.cursor = None
        await pilot.pause()
        assert app.lines == live


async def test_a_cursor_moves_over_the_curves_that_are_shown_not_over_those_to_come() -> None:
    app = Stage(pause=60)
    async with shown(app):
        layer = app.plot._layer
        app.plot.update([CurveData("batch", STEPS, np.zeros(500))], x_end=500, marks=MARKS)
        app.plot.cursor = 250.0
        assert app.plot._layer is layer
        app.plot.smoothing = "light"
        assert app.plot._layer is not layer
        assert "batch 0 " in "".join(app.lines)


async def test_smoothing_and_window_are_drawn_at_once() -> None:
    app = Stage(pause=60)
    async with shown(app) as pilot:
        app.plot.smoothing = "strong"
        await pilot.pause()
        assert "smoothed over 50 steps" in "".join(app.lines)
        app.plot.window = (200, 300)
        await pilot.pause()
        assert app.lines[-1].strip().startswith("└200")
        assert app.plot.signs == [("◆", "saved")]
        app.plot.window = None
        app.plot.smoothing = "off"
        await pilot.pause()
        assert "smoothed" not in "".join(app.lines)
        assert app.plot.signs == [("η", "lr"), ("◆", "saved")]


async def test_the_events_at_the_cursor_are_named() -> None:
    app = Stage(pause=0)
    async with shown(app):
        assert app.plot.cursor_texts == []
        app.plot.cursor = 101.0
        assert app.plot.cursor_texts == ["lr 0.01"]
        app.plot.cursor = 150.0
        assert app.plot.cursor_texts == []
    assert CurvePlot().cursor_texts == CurvePlot().signs == []


async def test_a_click_posts_its_step_and_beyond_the_last_none() -> None:
    class Listening(Stage):
        said: list[int | None] = []

        @on(StepChanged)
        def travelled(self, event: StepChanged) -> None:
            self.said.append(event.step)

    app = Listening(pause=0)
    async with app.run_test(size=(90, 14)) as pilot:
        app.plot.update(TWO, x_end=1000)
        await app.workers.wait_for_complete()
        await pilot.pause()
        for column in (0, 20, 60):
            await pilot.click(Counting, offset=(GUTTER + column, 5))
        assert app.said == [1, 241, None]
        assert app.plot.cursor is None
        await pilot.click(Counting, offset=(2, 5))
        app.plot.steps_on_x = False
        await pilot.click(Counting, offset=(GUTTER + 20, 5))
        assert app.said == [1, 241, None]


async def test_curves_use_no_colour_and_no_unicode_where_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    app = Stage(pause=0)
    async with shown(app) as pilot:
        app.plot.smoothing, app.plot.cursor = "light", 250.0
        await pilot.pause()
        colours = {s.style.color for y in range(14) for s in app.plot.render_line(y) if s.style}
        assert colours == {app.plot.palette.plain.color}
        assert "η" in app.lines[0]
        app.plot.ascii = True
        await pilot.pause()
        assert all(line.isascii() for line in app.lines)
        assert "l" in app.lines[0]


@pytest.mark.long
async def test_a_cursor_move_costs_little() -> None:
    app = Stage(pause=0)
    async with shown(app, (100, 14)):
        costs = []
        for step in range(1, 400):
            started = time.process_time()
            app.plot.cursor = float(step)
            costs.append(time.process_time() - started)
        assert sorted(costs)[200] < 0.005
