"""The screen model: what a person would see, and when it changed."""

from __future__ import annotations

from gradtui.bench.screen import PLAIN, Screen, styled


def screen_of(*pieces: str, width: int = 10, height: int = 3) -> Screen:
    screen = Screen(width, height)
    for moment, piece in enumerate(pieces, start=1):
        screen.feed(piece, float(moment))
    return screen


def test_text_goes_where_the_cursor_is() -> None:
    screen = screen_of("one\r\ntwo\x1b[3;4Hthree\x1b[Hu")
    assert screen.text.splitlines() == ["une       ", "two       ", "   three  "]


def test_a_sequence_and_its_rest_may_come_apart() -> None:
    whole = "\x1b[2;3H\x1b[1;38;2;1;2;3mbold\x1b[0m\x1b]2;a title\x07.\x1bPq\x1b\\!"
    expected = screen_of(whole)
    assert expected.line(1) == "  bold.!  "
    for cut in range(1, len(whole)):
        assert screen_of(whole[:cut], whole[cut:]).cells == expected.cells


def test_only_what_changes_is_a_change() -> None:
    screen = screen_of("abc", "\x1b[Habd", "\x1b[Habd", "\x1b[H\x1b[31ma")
    assert screen.changes[:4] == [4.0, 1.0, 2.0, 0.0]
    assert screen.changed_at == 4.0


def test_wide_characters_take_two_cells_and_marks_none() -> None:
    screen = screen_of("字e\u0301x")
    assert [cell[0] for cell in screen.cells[:4]] == ["字", "", "e", "x"]


def test_what_is_too_long_is_cut() -> None:
    assert screen_of("0123456789abc\rX").text.splitlines()[:2] == ["X123456789", " " * 10]


def test_erasing() -> None:
    assert screen_of("0123456789\x1b[1;4H\x1b[K").line(0) == "012       "
    assert screen_of("0123456789\x1b[1;4H\x1b[1K").line(0) == "    456789"
    assert screen_of("0\r\n1\r\n2\x1b[2J").text.split() == []
    assert screen_of("0\x1b[?1049h").text.split() == []


def test_the_same_looks_are_the_same_style() -> None:
    one = styled(PLAIN, "0;1;38;2;1;2;3;48;5;7")
    other = styled(styled(styled(PLAIN, "48;5;7"), "38;2;1;2;3"), "1")
    assert one == other == ("38;2;1;2;3", "48;5;7", "1")
    assert styled(styled(one, "22"), "39;49") == styled(one, "") == PLAIN
    assert styled(PLAIN, "7;27;31;91;100") == ("91", "100")


def test_it_answers_what_a_terminal_is_asked() -> None:
    replies: list[str] = []
    Screen(10, 3, replies.append).feed("\x1b[6n\x1b[?2026$p\x1b[?2048$p\x1b[c\x1b[>1u\x1b[?25l", 1.0)
    assert replies == ["\x1b[1;1R", "\x1b[?2026;2$y", "\x1b[?2048;0$y", "\x1b[?62c"]
