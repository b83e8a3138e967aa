"""No text that a person types or pastes into a dialog takes the app down, or leaves it without an answer."""

from __future__ import annotations

import asyncio
import importlib
import os
import pkgutil
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from textual import events
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

import gradtui.ui
from gradtui.experiment import resolve
from gradtui.runs.folder import new_folder, runs_root
from gradtui.runs.label import name_of, tags_of
from gradtui.study.spec import load as load_study
from gradtui.ui.app import GradtuiApp
from gradtui.ui.edit.field_dialogs import ValueScreen
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.screens.dialogs import AskScreen, Choice, ChooseScreen, LogScreen, SaveScreen
from gradtui.ui.screens.help import KeysScreen
from gradtui.ui.screens.open_dialog import OpenScreen
from gradtui.ui.screens.presets_screen import PresetsScreen
from gradtui.ui.screens.runs.runs_screen import RunsScreen
from tests.support.fuzzing import SECONDS
from tests.support.lab import lab_of, no_standby, screen_text, until
from tests.support.studies import sigmoids, write_run

__all__ = ["no_standby"]

SLOWEST_SECONDS = 5.0

TEXTS = (
    "",
    " ",
    "~",
    "~m",
    "~m/x.toml",
    "~root",
    ".",
    "..",
    "/",
    "/dev/null",
    "/dev/null/x",
    "/proc/self/mem",
    "a" * 300,
    "a" * 300 + ".toml",
    "a/" * 3000,
    "x" * 100_000,
    "\0",
    "a\0b.toml",
    "fifo.toml",
    "folder",
    "cures.a" + ".a" * 900 + "=1",
    "cures" + ".a" * 900 + "=1",
    "[" * 3000,
    "{" * 3000,
    "9" * 5000,
    "1" + "0" * 400,
    "1e999",
    "-1e308",
    "nan",
    "inf",
    "0x10",
    "1_0",
    "٣",
    "²",
    "½",
    "%s%n{0}{}",
    "[bold]x[/] [/]",
    "$HOME `id` $(id)",
    "👩‍👩‍👧‍👦" * 50,
    "e\u0301" * 100,
    "\u200b\u202e\u2066",
    "\ud800",
    "".join(map(chr, range(32))) + "\x7f\x9b",
    "findings:",
    "depth>" + "9" * 400,
    "loss<nan",
    "-" * 1000,
    "tag:" * 500,
    '"' * 501,
    "(((((",
    "*" * 5000,
)
PASTES = (
    *TEXTS,
    "optimizer.lr = " + "9" * 400,
    "[optimizer]\nlr = 1e999",
    "[[net]]\n" * 5000,
    "net = []",
    "net = 5",
    "[net]\n0.width = 3",
    "a = [" * 900,
    "[data]\nsource = 'text'\npath = 'fifo.toml'",
    "[data]\nsource = 'idx'\npath = '/dev/zero'",
    "[data]\nsource = 'npz'\npath = '~m'",
    "```\n" * 3000,
    "name = '" + "x" * 100_000 + "'",
    "x" * 1_000_001,
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to type paths in, with a FIFO and a folder, and no other home."""
    monkeypatch.setenv("GRADTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "fifo.toml")
    (tmp_path / "folder").mkdir()
    return tmp_path


def dialogs() -> dict[str, Callable[[], Screen[object]]]:
    experiment = resolve("sigmoid-20")
    fields = (
        "name",
        "seed",
        "data.path",
        "optimizer.lr",
        "net.0.width",
        "net.0.branch_gain",
        "cures.pretrain.path",
    )
    return {
        "save": lambda: SaveScreen(experiment),
        "study": lambda: OpenScreen("Open a study", load_study),
        "name": lambda: AskScreen("Name", "x", "hint", name_of),
        "tags": lambda: AskScreen("Tags", "x", "hint", tags_of),
        "choose": lambda: ChooseScreen("Layers", [Choice("0", "dense1", "layer 1")]),
        "runs": lambda: RunsScreen(runs_root()),
        **{path: lambda path=path: ValueScreen(experiment, path) for path in fields},  # type: ignore[misc]
    }


def stays_inside(text: str, place: Path) -> bool:
    """Return whether a path that is saved to lies in the test's folder, or can be made nowhere."""
    if "\0" in text or len(text) > 4000 or (not text.isascii() and "\ud800" in text):
        return True
    real = os.path.realpath(os.path.expanduser(text))
    return real.startswith(str(place)) or not os.path.isdir(os.path.dirname(real)) or text.startswith("/dev")


async def type_into(
    pilot: Pilot[None], make: Callable[[], Screen[object]], texts: list[str], place: Path
) -> None:
    app = pilot.app
    for text in texts:
        screen = make()
        if isinstance(screen, SaveScreen) and not stays_inside(text, place):
            continue
        began = time.monotonic()
        await app.push_screen(screen)
        await until(pilot, lambda screen=screen: bool(screen.query(Input)))  # type: ignore[misc]
        field = screen.query_one(Input)
        field.focus()
        field.value = text
        await pilot.pause()
        field.post_message(events.Paste(text[:2000]))
        await pilot.pause()
        await field.action_submit()
        await pilot.pause()
        assert app.is_running
        screen_text(app)
        while app.screen is not app.screen_stack[0] and len(app.screen_stack) > 2:
            app.pop_screen()
            await pilot.pause()
        assert time.monotonic() - began < SLOWEST_SECONDS, text[:100]


def in_the_app(work: Callable[[Pilot[None]], object]) -> None:
    async def body() -> None:
        app = GradtuiApp()
        async with app.run_test(size=(120, 36)) as pilot:
            await lab_of(pilot)
            await work(pilot)  # type: ignore[misc]

    asyncio.run(body())


@pytest.mark.parametrize("name", dialogs())
def test_dialog_takes_any_text(name: str, place: Path) -> None:
    # Each text in every twelfth dialog: all texts in all dialogs take a minute.
    texts = list(TEXTS[list(dialogs()).index(name) % 12 :: 12])
    in_the_app(lambda pilot: type_into(pilot, dialogs()[name], texts, place))


@pytest.mark.long
@pytest.mark.parametrize("name", dialogs())
def test_dialog_takes_every_text(name: str, place: Path) -> None:
    in_the_app(lambda pilot: type_into(pilot, dialogs()[name], list(TEXTS), place))


def test_lab_takes_any_paste(place: Path) -> None:
    async def work(pilot: Pilot[None]) -> None:
        lab = await lab_of(pilot)
        for text in PASTES:
            began = time.monotonic()
            pilot.app.post_message(events.Paste(text))
            await pilot.pause()
            assert pilot.app.is_running
            assert pilot.app.screen is lab
            assert time.monotonic() - began < SLOWEST_SECONDS, text[:100]

    in_the_app(work)


@pytest.mark.parametrize(
    "keys",
    [
        ("enter", "enter", "escape", "escape"),
        pytest.param(("enter", "enter"), marks=pytest.mark.long),
        pytest.param(("escape",) * 3, marks=pytest.mark.long),
    ],
)
def test_keys_that_come_at_once_leave_only_the_dialog(keys: tuple[str, ...], place: Path) -> None:
    async def work(pilot: Pilot[None]) -> None:
        lab = await lab_of(pilot)
        lists = {"presets": PresetsScreen, "keys": lambda: KeysScreen(lab, str)}
        for name, make in {**dialogs(), **lists}.items():
            await pilot.app.push_screen(make())  # type: ignore[operator]
            await pilot.pause(0.05)
            for key in keys:
                pilot.app.post_message(events.Key(key, None))
            await pilot.pause(0.1)
            assert pilot.app.is_running
            assert lab in pilot.app.screen_stack, name
            while pilot.app.screen is not lab:
                await pilot.app.pop_screen()

    in_the_app(work)


def test_every_screen_that_answers_answers_once() -> None:
    for package in pkgutil.walk_packages(gradtui.ui.__path__, "gradtui.ui."):
        importlib.import_module(package.name)
    ours = [kind for kind in all_subclasses(Screen) if kind.__module__.startswith("gradtui.")]
    assert len(ours) > 20
    assert {kind.__name__ for kind in ours if not issubclass(kind, OneAnswer)} == {
        "OpeningScreen",
    }


def all_subclasses(kind: type) -> set[type]:
    """Return the classes that inherit from a class, near and far."""
    near = set(kind.__subclasses__())
    return near.union(*(all_subclasses(heir) for heir in near))


def test_log_of_a_run_whose_folder_is_gone(place: Path) -> None:
    folder = write_run(new_folder(runs_root(), "gone"), sigmoids())

    async def body() -> None:
        app = GradtuiApp(attach=folder)
        async with app.run_test(size=(120, 36)) as pilot:
            lab = await lab_of(pilot)
            await until(pilot, lambda: lab.followed is not None and lab.followed.snapshot is not None)
            shutil.rmtree(folder)
            await pilot.press("L")
            # A long path breaks the line before these words or within them.
            await until(
                pilot, lambda: isinstance(app.screen, LogScreen) and " such folder" in screen_text(app)
            )
            # No key restores what another program has removed.
            await until(pilot, lambda: "its folder was moved or removed" in screen_text(app))

    asyncio.run(body())


ANY_TEXT = st.one_of(
    st.text(max_size=300),
    st.text(st.sampled_from("~/.\0\n\t[]{}()'\"=:<>*?%$#0129eE+-_ anfi\u200b\u202e👩‍é"), max_size=60),
    st.sampled_from(TEXTS),
    st.from_regex(
        r"(findings|depth|loss|tag|name|-)?[:<>=]{0,2}[0-9a-z.*\"]{0,9}( or | and )?", fullmatch=True
    ),
)


def _fuzz(place: Path, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(list(dialogs())), st.lists(ANY_TEXT, min_size=5, max_size=15))
    def fuzz(name: str, texts: list[str]) -> None:
        in_the_app(lambda pilot: type_into(pilot, dialogs()[name], texts, place))

    fuzz()


@pytest.mark.long
def test_dialogs_take_made_up_texts(place: Path) -> None:
    _fuzz(place, 5)


@pytest.mark.long
def test_fuzz_dialogs(place: Path) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        _fuzz(place, 20)
