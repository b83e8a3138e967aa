"""Test how dialogs use the room of a terminal."""

from __future__ import annotations

from textual.app import App
from textual.containers import Vertical

from gradtui.experiment.presets.curriculum import CHAPTERS
from gradtui.ui.screens.dialogs import Choice, ChooseScreen, LogScreen
from gradtui.ui.screens.presets_screen import PresetsScreen, _line
from gradtui.ui.widgets.choice_list import ChoiceList
from tests.support.lab import screen_text


async def test_a_list_of_choices_has_no_empty_lines_and_keeps_its_height_during_a_search() -> None:
    app: App[None] = App()
    long = "a layer's factor is the slope of its activation times its weights " * 3
    choices = [Choice(str(at), f"choice {at}", long if at == 2 else "a line") for at in range(6)]
    async with app.run_test(size=(200, 50)) as pilot:
        screen = ChooseScreen("Choose", choices, title_width=0)
        await app.push_screen(screen)
        await pilot.pause()
        frame = screen.query_one(Vertical)
        lines = 6 * 2 + 1
        assert frame.size.height == lines + 1, "the choices, one of three lines, and the field"
        await pilot.press(*"choice5")
        await pilot.pause()
        assert frame.size.height == lines + 1
        await pilot.resize_terminal(60, 50)
        await pilot.pause()
        assert frame.size.height > lines + 1, "the long text takes more lines"
        await pilot.resize_terminal(60, 12)
        await pilot.pause()
        assert frame.outer_size.height < 12


async def test_a_log_shows_its_end_at_any_size_until_it_is_scrolled() -> None:
    app: App[None] = App()
    async with app.run_test(size=(200, 50)) as pilot:
        await app.push_screen(LogScreen("log", [f"line {at} {'of many words ' * 8}" for at in range(90)]))
        for size in ((200, 50), (80, 24), (120, 36)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert "line 89" in screen_text(app)
        await pilot.press("up", "up", "up")
        await pilot.pause(0.3)
        assert "line 89" not in screen_text(app)


async def test_every_preset_is_described_whole_in_a_list_of_200_columns() -> None:
    app: App[None] = App()
    async with app.run_test(size=(200, 50)) as pilot:
        await app.push_screen(PresetsScreen())
        await pilot.pause()
        listed = app.screen.query_one(ChoiceList)
        widest = max(_line(entry).cell_length for chapter in CHAPTERS for entry in chapter.entries)
        assert widest + 2 <= listed.scrollable_content_region.width
