"""The curves' widget: drawn when there is something new, and not more often than it may."""

from __future__ import annotations

import builtins
import sys
from typing import Any

import numpy as np
import pytest
from textual.app import App, ComposeResult

from gradtui.ui.charts.axis import GUTTER
from gradtui.ui.charts.cells import Cells
from gradtui.ui.charts.palette import SERIES, Palette
from gradtui.ui.charts.plot import CurvePlot, Series


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


LOSS = [Series("train", np.arange(50), np.linspace(2, 1, 50))]


async def test_a_placeholder_until_there_is_something_finite() -> None:
    app = Stage(placeholder="nothing to see")
    async with app.run_test(size=(40, 9)) as pilot:
        assert app.lines[4].strip() == "nothing to see"
        app.plot.update([Series("train", [0, 1], [np.nan, np.inf])])
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert app.lines[4].strip() == "nothing to see"
        assert {len(line) for line in app.lines} == {40}


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
        app.plot.update([Series("train", np.arange(50), np.linspace(2, 1, 50))])
        await pilot.pause()
        assert app.plot.drawings == drawn
        app.plot.update([Series("train", np.arange(50), np.linspace(2, 0.5, 50))])
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
            app.plot.update([Series("train", np.arange(50), np.linspace(2, last, 50))])
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
        from gradtui.ui.charts.palette import SLOTS

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
        assert "plotext's compiled part" in app.lines[4]


async def test_any_size() -> None:
    for size in ((1, 1), (GUTTER, 3), (14, 3), (15, 2), (250, 60)):
        app = Stage(pause=0)
        async with app.run_test(size=size) as pilot:
            app.plot.update(LOSS)
            await app.workers.wait_for_complete()
            await pilot.pause()
            assert {len(line) for line in app.lines} == {size[0]}
