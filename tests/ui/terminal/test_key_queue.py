"""Keys that arrive in one piece, as over a slow line, work as if they were typed one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual import events
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.dialogs import AskScreen, Choice, ChooseScreen
from gradtui.ui.screens.presets_screen import PresetsScreen
from tests.support.lab import lab_of, no_standby, screen_text, until

__all__ = ["no_standby"]


def send(pilot: Pilot[None], keys: Sequence[str]) -> None:
    """Give the app all keys before it handles the first."""
    for key in keys:
        pilot.app.post_message(events.Key(key, key if len(key) == 1 else None))


async def test_letters_and_editing_keys_keep_their_order() -> None:
    async with GradtuiApp().run_test() as pilot:
        await lab_of(pilot)
        dialog = AskScreen("Name", "before", "hint", str)
        await pilot.app.push_screen(dialog)
        await until(pilot, lambda: isinstance(pilot.app.focused, Input))
        send(pilot, ["ctrl+u", "a", "b", "c", "backspace", "d", "home", "x", "end", "left", "y"])
        await until(pilot, lambda: dialog.query_one(Input).value == "xabyd")


async def test_letters_behind_the_key_of_a_dialog_reach_the_dialog() -> None:
    async with GradtuiApp().run_test() as pilot:
        await lab_of(pilot)
        send(pilot, ["p", *"lstm"])
        await until(pilot, lambda: isinstance(pilot.app.screen, PresetsScreen))
        await until(pilot, lambda: [field.value for field in pilot.app.screen.query(Input)] == ["lstm"])


async def test_the_answer_comes_before_the_key_that_follows_it() -> None:
    async with GradtuiApp().run_test() as pilot:
        lab = await lab_of(pilot)
        answers: list[str | None] = []
        pilot.app.push_screen(ChooseScreen("Layers", [Choice("0", "dense1", "layer 1")]), answers.append)
        await until(pilot, lambda: isinstance(pilot.app.focused, Input))
        send(pilot, ["enter", "escape", "escape"])
        await until(pilot, lambda: bool(answers))
        await pilot.pause()
        assert answers == ["0"]
        assert pilot.app.screen is lab


async def test_a_paste_waits_for_the_keys_before_it() -> None:
    async with GradtuiApp().run_test() as pilot:
        await lab_of(pilot)
        dialog = AskScreen("Name", "before", "hint", str)
        await pilot.app.push_screen(dialog)
        await until(pilot, lambda: isinstance(pilot.app.focused, Input))
        send(pilot, ["ctrl+u", "a", "backspace"])
        pilot.app.post_message(events.Paste("pasted"))
        send(pilot, ["home", "x"])
        await until(pilot, lambda: dialog.query_one(Input).value == "xpasted")


async def test_a_list_opened_while_another_window_has_the_focus_takes_keys(home: Path) -> None:
    app = GradtuiApp(lesson="")
    app.set_reactive(App.app_focus, False)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
        await pilot.pause()
        assert app.screen.focused is None, "as Textual leaves it"
        await pilot.press(*"resid")
        await until(pilot, lambda: "Residual" in screen_text(app) and "Degradation" not in screen_text(app))
