"""Test how large a dialog of choices is."""

from __future__ import annotations

from textual.app import App
from textual.containers import Vertical

from gradtui.ui.screens.dialogs import Choice, ChooseScreen


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
