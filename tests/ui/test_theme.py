"""Test that the theme fits the terminal, and that nothing depends on colour alone without colours."""

from __future__ import annotations

import pytest
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.strip import Strip
from textual.theme import BUILTIN_THEMES, Theme
from textual.widgets import OptionList

from gradtui.ui.app import GradtuiApp
from gradtui.ui.edit.field_list import FieldList
from gradtui.ui.terminal.terminal_caps import EightBitFilter, NoColourFilter
from gradtui.ui.theme import ANSI_DARK, ANSI_LIGHT, DARK, LIGHT, contrast, fitting_theme
from tests.support.lab import lab_of, no_standby, screen_text, until
from tests.ui.conftest import MakeRun

__all__ = ["no_standby"]

TERMINALS = [
    ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, DARK.name),
    ({"TERM": "screen-256color"}, DARK.name),
    ({"TERM": "xterm"}, "ansi-dark"),
    ({"TERM": "linux"}, "ansi-dark"),
    ({"TERM": "screen", "COLORFGBG": "15;0"}, "ansi-dark"),
    ({"TERM": "rxvt", "COLORFGBG": "0;15"}, "ansi-light"),
    ({"TERM": "rxvt", "COLORFGBG": "0;default;7"}, "ansi-light"),
    ({"TERM": "rxvt", "COLORFGBG": "nonsense"}, "ansi-dark"),
]


@pytest.mark.parametrize(("environ", "theme"), TERMINALS, ids=str)
def test_sixteen_colours_are_the_terminals_own(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], theme: str
) -> None:
    monkeypatch.delenv("COLORTERM", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert GradtuiApp(terminal=environ).theme == theme


def test_pictures_and_tests_do_not_depend_on_where_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "linux")
    monkeypatch.setenv("LC_ALL", "C")
    app = GradtuiApp()
    assert app.theme == DARK.name
    assert not app.ascii


def test_without_colours_the_terminals_own_letters_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    for name, value in {**environ, "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    assert GradtuiApp(terminal=environ).theme == "ansi-dark"


def test_256_colours_are_the_nearest_ones() -> None:
    line = [Segment("text", Style.parse("#c6c6c6 on #161a22")), Segment("own", Style.parse("red on default"))]
    own, other = EightBitFilter().apply(line, Color(0, 0, 0))
    assert own.style is not None
    # The grey 28, 28, 28 is nearer than rich's choice, 0, 0, 95.
    assert own.style == Style.parse("color(251) on color(234)")
    assert other.style == line[1].style
    for number in range(16, 256):
        rgb = RichColor.from_ansi(number).get_truecolor()
        (found,) = EightBitFilter().apply(
            [Segment("x", Style(color=RichColor.from_triplet(rgb)))], Color(0, 0, 0)
        )
        assert found.style is not None
        assert found.style.color is not None
        # Some greys are in the cube too.
        assert found.style.color.get_truecolor() == rgb


def test_a_terminal_of_unknown_colours_has_its_own() -> None:
    assert fitting_theme(None, {}) == "ansi-dark"


XTERM = {
    "black": "#000000", "red": "#cd0000", "green": "#00cd00", "yellow": "#cdcd00", "blue": "#0000ee",
    "magenta": "#cd00cd", "cyan": "#00cdcd", "bright_black": "#7f7f7f", "bright_red": "#ff0000",
    "bright_blue": "#5c5cff",
}  # fmt: skip
"""The colours of xterm by their ANSI names."""


def test_letters_of_gradtuis_own_themes_stand_out_from_every_ground() -> None:
    for theme in (DARK, LIGHT):
        grounds = [theme.background, theme.surface, theme.panel]
        cursor = theme.variables["block-cursor-background"]
        for name in ("secondary", "accent", "success", "warning", "error"):
            letters = Color.parse(getattr(theme, name))
            for ground in (*grounds, cursor):
                assert contrast(letters, Color.parse(ground)) >= 4.45, (theme.name, name, ground)


@pytest.mark.parametrize(("theme", "ground"), [(ANSI_DARK, "#000000"), (ANSI_LIGHT, "#ffffff")])
def test_letters_of_the_terminals_own_colours_can_be_read_in_xterm(theme: Theme, ground: str) -> None:
    named = [getattr(theme, name) for name in ("secondary", "accent", "success", "warning", "error")]
    named.append(theme.to_color_system().generate()["footer-key-foreground"])
    for name in named:
        letters = Color.parse(XTERM[name.removeprefix("ansi_")])
        # Its grey on white has 4.0, and no other of the 16 colours is a quiet one.
        assert contrast(letters, Color.parse(ground)) >= 4.0, name


@pytest.mark.parametrize("name", [name for name in BUILTIN_THEMES if not name.startswith("ansi")])
def test_letters_of_every_theme_stand_out_from_its_ground(name: str) -> None:
    theme = GradtuiApp().get_theme(name)
    assert theme is not None
    ground = theme.to_color_system().generate()["background"]
    for colour in (theme.secondary, theme.accent, theme.success, theme.warning, theme.error):
        assert colour is None or contrast(Color.parse(colour), Color.parse(ground)) >= 4.5, colour


def test_contrast_is_that_of_the_guidelines() -> None:
    black, white = Color.parse("#000000"), Color.parse("#ffffff")
    assert contrast(black, white) == contrast(white, black) == pytest.approx(21.0)
    # Values of the guidelines' own examples: grey #767676 is the lightest that passes on white.
    assert contrast(Color.parse("#767676"), white) == pytest.approx(4.54, abs=0.01)
    assert contrast(Color.parse("#777777"), white) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(
    "theme",
    [
        DARK.name, "ansi-light", "textual-light",
        *(pytest.param(name, marks=pytest.mark.long) for name in (LIGHT.name, "ansi-dark", "nord")),
    ],
)  # fmt: skip
async def test_every_theme_shows_the_lab_and_its_dialogs(make_run: MakeRun, theme: str) -> None:
    app = GradtuiApp(attach=make_run())
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "█" in screen_text(app))
        app.theme = theme
        await pilot.pause(0.2)
        for key in ("", "question_mark", "o", "c"):
            if key:
                await pilot.press(key)
                await pilot.pause(0.1)
            for strip in app.screen._compositor.render_strips():
                for text, style, _ in strip:
                    assert style is None or not _invisible(text, style), (theme, key, text, style)
            if app.screen is not lab:
                await pilot.press("escape")
                await until(pilot, lambda: app.screen is lab)


def _invisible(text: str, style: Style) -> bool:
    """Return whether letters have the very colour of their ground."""
    colours = style.color, style.bgcolor
    return (
        any(character.isalnum() for character in text)
        and None not in colours
        and colours[0] == colours[1]
        and not (colours[0] is not None and colours[0].is_default)
    )


# -- no colours


def test_no_color_reverses_other_grounds() -> None:
    line = [
        Segment("plain", Style.parse("red on default")),
        Segment("cursor", Style.parse("black on white")),
        Segment("none"),
    ]
    plain, cursor, none = NoColourFilter().apply(line, Color(0, 0, 0))
    for segment in (plain, cursor):
        assert segment.style is not None
        assert segment.style.color == segment.style.bgcolor == RichColor.default()
    assert plain.style is not None
    assert not plain.style.reverse
    assert cursor.style is not None
    assert cursor.style.reverse
    assert none.style is None


async def test_on_the_terminals_own_colours_no_color_is_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        app.theme = "ansi-dark"
        lab.query_one(FieldList).focus()
        await pilot.pause(0.3)
        reversed_texts = set()
        for strip in app.screen._compositor.render_strips():
            for text, style, _ in strip:
                assert style is None or style.color is None or style.color.is_default, (text, style)
                assert style is None or style.bgcolor is None or style.bgcolor.is_default, (text, style)
                if style is not None and style.reverse:
                    reversed_texts.add(text.strip())
        assert "optimizer" in reversed_texts, "the line of the cursor"


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light"])
async def test_without_colours_the_thumb_of_a_scroll_bar_stands_out(
    monkeypatch: pytest.MonkeyPatch, theme: str
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        app.theme = theme
        await pilot.press("p")
        await until(pilot, lambda: "vanish-relu-20" in screen_text(app))
        await pilot.pause(0.3)
        bar = app.screen.query_one(OptionList).vertical_scrollbar
        column = bar.region.x
        reversed_rows = [
            any(
                start <= column < end
                for start, end, style in _spans(app.screen._compositor.render_strips()[row])
                if style is not None and style.reverse
            )
            for row in range(bar.region.y, bar.region.bottom)
        ]
        assert any(reversed_rows)
        assert not all(reversed_rows)
        assert not reversed_rows[-1], "the track below the thumb"


def _spans(strip: Strip) -> list[tuple[int, int, Style | None]]:
    """Return the first column, the column after the last, and the style of each piece of a line."""
    found, at = [], 0
    for segment in strip:
        found.append((at, at + segment.cell_length, segment.style))
        at += segment.cell_length
    return found


async def test_the_chosen_line_of_a_list_stands_out_with_16_colours() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        app.theme = "ansi-dark"
        await pilot.press("p")
        await pilot.pause(0.3)
        await pilot.press("down")
        await pilot.pause(0.3)
        strips = app.screen._compositor.render_strips()
        reversed_texts = [
            text for strip in strips for text, style, _ in strip if style is not None and style.reverse
        ]
        assert any("relu-20" in text for text in reversed_texts), reversed_texts
        await pilot.press(*"qqq")
        await until(pilot, lambda: "Nothing matches." in screen_text(app))
        await pilot.pause(0.1)
        filled = [
            text
            for strip in app.screen._compositor.render_strips()[3:20]
            for text, style, _ in strip
            if style is not None and style.reverse and len(text) > 4 and app.screen is not lab
        ]
        assert filled == [], "no line of a list without a choice"


@pytest.mark.parametrize("theme", [DARK.name, LIGHT.name, "textual-light", "textual-dark", "nord"])
async def test_the_chosen_line_can_be_read_in_lists_and_tables(make_run: MakeRun, theme: str) -> None:
    make_run()
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        app.theme = theme
        for key, words in (("p", "20 sigmoid layers: almost no"), ("r", "sigmoid-20"), ("tab", "optimizer")):
            await pilot.press(key)
            await until(pilot, lambda words=words: words in screen_text(app))
            await pilot.pause(0.2)
            cursor = Color.parse(app.theme_variables["block-cursor-background"]).rich_color
            on_cursor = [
                (text, style)
                for strip in app.screen._compositor.render_strips()
                for text, style, _ in strip
                if style is not None and style.bgcolor == cursor and any(map(str.isalnum, text))
            ]
            assert any(words[:8] in text for text, _ in on_cursor), (key, on_cursor)
            for text, style in on_cursor:
                assert style.color is not None
                letters = Color.from_rich_color(style.color)
                assert contrast(letters, Color.from_rich_color(cursor)) >= 3.0, (key, text, style)
            if app.screen is not lab:
                await pilot.press("escape")
                await until(pilot, lambda: app.screen is lab)


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light"])
async def test_the_chosen_field_has_one_colour_with_16_colours(theme: str) -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        app.theme = theme
        lab.query_one(FieldList).focus()
        await pilot.pause(0.3)
        chosen = [
            (text, style.color, style.bgcolor)
            for strip in app.screen._compositor.render_strips()
            for text, style, _ in strip
            if style is not None and style.reverse and text.strip(" ▁▂▃▄▅▆▇█")
        ]
        assert "optimizer" in "".join(text for text, *_ in chosen)
        assert len({(ink, ground) for _, ink, ground in chosen}) == 1, chosen
        # Bright black is the ground of some schemes; the axes are dimmed as the frames are.
        frames = [
            style
            for strip in app.screen._compositor.render_strips()
            for text, style, _ in strip
            if style is not None and "Findings" not in text and set(text) & set("╭╮╰╯")
        ]
        quiet = [
            style for style in frames if style.dim and style.color is not None and style.color.is_default
        ]
        assert len(quiet) > len(frames) / 2, "all frames but that of the focus, and those of the drawing"
        assert not any(
            style.color == RichColor.parse("bright_black") for style in frames if theme == "ansi-dark"
        )
        assert not any(style.color is not None and style.color.triplet is not None for style in frames)
