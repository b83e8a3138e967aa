"""Test that the screen in memory has what a person would see, and the time of each change."""

from __future__ import annotations

from tests.support.terminal_screen import TerminalScreen


def screen_of(*pieces: str, width: int = 10, height: int = 3) -> TerminalScreen:
    screen = TerminalScreen(width, height)
    for moment, piece in enumerate(pieces, start=1):
        screen.feed(piece, float(moment))
    return screen


def test_text_goes_where_the_cursor_is() -> None:
    screen = screen_of("one\r\ntwo\x1b[3;4Hthree\x1b[Hu")
    assert screen.lines() == ["une       ", "two       ", "   three  "]


def test_a_sequence_and_its_rest_may_come_apart() -> None:
    whole = "\x1b[2;3H\x1b[1;38;2;1;2;3mbold\x1b[0m\x1b]2;a title\x07.\x1b[>1u\x1b[?2026$p!"
    expected = screen_of(whole)
    assert expected.line(1) == "  bold.!  "
    for cut in range(1, len(whole)):
        assert screen_of(whole[:cut], whole[cut:]).cells == expected.cells


def test_only_a_cell_that_looks_different_has_changed() -> None:
    screen = screen_of("abc", "\x1b[Habd", "\x1b[Habd", "\x1b[H\x1b[31ma")
    assert screen.changes[:4] == [4.0, 1.0, 2.0, 0.0]
    assert screen.changed_at == 4.0


def test_wide_characters_take_two_cells_and_marks_none() -> None:
    screen = screen_of("字e\u0301x")
    assert [cell[0] for cell in screen.cells[:4]] == ["字", "", "é", "x"]


def test_erasing_leaves_blanks() -> None:
    assert screen_of("0123456789\x1b[1;4H\x1b[K").line(0) == "012       "
    assert screen_of("0123456789\x1b[1;4H\x1b[1K").line(0) == "    456789"
    assert screen_of("0\r\n1\r\n2\x1b[2J").text.split() == []


def test_the_same_looks_are_the_same_style_and_others_are_not() -> None:
    one = screen_of("\x1b[0;1;38;2;1;2;3;48;5;7mx").cells[0]
    assert screen_of("\x1b[48;5;7m\x1b[38;2;1;2;3m\x1b[1mx").cells[0] == one
    others = ["\x1b[38;2;1;2;3;48;5;7mx", "\x1b[0;1;38;2;1;2;4;48;5;7mx", "\x1b[0;1;2;38;2;1;2;3;48;5;7mx"]
    assert one not in [screen_of(other).cells[0] for other in others]


def test_dim_is_taken_back_by_22_as_bold_is() -> None:
    assert screen_of("\x1b[1;2mx\x1b[22m\x1b[Hx").cells[0] == screen_of("x").cells[0]


def test_it_answers_what_a_terminal_is_asked() -> None:
    replies: list[str] = []
    TerminalScreen(10, 3, replies.append).feed("\x1b[6n\x1b[?2026$p\x1b[?2048$p\x1b[c\x1b[>1u\x1b[?25l")
    assert replies == ["\x1b[1;1R", "\x1b[?2026;2$y", "\x1b[?2048;0$y", "\x1b[?6c"]
