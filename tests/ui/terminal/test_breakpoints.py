"""Test that a screen has the classes of the terminal's size whenever it is laid out."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from gradtui.ui.terminal.terminal_app import TerminalApp


class Sized(Screen[None]):
    """A screen that notes its classes when its widget is resized."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-high")]
    CSS = """
    Noting { height: 1fr; }
    Sized.-narrow Noting { width: 20; }
    """

    def compose(self) -> ComposeResult:
        yield Noting()


class Noting(Static):
    def on_mount(self) -> None:
        self.seen: list[tuple[int, int, set[str]]] = []

    def on_resize(self) -> None:
        self.seen.append((*self.size, {name for name in self.screen.classes if name.startswith("-")}))


async def test_classes_fit_the_size_from_the_first_layout_on() -> None:
    app = TerminalApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await app.push_screen(screen := Sized())
        await pilot.pause()
        await app.push_screen(Sized())
        for size in ((80, 24), (120, 36), (80, 36)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert screen.query_one(Noting).seen == [
            (120, 36, {"-wide", "-high"}),
            (20, 24, {"-narrow", "-low"}),
            (120, 36, {"-wide", "-high"}),
            (20, 36, {"-narrow", "-high"}),
        ], "a screen below another one too"
