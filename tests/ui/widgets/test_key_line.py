"""Test which keys the last line shows where it has no room for all of them."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.screen import Screen

from gradtui.ui.widgets.key_line import KeyLine
from tests.support.lab import screen_text

MANY = "abcdefghij"


class Crowded(Screen[None]):
    BINDINGS = [
        *[Binding(letter, f"many_{letter}", f"action {letter}") for letter in MANY],
        Binding("escape,x", "back", "back", key_display="esc"),
    ]

    def compose(self) -> ComposeResult:
        yield KeyLine()


class Keys(App[None]):
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = [
        Binding("question_mark", "toggle_keys", "keys", key_display="?", priority=True),
        Binding("q", "quit", "quit"),
    ]

    def __init__(self, *, leads_back: bool) -> None:
        super().__init__()
        self.leads_back = leads_back

    def get_default_screen(self) -> Screen[None]:
        screen = Crowded()
        if not self.leads_back:
            for key in ("escape", "x"):
                del screen._bindings.key_to_bindings[key]
        return screen


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
async def test_the_list_of_keys_and_the_way_out_are_never_left_out(width: int) -> None:
    for leads_back, way_out in ((True, "esc back"), (False, "q quit")):
        app = Keys(leads_back=leads_back)
        async with app.run_test(size=(width, 3)) as pilot:
            await pilot.pause()
            line = screen_text(app).splitlines()[-1]
            assert "a action a" in line
            assert ("j action j" in line) == (width > 120)
            assert "? keys" in line
            assert way_out in line
            assert len(line.rstrip()) <= width
