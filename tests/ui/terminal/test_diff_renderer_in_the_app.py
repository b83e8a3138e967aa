"""Test the app on a terminal: what arrives, and that the screen is the one that the app painted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.drivers.headless_driver import HeadlessDriver

from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.lab.lab_screen import LabScreen
from tests.support.lab import no_standby
from tests.support.terminal_screen import TerminalScreen
from tests.ui.conftest import MakeRun

__all__ = ["no_standby"]

SIZE = (100, 30)


class Line(HeadlessDriver):
    """Hands what the app writes to a terminal."""

    terminal: TerminalScreen
    sent = 0

    @property
    def is_headless(self) -> bool:
        """False: a headless app writes nothing."""
        return False

    def write(self, data: str) -> None:
        """To the terminal."""
        Line.sent += len(data)
        Line.terminal.feed(data)


async def calm() -> None:
    """Wait until nothing more is sent."""
    before = -1
    while before != Line.sent:
        before = Line.sent
        await asyncio.sleep(0.25)


def meant(app: GradtuiApp) -> list[str]:
    """Return the lines as the app has composed them."""
    return [strip.text for strip in app.screen._compositor.render_strips()]


@pytest.mark.long
async def test_the_terminal_shows_what_the_app_composed_after_many_screens(
    make_run: MakeRun, monkeypatch: Any
) -> None:
    monkeypatch.setattr("gradtui.ui.screens.lab.lab_screen.STATUS_SECONDS", 1e6)
    Line.terminal = TerminalScreen(*SIZE)
    app = GradtuiApp(attach=make_run(steps=200))
    app.driver_class = Line

    async def play() -> None:
        while not isinstance(app.screen, LabScreen):
            await asyncio.sleep(0.05)
        await calm()
        for keys in (["2", "right", "right", "up", "up"], ["p", "c", "u"], ["escape"], ["enter"], ["escape"],
                     ["plus", "plus", "m"], ["o", "down"], ["escape"], ["z"], ["z"], ["tab", "tab"]):  # fmt: skip
            for key in keys:
                app.simulate_key(key)
                await asyncio.sleep(0.05)
            await calm()
            assert Line.terminal.lines() == meant(app), keys
        # What changes with a delay, such as the words of a key that was just pressed, has changed by then.
        await asyncio.sleep(2.0)
        quiet = Line.sent
        await asyncio.sleep(1.0)
        assert Line.sent == quiet, "nothing is sent where nothing happens"
        app.exit()

    player = asyncio.create_task(play())
    player.add_done_callback(lambda task: app.exit() if task.exception() else None)
    await app.run_async(size=SIZE)
    await player
