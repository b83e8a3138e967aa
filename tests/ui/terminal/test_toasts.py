"""Test that each notification is shown once, and none over a dialog."""

from __future__ import annotations

from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.dialogs import LogScreen
from tests.support.lab import lab_of, no_standby, until

__all__ = ["no_standby"]


async def test_equal_notifications_stand_once_and_those_of_a_dialog_come_after_it() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        lab = await lab_of(pilot)
        for _ in range(3):
            app.notify("saved", timeout=60)
        await until(pilot, lambda: bool(app._notifications))
        await pilot.pause(0.1)
        assert [one.message for one in app._notifications] == ["saved"]
        await app.push_screen(LogScreen("log", ["a line"]))
        app.notify("later", timeout=60)
        app.notify("later", timeout=60)
        await pilot.pause(0.1)
        assert [one.message for one in app._notifications] == ["saved"]
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is lab and len(app._notifications) == 2)
        assert [one.message for one in app._notifications] == ["saved", "later"]


async def test_a_notification_takes_the_place_of_the_one_with_its_title() -> None:
    app = GradtuiApp()
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await lab_of(pilot)
        for title, text in (("changed", "lr 0.002"), ("copied", "relu"), ("changed", "lr 0.003")):
            app.notify(text, title=title, timeout=60)
            await pilot.pause(0.1)
        assert [one.message for one in app._notifications] == ["relu", "lr 0.003"]
        await app.push_screen(LogScreen("log", ["a line"]))
        for text in ("lr 0.004", "lr 0.005"):
            app.notify(text, title="changed", timeout=60)
        await pilot.pause(0.1)
        await pilot.press("escape")
        await until(pilot, lambda: len(app._notifications) == 2)
        assert [one.message for one in app._notifications] == ["relu", "lr 0.005"], "after a dialog too"
