"""Test the widgets in a running app: painting, repainting, mouse, cursor, zoom and themes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from textual import on
from textual.app import App, ComposeResult
from textual.strip import Strip
from textual.widget import Widget

from gradtui.absent import log10_of
from gradtui.charts.layer_axis import GUTTER
from gradtui.charts.palette import NAN_FILL
from gradtui.charts.scale import Scale
from gradtui.ui.widgets.cell_chart import palette_of
from gradtui.ui.widgets.layer_charts import LayerHovered, LayerSelected, ProfileChart
from gradtui.ui.widgets.waterfall import CapacityChanged, StepHovered, StepSelected, Waterfall, caption_of


class Stage(App[None]):
    CSS = "ProfileChart { height: 12; } Waterfall { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, object]] = []

    def compose(self) -> ComposeResult:
        scale = Scale()
        yield ProfileChart(scale)
        yield Waterfall(scale)

    @on(LayerSelected)
    def layer_selected(self, event: LayerSelected) -> None:
        self.said.append((f"{event.control.__class__.__name__} layer", event.layer))

    @on(LayerHovered)
    def layer_hovered(self, event: LayerHovered) -> None:
        self.said.append(("over", event.layers))

    @on(StepSelected)
    def step_selected(self, event: StepSelected) -> None:
        self.said.append(("step", event.step))

    @on(StepHovered)
    def step_hovered(self, event: StepHovered) -> None:
        self.said.append(("over step", event.step))

    @on(CapacityChanged)
    def capacity_changed(self, event: CapacityChanged) -> None:
        self.said.append(("capacity", event.chart.capacity))

    @property
    def profile(self) -> ProfileChart:
        return self.query_one(ProfileChart)

    @property
    def waterfall(self) -> Waterfall:
        return self.query_one(Waterfall)


def lines(widget: Widget) -> list[str]:
    return [widget.render_line(y).text for y in range(widget.size.height)]


@contextmanager
def painted(widget: Widget) -> Iterator[list[int]]:
    """Return the lines that the widget was asked for meanwhile."""
    rows: list[int] = []
    original = widget.render_line

    def render_line(y: int) -> Strip:
        rows.append(y)
        return original(y)

    widget.render_line = render_line  # type: ignore[method-assign]
    yield rows
    widget.render_line = original  # type: ignore[method-assign]


def sigmoid(steps: int, layers: int = 21) -> np.ndarray:
    """A net whose gradient vanishes, as log10 of norms: from 1e-12 at the input to 1 at the output."""
    norms = 10.0 ** np.linspace(-12, 0, layers) * (1 + 0.3 * np.sin(np.arange(steps))[:, None])
    return log10_of(norms)


async def test_profile_and_waterfall_share_their_axis() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        matrix = sigmoid(40)
        app.waterfall.update(matrix)
        app.profile.update(matrix[-1])
        await pilot.pause()
        assert app.profile.axis == app.waterfall.axis
        assert app.profile.scale is app.waterfall.scale
        profile = lines(app.profile)
        assert [len(line) for line in profile + lines(app.waterfall)] == [90] * 30
        assert profile[0].startswith("     │") or "┤" in profile[0]
        assert profile[-1].split()[:3] == ["layer", "1", "2"]
        # Bars rise from left to right, as the norms do.
        heights = [sum(line[GUTTER + 4 * k] not in " " for line in profile[:-1]) for k in range(20)]
        assert heights == sorted(heights)
        assert heights[0] <= 2
        assert heights[-1] >= 9


async def test_a_new_row_paints_its_own_line_only() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        matrix = sigmoid(40)
        matrix[0, 0] = -13.5
        app.waterfall.update(matrix[:19])
        await pilot.pause()
        for rows in range(20, 30):
            with painted(app.waterfall) as again:
                app.waterfall.update(matrix[:rows])
                await pilot.pause()
            assert again == [(rows - 1) // 2]


async def test_a_last_row_that_still_changes_paints_one_line() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        matrix = sigmoid(20)
        app.waterfall.update(matrix)
        await pilot.pause()
        matrix[-1, 5] += 1
        with painted(app.waterfall) as again:
            app.waterfall.update(matrix)
            await pilot.pause()
        assert again == [9]


async def test_the_same_again_paints_nothing() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        matrix = sigmoid(20)
        matrix[3, 3] = np.nan
        app.waterfall.update(matrix)
        app.profile.update(matrix[-1], theory=matrix[0])
        await pilot.pause()
        with painted(app.waterfall) as again, painted(app.profile) as bars:
            app.waterfall.update(matrix.copy())
            app.profile.update(matrix[-1], theory=matrix[0])
            await pilot.pause()
        assert again == bars == []


async def test_a_bar_that_moves_paints_the_rows_it_moved_over() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        values = np.linspace(-12, 0, 21)
        app.profile.update(values)
        await pilot.pause()
        values[0] = -6
        with painted(app.profile) as again:
            app.profile.update(values)
            await pilot.pause()
        assert len(again) == 6
        assert max(again) == 10


async def test_a_coarser_matrix_repaints_the_whole_chart() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        matrix = sigmoid(36)
        app.waterfall.update(matrix)
        await pilot.pause()
        with painted(app.waterfall) as again:
            app.waterfall.update(matrix[::2], np.arange(0, 36, 2))
            await pilot.pause()
        assert set(again) >= set(range(18))
        text = lines(app.waterfall)
        assert all(line[GUTTER:].strip() for line in text), "each row has a line of its own"
        assert app.waterfall.line_steps.tolist() == list(range(0, 36, 2))


async def test_few_rows_take_several_lines_and_a_new_one_leaves_the_others_where_they_are() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        matrix = sigmoid(40)
        app.waterfall.update(matrix[:5])
        await pilot.pause()
        before = lines(app.waterfall)
        with painted(app.waterfall) as again:
            app.waterfall.update(matrix[:6])
            await pilot.pause()
        assert again == [10, 11]
        assert lines(app.waterfall)[:10] == before[:10]


@pytest.mark.parametrize("rows", [1, 2, 7, 19, 35, 36])
async def test_a_run_that_has_ended_fills_all_lines_and_every_step_can_be_reached(rows: int) -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        app.waterfall.update(sigmoid(rows), np.arange(1, rows + 1), whole_run=True)
        await pilot.pause()
        assert all(line[GUTTER:].strip() for line in lines(app.waterfall))
        step, seen = 1, [1]
        while (after := app.waterfall.step_beside(step, 1)) is not None:
            assert after > step
            step = after
            seen.append(step)
        assert seen[-1] >= rows - 1


async def test_a_scale_that_one_chart_widens_holds_for_the_other() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        app.waterfall.update(sigmoid(4))
        app.profile.update(np.full(21, -1.0))
        await pilot.pause()
        assert any("1e-12" in line for line in lines(app.profile))


async def test_more_rows_than_fit_are_thinned() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        matrix = np.zeros((100, 5))
        matrix[99] = np.nan
        app.waterfall.update(matrix, np.arange(100) * 10)
        await pilot.pause()
        text = lines(app.waterfall)
        assert app.waterfall.capacity == 36
        assert "×" in text[12]
        assert text[13].strip() == ""
        # 25 rows of 40 steps are left, two a line.
        assert app.waterfall.step_at(1) == 80
        assert app.waterfall.step_at(13) is None
        assert app.waterfall.step_beside(85, 1) == 160
        assert app.waterfall.step_beside(85, -5) == 0
        assert app.waterfall.step_beside(85, 12) is None, "beyond the last line is now"


async def test_the_waterfall_posts_a_change_of_its_capacity() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        await pilot.pause()
        assert app.said == [("capacity", 36)]
        await pilot.resize_terminal(90, 40)
        await pilot.pause()
        assert app.said[-1] == ("capacity", 56)


async def test_before_the_first_layout_the_capacity_is_the_whole_screen() -> None:
    class Early(App[None]):
        capacity = 0

        def compose(self) -> ComposeResult:
            yield Waterfall()

        def on_mount(self) -> None:
            self.capacity = self.query_one(Waterfall).capacity

    app = Early()
    async with app.run_test(size=(90, 30)):
        assert app.capacity == 60


async def test_nan_has_its_sign_in_profile_and_waterfall() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        matrix = sigmoid(20)
        matrix[15:] = np.nan
        app.waterfall.update(matrix)
        app.profile.update(matrix[-1])
        await pilot.pause()
        assert lines(app.profile)[-2].count("×") == 21 * 3
        assert lines(app.waterfall)[8][GUTTER:] == "×" * 84
        strip = app.waterfall.render_line(8)
        fill = app.waterfall.palette.styles[NAN_FILL].bgcolor
        assert [s.style.bgcolor for s in strip if s.style and "×" in s.text] == [fill]


async def test_click_and_hover_post_layers_and_steps() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        app.waterfall.update(sigmoid(20), np.arange(20) * 4)
        app.profile.update(sigmoid(1)[0])
        await pilot.pause()
        app.said.clear()
        await pilot.click(ProfileChart, offset=(GUTTER + 9, 3))
        assert ("ProfileChart layer", 2) in app.said
        assert app.profile.cursor == 2
        await pilot.click(Waterfall, offset=(GUTTER + 83, 2))
        assert ("Waterfall layer", 20) in app.said
        assert ("step", 16) in app.said
        app.said.clear()
        await pilot.hover(ProfileChart, offset=(GUTTER + 1, 3))
        await pilot.hover(ProfileChart, offset=(GUTTER + 2, 4))
        await pilot.hover(Waterfall, offset=(GUTTER + 6, 5))
        assert app.said == [
            ("over", (0, 0)),
            ("over", None),
            ("over step", 40),
            ("over", (1, 1)),
        ]
        app.said.clear()
        await pilot.click(ProfileChart, offset=(2, 3))
        assert not [what for what, _ in app.said if "layer" in what]


async def test_the_cursor_moves_and_takes_the_window_along() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        app.profile.update(np.linspace(-12, 0, 21))
        await pilot.pause()
        app.profile.move_cursor(1)
        assert app.profile.cursor == 0
        app.profile.move_cursor(4)
        assert app.profile.cursor == 4
        app.profile.move_cursor(-100)
        assert app.profile.cursor == 0
        app.profile.cursor = 10
        app.profile.zoom(0.25)
        first, last = app.profile.window or (-1, -1)
        assert last - first + 1 == 5
        assert first <= 10 <= last
        await pilot.pause()
        assert "▲11" in lines(app.profile)[-1]
        for _ in range(5):
            app.profile.move_cursor(1)
        assert app.profile.cursor == 15
        assert app.profile.window == (11, 15)
        app.profile.zoom(100)
        assert app.profile.window is None
        await pilot.pause()
        assert ("ProfileChart layer", 15) in app.said


async def test_a_folded_axis_moves_by_columns() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        app.profile.update(np.zeros(1001))
        await pilot.pause()
        app.profile.move_cursor(1)
        app.profile.move_cursor(1)
        assert app.profile.cursor == 12


async def test_pointing_at_a_step_paints_the_gutter_of_two_lines() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        app.waterfall.update(sigmoid(30), np.arange(30) * 4)
        app.waterfall.step = 30
        await pilot.pause()
        await pilot.pause()
        assert lines(app.waterfall)[3].startswith("   30▶")
        with painted(app.waterfall) as again:
            app.waterfall.step = 41
            await pilot.pause()
        assert sorted(again) == [3, 5]


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark", "ansi-light"])
async def test_another_theme_repaints_in_its_colours(theme: str) -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        app.theme = "nord"
        app.waterfall.update(sigmoid(10))
        app.profile.update(sigmoid(1)[0])
        await pilot.pause()
        before = app.waterfall.render_line(0)
        app.theme = theme
        await pilot.pause()
        after = app.waterfall.render_line(0)
        assert [s.style for s in before] != [s.style for s in after]
        assert app.waterfall.palette.depth == ("ansi" if theme.startswith("ansi") else "true")
        assert app.waterfall.rows_per_line == (1 if theme.startswith("ansi") else 2)
        assert app.waterfall.palette.dark == theme.endswith("dark")


async def test_kept_colours_follow_every_style_around_the_chart() -> None:
    app = Stage()
    async with app.run_test() as pilot:
        changes = (
            lambda: setattr(app.screen.styles, "background", "#102030"),
            lambda: setattr(app.profile.styles, "color", "#a0b0c0"),
            lambda: setattr(app.screen.styles, "background_tint", "red 30%"),
            lambda: setattr(app, "theme", "textual-light"),
            lambda: setattr(app.profile, "ascii", True),
        )
        seen = [app.profile.palette]
        assert app.profile.palette is seen[0], "it is kept while nothing changes"
        for change in changes:
            change()
            await pilot.pause()
            kept = app.profile.palette
            assert kept == palette_of(app.profile, app.profile.ascii)
            assert kept not in seen
            seen.append(kept)


async def test_layer_charts_use_no_colour_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        app.waterfall.update(sigmoid(10))
        app.profile.update(sigmoid(1)[0])
        await pilot.pause()
        assert app.waterfall.palette.depth == "none"
        row = lines(app.waterfall)[0][GUTTER:].rstrip()
        assert set(row) == set("·░▒▓█")
        assert "".join(sorted(row, key="·░▒▓█".index)) == row
        # On an axis of 14 decades, half a decade has a single character, so its values are told in words.
        app.waterfall.scale.include(np.array([-14.0, 0.0]))
        app.waterfall.update([[-0.7, -0.2]] * 3, whole_run=True)
        what = "2 layers · values 0.2 to 0.63 · time runs downward"
        app.profile.update([-0.7, -0.2])
        assert caption_of(app.profile, app.waterfall, None) == what
        app.waterfall.update([[-0.7, -0.2]] * 3)
        assert "values" not in caption_of(app.profile, app.waterfall, None), "not while rows come"
        app.waterfall.update([[-9.0, -0.2]] * 3, whole_run=True)
        assert caption_of(app.profile, app.waterfall, (1, 3)) == "2 layers · steps 1 to 3 · 0 whole run"


async def test_ascii_only() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        app.profile.ascii = app.waterfall.ascii = True
        app.waterfall.update(sigmoid(10))
        app.profile.update(sigmoid(1)[0])
        await pilot.pause()
        assert all(line.isascii() for line in lines(app.profile) + lines(app.waterfall))


async def test_an_empty_chart_can_be_filled_and_emptied() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        app.profile.update(None)
        app.waterfall.update(None)
        await pilot.pause()
        assert lines(app.waterfall) == [" " * 90] * 18
        app.profile.update([-1.0, 0.0])
        await pilot.pause()
        assert "▄" in "".join(lines(app.profile))
        app.profile.update(None)
        await pilot.pause()
        assert "▄" not in "".join(lines(app.profile))
        app.profile.move_cursor(1)
        app.profile.zoom(0.5)
        assert app.profile.cursor is None


async def test_an_overlay_with_another_number_of_layers_is_refused() -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)):
        with pytest.raises(ValueError, match="overlay"):
            app.profile.update([1.0, 2.0], theory=[1.0])
        app.profile.update([1.0, 2.0], theory=[None, 1.0], spread=([0, 0], [2, 2]), healthy=(-3, 0))


@pytest.mark.parametrize("size", [(1, 1), (6, 4), (7, 5), (20, 14), (300, 100)])
async def test_charts_draw_at_any_size_and_while_resizing(size: tuple[int, int]) -> None:
    app = Stage()
    async with app.run_test(size=(90, 30)) as pilot:
        app.waterfall.update(sigmoid(40, 300))
        app.profile.update(sigmoid(1, 300)[0])
        await pilot.pause()
        await pilot.resize_terminal(*size)
        await pilot.pause()
        app.waterfall.update(sigmoid(41, 300))
        app.profile.update(sigmoid(1, 300)[0])
        await pilot.pause()
        for chart in (app.profile, app.waterfall):
            assert {len(line) for line in lines(chart)} <= {chart.size.width}
