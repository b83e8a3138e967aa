"""Test that settings are kept between runs, and that comments and order of the file stay."""

from __future__ import annotations

import ast
import inspect
import itertools
import os
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from textual.command import CommandPalette
from textual.widgets import Input

from gradtui.ui import settings as module
from gradtui.ui.app import GradtuiApp
from gradtui.ui.chosen_keys import keymap_of
from gradtui.ui.keys import LAB_KEYS
from gradtui.ui.settings import Settings, changed, put, read_settings, settings_path, write_settings
from gradtui.ui.theme import DARK
from tests.support.lab import lab_of, no_standby, screen_text, until
from tests.ui.conftest import MakeRun

__all__ = ["no_standby"]


def written(text: str) -> Path:
    """A settings' file of this text, where it belongs."""
    path = settings_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def toasts(app: GradtuiApp) -> str:
    """Return what was announced."""
    return "\n".join(toast.message for toast in app._notifications)


# -- the model and the file


def test_every_field_is_explained_beneath_it_and_has_its_allowed_values() -> None:
    (body,) = (
        node.body
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
    )
    explained = [
        above.target.id
        for above, below in itertools.pairwise(body)
        if isinstance(above, ast.AnnAssign) and isinstance(below, ast.Expr)
    ]
    assert explained == [field.name for field in fields(Settings)]
    assert {*module.ALLOWED, "keys"} == set(explained)
    for name in module.ALLOWED:
        assert changed(Settings(), {name: getattr(Settings(), name)}) == Settings()


def test_it_lies_in_gradtuis_home_or_where_the_platform_keeps_settings(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert settings_path() == home / "settings.toml"
    monkeypatch.delenv("GRADTUI_HOME")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert settings_path().name == "settings.toml"
    assert settings_path().parent.name == "gradtui"


def test_no_file_is_no_problem() -> None:
    assert read_settings(settings_path()) == (Settings(), "")


def test_what_is_written_is_read() -> None:
    path = written(
        'theme = "nord"\ncharset = "ascii"\nsmoothing = "strong"\nlog_loss = true\nlog_accuracy = true\nredraws = 20\n'
        '[keys]\n"lab.stop" = "X"\nlab.runs = "ctrl+r,f5"\n'
    )
    settings, problem = read_settings(path)
    assert not problem
    assert settings == Settings("nord", "ascii", "strong", True, True, 20, settings.keys)
    assert settings.keys == {"lab.stop": "X", "lab.runs": "ctrl+r,f5"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("redraws = 21", "redraws: 21 is not allowed; expected a whole number from 1 to 20"),
        ("redraws = true", "redraws: true is not allowed"),
        ('charset = "latin"', 'charset: "latin" is not allowed; expected "auto" or "unicode" or "ascii"'),
        ("log_loss = 1", "log_loss: 1 is not allowed; expected true or false"),
        ("theme = 3", "theme: 3 is not allowed"),
        ("keys = 3", "keys: 3 is not allowed; expected a table"),
        ("[keys]\nlab.stop = 3", "keys.lab.stop: 3 is not allowed"),
        ('[keys]\n"lab.stop" = ""', 'keys.lab.stop: "" is not allowed'),
    ],
)
def test_a_value_that_is_not_allowed_is_named_and_the_others_hold(text: str, said: str) -> None:
    path = written(f'smoothing = "light"\n{text}\n')
    settings, problem = read_settings(path)
    assert f"{path}: {said}" in problem
    assert "\n" not in problem
    assert settings == Settings(smoothing="light")


@pytest.mark.parametrize("text", ["theme = ", "a b c", "theme = 'x'\ntheme = 'y'", "\x00"])
def test_what_is_no_toml_is_said_in_one_line_and_left_alone(text: str) -> None:
    path = written(text)
    settings, problem = read_settings(path)
    assert settings == Settings()
    assert str(path) in problem
    assert "\n" not in problem
    with pytest.raises(ValueError, match=r"."):
        write_settings(path, {"theme": "nord"})
    assert path.read_text() == text


def test_bytes_that_are_no_text_and_a_folder_in_its_place_are_said_too() -> None:
    path = written("")
    path.write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in read_settings(path)[1]
    path.unlink()
    path.mkdir()
    assert str(path) in read_settings(path)[1]


def test_a_change_leaves_everything_else_as_it_was_written() -> None:
    path = written(
        '# my own\ntheme   = "nord" # at night\nfrom_the_future = [\n  1, 2,\n]\n\n[keys] # few\n"lab.stop" = "X"\n'
    )
    write_settings(path, {"theme": "dracula", "redraws": 5})
    text = path.read_text()
    assert text == (
        '# my own\ntheme   = "dracula" # at night\nfrom_the_future = [\n  1, 2,\n]\nredraws = 5\n\n'
        '[keys] # few\n"lab.stop" = "X"\n'
    )  # fmt: skip
    write_settings(path, {"redraws": 6})
    assert path.read_text() == text.replace("redraws = 5", "redraws = 6")


values = st.booleans() | st.integers(-9, 9) | st.text(max_size=6) | st.lists(st.integers(0, 9), max_size=3)
names = st.sampled_from(["theme", "redraws", "log_loss", "other", "theme_2", "x"])
documents = st.dictionaries(names, values, max_size=5)


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    top=documents,
    table=documents,
    changes=st.dictionaries(names, st.booleans() | st.text(max_size=6) | st.integers(0, 9), min_size=1),
    multiline=st.booleans(),
)
def test_nothing_but_the_changes_changes(
    top: dict[str, object], table: dict[str, object], changes: dict[str, object], multiline: bool
) -> None:
    before = tomli_w.dumps({**top, "keys": table}, multiline_strings=multiline)
    assert tomllib.loads(put(before, changes)) == {**top, "keys": table, **changes}


def test_a_file_behind_a_link_stays_there(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text("")
    path = settings_path()
    path.parent.mkdir(parents=True)
    path.symlink_to(real)
    write_settings(path, {"redraws": 3})
    assert path.is_symlink()
    assert real.read_text() == "redraws = 3\n"


def test_a_change_that_is_none_of_the_settings_is_a_mistake() -> None:
    for change in ({"them": "nord"}, {"redraws": 0}, {"keys": {}}):
        with pytest.raises(ValueError, match=r"="):
            changed(Settings(), change)


# -- the app


async def test_a_theme_chosen_in_the_palette_is_there_in_the_next_run() -> None:
    app = GradtuiApp()
    assert app.theme == DARK.name
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        assert not settings_path().exists(), "what nobody chose is not kept"
        await pilot.press("ctrl+p", *"theme")
        await until(pilot, lambda: "Choose other colours" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "Search for themes" in screen_text(app))
        await pilot.press(*"nord")
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is lab and app.theme == "nord")
    # The app may be left at once: what was chosen is written all the same.
    assert 'theme = "nord"' in settings_path().read_text()
    assert GradtuiApp().theme == "nord"


async def test_two_apps_do_not_undo_each_others_choices() -> None:
    one, other = GradtuiApp(), GradtuiApp()
    async with one.run_test() as pilot:
        await lab_of(pilot)
        one.settings_store.change(log_loss=True)
    async with other.run_test() as pilot:
        await lab_of(pilot)
        other.settings_store.change(smoothing="light")
        other.settings_store.change(smoothing="strong")
    assert read_settings(settings_path())[0] == Settings(log_loss=True, smoothing="strong")


async def test_a_broken_file_is_one_toast_and_is_never_overwritten() -> None:
    path = written("theme = nord\n")
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await until(pilot, lambda: str(path) in toasts(app))
        assert "line 1" in toasts(app)
        app.theme = "nord"
        await until(pilot, lambda: "is not valid TOML" in toasts(app))
        assert app.theme == "nord", "it holds in this run"
    assert path.read_text() == "theme = nord\n"


async def test_a_theme_that_there_is_not_is_named() -> None:
    path = written('theme = "norrd"\n')
    app = GradtuiApp()
    assert app.theme == DARK.name
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await until(pilot, lambda: f'{path}: theme: no theme is called "norrd"' in toasts(app))


async def test_a_folder_that_cannot_be_written_breaks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As root one may write anything, so the folder is one that cannot be.
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GRADTUI_HOME", str(tmp_path / "file"))
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        app.theme = "nord"
        await until(pilot, lambda: f"{app.settings_store.path}: Not a directory" in toasts(app).splitlines())
        app.settings_store.change(log_loss=True)
        await pilot.pause(0.3)
        assert toasts(app).splitlines().count(f"{app.settings_store.path}: Not a directory") == 1, (
            "once is enough"
        )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
async def test_a_read_only_folder_breaks_nothing(home: Path) -> None:
    home.mkdir()
    home.chmod(0o500)
    app = GradtuiApp()
    async with app.run_test() as pilot:
        await lab_of(pilot)
        app.theme = "nord"
        await until(pilot, lambda: "ermission denied" in toasts(app))
    home.chmod(0o700)


async def test_no_color_wins_over_a_theme_that_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    written('theme = "dracula"\n')
    monkeypatch.setenv("NO_COLOR", "")
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await lab_of(pilot)
        colours = {
            colour.triplet
            for strip in app.screen._compositor.render_strips()
            for segment in strip
            if segment.style is not None
            for colour in (segment.style.color, segment.style.bgcolor)
            if colour is not None and colour.triplet is not None
        }
        assert all(r == g == b for r, g, b in colours)


# -- keys


def test_what_shares_a_key_with_something_that_gets_another_keeps_it() -> None:
    assert keymap_of({"lab.start": "f5"}, LAB_KEYS) == {
        "lab.start": "f5",
        "lab.continue": "space",
        "lab.pause": "space",
        "lab.resume": "space",
    }
    assert keymap_of({"lab.stop": "X"}, LAB_KEYS) == {"lab.stop": "X"}
    assert keymap_of({}, LAB_KEYS) == {}


async def test_keys_are_others_and_the_footer_says_so(make_run: MakeRun) -> None:
    written('[keys]\nlab.start = "f5"\nlab.options = "p"\nlab.presets = "o,f2"\n')
    app = GradtuiApp(attach=make_run(end=None))
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await pilot.press("p")
        await until(pilot, lambda: type(app.screen).__name__ == "SettingsScreen")
        await pilot.press("escape")
        for key in ("o", "f2"):
            await pilot.press(key)
            await until(pilot, lambda: type(app.screen).__name__ == "PresetsScreen")
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is lab)
        await until(pilot, lambda: lab.followed is not None and lab.followed.state == "running")
        keys = {active.binding.id: key for key, active in lab.active_bindings.items()}
        assert keys["lab.pause"] == "space"
        assert keys["lab.options"] == "p"
        assert not toasts(app), "to swap two keys is not a clash"


async def test_what_is_left_without_a_key_is_said() -> None:
    written('[keys]\nlab.save = "o"\n')
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await pilot.press("o")
        await until(pilot, lambda: type(app.screen).__name__ == "SaveScreen")
        assert "keys: no key is left for options" in toasts(app)


async def test_the_palette_is_not_fooled_by_typing() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await lab_of(pilot)
        await pilot.press("ctrl+p", "question_mark")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        assert app.screen.query_one(Input).value == "?"
