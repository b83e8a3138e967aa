"""Test the ASCII mode: when it applies, what replaces each character, and that no screen shows any other."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input

import gradtui
from gradtui.ascii_text import ascii_wanted, in_ascii
from gradtui.charts.palette import ASCII as ASCII_GLYPHS
from gradtui.charts.palette import UNICODE as UNICODE_GLYPHS
from gradtui.experiment import resolve
from gradtui.ui.app import GradtuiApp
from gradtui.ui.terminal.terminal_caps import AsciiFilter, name_signs
from tests.support.lab import ASCII, alien, lab_of, no_standby, screen_text, until
from tests.ui.conftest import MakeRun

__all__ = ["no_standby"]


def kept(app: GradtuiApp) -> str:
    """Return what the settings' file says."""
    return app.settings_store.path.read_text() if app.settings_store.path.exists() else ""


# -- when


@pytest.mark.parametrize(
    ("environ", "ascii"),
    [
        ({}, False),
        ({"LANG": "de_DE.UTF-8"}, False),
        ({"LANG": "de_DE.utf8@euro"}, False),
        ({"LANG": "en_US"}, False),
        ({"LC_CTYPE": "UTF-8"}, False),
        ({"LC_CTYPE": "C.UTF-8"}, False),
        ({"LANG": "C", "LC_ALL": "C.UTF-8"}, False),
        ({"LANG": "C"}, True),
        ({"LANG": "POSIX", "LC_CTYPE": "C.UTF-8"}, True),
        ({"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, True),
        ({"LANG": "de_DE.ISO-8859-1"}, True),
        ({"LC_CTYPE": "de_DE.ISO-8859-15@euro", "LANG": "de_DE.UTF-8"}, True),
        ({"TERM": "linux", "LANG": "de_DE.UTF-8"}, True),
        ({"TERM": "vt220"}, True),
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "vt100", "GRADTUI_CHARSET": "unicode"}, False),
        ({"GRADTUI_CHARSET": "ascii"}, True),
        ({"GRADTUI_CHARSET": "nonsense"}, False),
    ],
    ids=str,
)
def test_auto_chooses_characters_by_terminal_and_locale(environ: dict[str, str], ascii: bool) -> None:
    assert ascii_wanted("auto", environ) is ascii


def test_the_setting_overrides_the_terminal_and_the_variable_overrides_both() -> None:
    assert not ascii_wanted("unicode", {"TERM": "linux", "LANG": "C"})
    assert ascii_wanted("ascii", {"LANG": "de_DE.UTF-8"})
    assert not ascii_wanted("ascii", {"GRADTUI_CHARSET": "unicode"})


# -- what stands for what


def test_frames_marks_keys_and_letters_stay_readable() -> None:
    assert in_ascii("╭─┬─╮ ┏━┓ ╔═╗") == "+-+-+ +=+ +=+"
    assert in_ascii("│╰┴╯║╎╱╲") == "|+++||/\\"
    assert in_ascii("● ○ ✖ ▲ ✓ ■ ‖ → × · a…") == "* - X ! + # | > x . a~"
    assert in_ascii("Grün, naïve, L², µ, ½") == "Grun, naive, L2, u, ?"
    assert in_ascii("漢字 ok") == "???? ok"
    assert in_ascii("e\u0301\u200b") == "e", "what has no cell gets none"


def test_every_character_keeps_its_width_in_ascii() -> None:
    for block in (range(0x80, 0xD800), range(0xE000, 0x10000), range(0x1F000, 0x1FB00)):
        for code in block:
            text = in_ascii(chr(code))
            assert text.isascii(), hex(code)
            assert text.isprintable(), hex(code)
            assert len(text) == cell_len(chr(code)), hex(code)


emoji = st.sampled_from(["👩‍💻", "❤️", "🇩🇪", "👍🏽", "1️⃣"])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text(max_size=4) | emoji, max_size=6).map("".join))
def test_texts_keep_their_width_in_ascii(text: str) -> None:
    there = in_ascii(text)
    assert there.isascii()
    assert len(there) == cell_len(text) or text.isascii()


def test_a_line_of_ascii_is_not_changed() -> None:
    line = [Segment("plain ", Style.parse("red")), Segment("text")]
    assert AsciiFilter().apply(line, Color(0, 0, 0)) is line
    line = [Segment("a · b", Style.parse("red"))]
    assert AsciiFilter().apply(line, Color(0, 0, 0)) == [Segment("a . b", Style.parse("red"))]


# -- on every screen

WALK: list[tuple[str, tuple[str, ...]]] = [
    ("Net", ("1",)),
    ("Gradient", ("2", "right", "up")),
    ("Curves", ("3",)),
    ("Findings", ("4",)),
    ("Presets", ("p",)),
    ("Cures", ("c",)),
    ("Runs", ("r",)),
    ("Options", ("o",)),
    ("Group", ("1", "enter")),
    ("Value", ("1", "enter", "down", "9")),
    ("Choice", ("1", "enter", "enter")),
    ("Save", ("s",)),
    ("Log", ("L",)),
    ("Keys", ("2", "question_mark")),
    ("Keys of a dialog", ("o", "question_mark", "end")),
    ("Layer", ("2", "right", "enter")),
    ("Find", ("slash",)),
    ("Palette", ("ctrl+p",)),
    ("Themes", ("ctrl+p", *"theme", "enter")),
]


@pytest.mark.long
@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])
async def test_every_screen_is_ascii_only(make_run: MakeRun, size: tuple[int, int]) -> None:
    experiment = msgspec.structs.replace(resolve("sigmoid-20"), name="Mühe 漢字 ‖")
    folder = make_run(experiment)
    (folder / "trainer.log").write_text("ein Wörtchen ── 漢字\n", encoding="utf-8")
    app = GradtuiApp(attach=folder, terminal=ASCII)
    async with app.run_test(size=size) as pilot:
        await _walk(pilot, app, WALK)


async def test_the_first_frames_are_ascii_only(make_run: MakeRun) -> None:
    experiment = msgspec.structs.replace(resolve("sigmoid-20"), name="Mühe 漢字 ‖")
    app = GradtuiApp(attach=make_run(experiment), terminal=ASCII)
    async with app.run_test(size=(80, 24)) as pilot:
        await _walk(
            pilot, app, [step for step in WALK if step[0] in ("Gradient", "Curves", "Keys", "Palette")]
        )


async def _walk(pilot: Pilot[None], app: GradtuiApp, walk: Iterable[tuple[str, tuple[str, ...]]]) -> None:
    lab = await lab_of(pilot)
    await until(pilot, lambda: "Muhe ????" in screen_text(app))
    await until(pilot, lambda: lab.followed is not None and lab.followed.findings is not None)
    await pilot.pause(0.3)
    assert not alien(app)
    for name, keys in walk:
        for key in keys:
            await pilot.press(key)
        await pilot.pause(0.1)
        assert not alien(app), f"{name}: {alien(app)}\n{screen_text(app)}"
        for _ in range(4):
            if app.screen is not lab:
                await pilot.press("escape")
                await pilot.pause()
        assert app.screen is lab, name


async def test_nan_is_drawn_in_ascii(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run(nan_from=40, end="diverged"), terminal=ASCII)
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await until(pilot, lambda: "NNN" in screen_text(app))
        assert not alien(app)


async def test_an_idle_lab_is_ascii_only() -> None:
    app = GradtuiApp(terminal=ASCII)
    async with app.run_test(size=(80, 24)) as pilot:
        await lab_of(pilot)
        assert not alien(app)
        assert "enter" in screen_text(app).splitlines()[-1], "keys are named in the footer"


def test_texts_name_the_enter_key() -> None:
    """Only the key line shows its sign, for which ASCII has a name there; no letter or sign can stand for it."""
    files = [file for file in Path(gradtui.__file__).parent.rglob("*") if file.suffix in (".py", ".toml")]
    assert len(files) > 100
    for file in files:
        if file.name not in ("ascii_text.py", "terminal_caps.py", "run_note.py"):
            text = file.read_text(encoding="utf-8").replace('key_display="⏎"', "")
            assert not re.search("[⏎↵]", text), f"{file}: write enter"
    assert in_ascii("first ⏎ second") == "first / second", "a line break in a note"


async def test_a_lesson_in_ascii_is_in_a_language_that_ascii_can_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    app = GradtuiApp(lesson="product", terminal=ASCII)
    async with app.run_test(size=(80, 24)) as pilot:
        await lab_of(pilot)
        await until(pilot, lambda: "1 of 5 . One factor per layer" in screen_text(app))
        await pilot.press("greater_than_sign", "greater_than_sign", "E")
        await until(pilot, lambda: "1-4 or up/down enter answer . esc back" in screen_text(app))
        assert not alien(app)


async def test_ascii_is_toggled_from_the_palette_and_kept(make_run: MakeRun) -> None:
    app = GradtuiApp(attach=make_run())
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "█" in screen_text(app) and "vanishing" in screen_text(app))
        await pilot.pause(0.7)
        before = screen_text(app)
        for word, unicode in (("ascii", False), ("unicode", True)):
            await pilot.press("ctrl+p")
            await until(pilot, lambda: isinstance(app.screen, CommandPalette))
            app.screen.query_one(Input).value = f"characters {word}"
            await pilot.pause(0.3)
            await pilot.press("enter")
            await until(pilot, lambda: app.screen is lab)
            await pilot.pause(0.3)
            assert bool(alien(app)) is unicode
            await until(pilot, lambda word=word: f'charset = "{word}"' in kept(app))
        assert screen_text(app) == before


async def test_a_new_app_draws_as_the_last_one_was_left() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await lab_of(pilot)
        app.action_toggle_ascii()
        await until(pilot, lambda: 'charset = "ascii"' in kept(app))
    assert GradtuiApp().ascii


# -- what stands in for what the app paints

LETTERS_THAT_WILL_DO = {
    "✖": "X",
    "✗": "X",
    "×": "x",
    "∞": "I",
    "•": "o",
    "↓": "v",
    "η": "n",
    "Δ": "D",
    "χ": "x",
}
"""The signs for which a letter stands: crosses, infinity as charts have it, the dot of the products, the arrow of the
keys, and letters of other alphabets. (Signs of formulas are spelled out; see `spelled`.)"""


def _painted() -> dict[str, str]:
    """Return every character beyond ASCII in a text of the source, with its file; lessons are spelled before."""
    found: dict[str, str] = {}
    for file in Path(gradtui.__file__).parent.rglob("*.py"):
        if file.name in ("ascii_text.py", "plain_text.py", "errors.py", "lesson.py", "lesson_pane.py"):
            # Tables of characters, which nothing paints.
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        comments = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in comments:
                found |= dict.fromkeys(sorted(node.value), file.name)
    return {sign: file for sign, file in found.items() if not sign.isascii()}


def test_no_sign_that_the_app_paints_becomes_a_letter_or_a_question_mark() -> None:
    painted = _painted()
    assert len(painted) > 80
    for sign, file in painted.items():
        there = in_ascii(sign)
        full_width = cell_len(sign) == 2  # Chinese punctuation: lessons fall back to English
        assert full_width or "?" not in there, f"{sign} of {file}"
        if there.isalpha() and not unicodedata.normalize("NFKD", sign)[:1].isascii():
            assert LETTERS_THAT_WILL_DO.get(sign) == there, f"{sign} of {file} becomes {there}"


def test_blocks_in_texts_are_those_of_the_charts() -> None:
    assert in_ascii(UNICODE_GLYPHS.bars) == ASCII_GLYPHS.bars


def test_lines_of_all_weights_and_dashes_are_lines() -> None:
    assert in_ascii("─━═╌╍┄┅┈┉") == "-==-=-=-="
    assert in_ascii("│┃║╎╏┆┇┊┋") == "|" * 9
    assert in_ascii("┌┐└┘├┤┬┴┼╭╮╯╰┏┓") == "+" * 15


def test_a_mean_with_its_deviation_is_no_sum() -> None:
    assert in_ascii("0.5 ± 0.1") == "0.5+/-0.1"
    assert in_ascii("reading …, 4e-2 … 1e-1") == "reading.., 4e-2.. 1e-1"


def test_help_names_the_signs_that_the_charts_draw_in_ascii() -> None:
    said = name_signs("`×` is NaN, `∞` infinite; `η` the rate, `‖` paused, `▁ ▂ ▃ ▄` clipped; 3 × 4")
    assert said == "`N` is NaN, `I` infinite; `l` the rate, `P` paused, `_ _ - -` clipped; 3 × 4"
