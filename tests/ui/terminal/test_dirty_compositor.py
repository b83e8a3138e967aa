"""Rendering only the widgets that a change shows gives the very cells that Textual's own compositor gives."""

from __future__ import annotations

import random

from textual._compositor import ChopsUpdate, Compositor
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.geometry import Region
from textual.screen import ModalScreen, Screen
from textual.widgets import Footer, Input, Label, OptionList, Static

from gradtui.ui.terminal.diff_renderer import cells_of
from gradtui.ui.terminal.dirty_compositor import DirtyCompositor
from gradtui.ui.terminal.terminal_app import TerminalApp


class Dialog(ModalScreen[None]):
    CSS = "Dialog { align: center middle; } #box { width: 30; height: 7; border: round $accent; }"

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Label("a dialog over the charts")
            yield Input("text")


class Crowd(Screen[None]):
    """Frames within frames, a scrolled list, a part that is wider than its place, and one layer over another."""

    CSS = """
    Crowd { layers: below above; }
    #left { width: 40%; border: round $primary; }
    #right { border: heavy $secondary; padding: 1; }
    #wide { width: 200; height: 4; background: $panel; }
    #note { layer: above; offset: 12 4; width: 20; height: 5; background: $error; }
    """

    def compose(self) -> ComposeResult:
        with Horizontal():
            with VerticalScroll(id="left"):
                yield OptionList(*(f"option {number}" for number in range(40)))
                yield Static("漢字 of two cells " * 9)
            with Vertical(id="right"):
                yield Static("text\n" * 9, id="text")
                yield Static("wide " * 60, id="wide")
        yield Static("a note", id="note")
        yield Footer()


class Crowded(TerminalApp):
    """The crowded screen over another one, as the lab lies over the first screen."""

    def on_mount(self) -> None:
        self.push_screen(Crowd())


def cells_in(update: ChopsUpdate) -> dict[tuple[int, int], object]:
    """Return character and style of each cell that an update changes."""
    found: dict[tuple[int, int], object] = {}
    for y, left, right in update.spans:
        for x, strip in update.chops[y].items():
            for place, cell in (
                enumerate(zip(*cells_of([strip]), strict=True), x) if strip is not None else ()
            ):
                if left <= place < right:
                    found[y, place] = cell
    return found


async def test_the_cells_of_any_change_are_those_of_textual() -> None:
    chance = random.Random(0)
    app = Crowded()
    async with app.run_test(size=(70, 24)) as pilot:
        for stage in range(3):
            if stage == 1:
                app.screen.query_one("#left", VerticalScroll).scroll_to(y=17, animate=False)
            elif stage == 2:
                await app.push_screen(Dialog())
            await pilot.pause()
            compositor = app.screen._compositor
            assert isinstance(compositor, DirtyCompositor), "the screens of the app use it"
            for _ in range(60):
                regions = set()
                for _ in range(chance.randint(1, 4)):
                    x, y = chance.randrange(70), chance.randrange(24)
                    regions.add(
                        Region(x, y, chance.randint(1, 30), chance.randint(1, 6)).intersection(
                            Region(0, 0, 70, 24)
                        )
                    )
                compositor._dirty_regions = set(regions)
                ours = compositor.render_partial_update()
                compositor._dirty_regions = set(regions)
                theirs = Compositor.render_partial_update(compositor)
                assert ours is not None
                assert theirs is not None
                assert ours.spans == theirs.spans
                area = {
                    (y, x)
                    for region in regions
                    for y in range(region.y, region.bottom)
                    for x in range(region.x, region.right)
                }
                cells = cells_in(ours)
                assert set(cells) == area, "no changed cell is left out"
                assert cells == cells_in(theirs)


async def test_what_no_change_shows_is_not_rendered() -> None:
    app = Crowded()
    async with app.run_test(size=(70, 24)) as pilot:
        await pilot.pause()
        compositor = app.screen._compositor
        rendered = []
        for widget in compositor.visible_widgets:

            def spy(crop: Region, widget=widget, render=widget.render_lines):  # type: ignore[no-untyped-def]
                rendered.append((widget.id, crop))
                return render(crop)

            widget.render_lines = spy  # type: ignore[method-assign]
        text, note = app.screen.query_one("#text").region, app.screen.query_one("#note").region
        compositor._dirty_regions = {Region(text.right - 2, text.y + 1, 1, 1), Region(note.x, note.y, 1, 2)}
        assert compositor.render_partial_update() is not None
        assert sorted(rendered) == [("note", Region(0, 0, 20, 2)), ("text", Region(0, 1, text.width, 1))]
        assert compositor.render_partial_update() is None, "nothing is dirty any more"
