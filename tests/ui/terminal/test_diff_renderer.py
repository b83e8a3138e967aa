"""Test that sending only the changes leaves the same screen as sending everything."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from gradtui.ui.terminal.diff_renderer import Pen, TerminalCells
from tests.support.terminal_screen import TerminalScreen

STYLES = [
    None,
    Style(),
    *map(
        Style.parse, ["red", "bold red", "#102030 on #a0b0c0", "#405060 on #a0b0c0", "on blue", "reverse dim"]
    ),
]
WIDTH = 24

texts = st.text(alphabet="ab ▀█·┤é漢字×\u0301", min_size=1, max_size=6)
segments = st.tuples(texts, st.sampled_from(STYLES)).map(lambda pair: Segment(*pair))
# No line begins with a combining mark: a terminal may put it on the line before.
lines = st.lists(segments, max_size=6).filter(
    lambda parts: not parts or not parts[0].text.startswith("\u0301")
)
strips = lines.map(lambda parts: Strip(parts).adjust_cell_length(WIDTH, Style()))


def whole(strip: Strip) -> str:
    """As Textual sends it."""
    return strip.render(Console(color_system="truecolor", force_terminal=True))


@settings(max_examples=60, deadline=None)
@given(
    first=st.lists(strips, min_size=3, max_size=3),
    later=st.lists(st.tuples(st.integers(0, 2), strips), max_size=8),
)
def test_sending_changes_shows_the_same_as_sending_everything(
    first: list[Strip], later: list[tuple[int, Strip]]
) -> None:
    cells, frugal, lavish = TerminalCells(), TerminalScreen(WIDTH, 3), TerminalScreen(WIDTH, 3)
    cells.replace([[strip] for strip in first], WIDTH)
    for y, strip in enumerate(first):
        for terminal in (frugal, lavish):
            terminal.feed(f"\x1b[{y + 1};1H{whole(strip)}")
    for y, strip in later:
        pen = Pen(ColorSystem.TRUECOLOR)
        frugal.feed(cells.changes(y, 0, strip, pen) + pen.reset())
        lavish.feed(f"\x1b[{y + 1};1H{whole(strip)}")
        assert frugal.cells == lavish.cells
        assert frugal.plain, "what is written next is plain"


def test_unchanged_cells_are_not_sent() -> None:
    strip = Strip([Segment("hello ", Style.parse("red")), Segment("world" + " " * 13)])
    cells, pen = TerminalCells(), Pen(ColorSystem.TRUECOLOR)
    cells.replace([[strip]], WIDTH)
    assert cells.changes(0, 0, strip, pen) == ""
    assert pen.reset() == ""


def test_one_changed_cell_is_sent_alone() -> None:
    before = Strip([Segment("a" * WIDTH, Style.parse("red"))])
    after = Strip([Segment("a" * 10 + "b" + "a" * (WIDTH - 11), Style.parse("red"))])
    cells, pen = TerminalCells(), Pen(ColorSystem.TRUECOLOR)
    cells.replace([[before]], WIDTH)
    assert cells.changes(0, 0, after, pen) == "\x1b[1;11H\x1b[0;31mb"


def test_only_the_letters_colour_is_sent_where_only_that_differs() -> None:
    pen = Pen(ColorSystem.TRUECOLOR)
    pen.to(Style.parse("#010203 on #0a0b0c"))
    assert pen.to(Style.parse("#040506 on #0a0b0c")) == "\x1b[38;2;4;5;6m"
    assert pen.to(Style.parse("bold #040506 on #0a0b0c")).startswith("\x1b[0;1;")


def test_forget_does_not_know_the_terminal() -> None:
    cells = TerminalCells()
    cells.replace([[Strip([Segment("a" * WIDTH)])]], WIDTH)
    cells.forget()
    assert cells.height == 0
