"""Drive the lab as a person does, and read what its screen shows."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from textual.app import App
from textual.pilot import Pilot

from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.lab.lab_screen import LabScreen


@pytest.fixture(autouse=True)
def no_standby(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no process that tests did not ask for, since they train nothing and need no torch."""
    monkeypatch.setattr("gradtui.ui.screens.lab.run_controls.Trainers.warm", lambda self: None)
    monkeypatch.setattr("gradtui.ui.screens.lab.cure_options.TRIAL_SECONDS", 0.0)


SIZES = [
    pytest.param((80, 24), id="80x24"),
    pytest.param((120, 36), id="120x36", marks=pytest.mark.long),
    pytest.param((200, 50), id="200x50", marks=pytest.mark.long),
]
"""The sizes at which a screen is tested; the smallest, into which the least fits, is tested in every run."""


async def until(pilot: Pilot[None], true: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait for something to become true on the screen."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, screen_text(pilot.app)
        await pilot.pause(0.02)


async def lab_of(pilot: Pilot[None]) -> LabScreen:
    """Return the lab, once it is open."""
    app = pilot.app
    assert isinstance(app, GradtuiApp)
    await until(pilot, lambda: isinstance(app.screen, LabScreen) and app.screen.is_mounted)
    await pilot.pause()
    assert isinstance(app.lab, LabScreen)
    return app.lab


def screen_text(app: App[None]) -> str:
    """Return the text on the screen."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


ASCII = {"GRADTUI_CHARSET": "ascii"}


def alien(app: GradtuiApp) -> set[str]:
    """Return the characters on the screen that are not ASCII."""
    return {character for character in screen_text(app) if not character.isascii()}
