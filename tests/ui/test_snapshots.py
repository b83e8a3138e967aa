"""Pictures of the screens, compared with the ones that were looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gradtui.ui.app import GradtuiApp
from gradtui.ui.theme import DARK, LIGHT
from tests.ui.conftest import MakeRun
from tests.ui.test_lab import lab_of, no_standby, screen_text, until

__all__ = ["no_standby"]

SIZES = [(80, 24), (120, 36), (200, 50)]


def name_of(size: tuple[int, int]) -> str:
    """The size as people say it."""
    return f"{size[0]}x{size[1]}"


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cursor that blinks, and no folder names that hold the date."""
    monkeypatch.setattr("textual.widgets.Input.cursor_blink", False)


async def shown(pilot: Pilot[None]) -> None:
    """Wait until the attached run is painted whole, curves and all."""
    await lab_of(pilot)
    await until(pilot, lambda: "times weaker" in screen_text(pilot.app) and "batch" in screen_text(pilot.app))
    await pilot.pause(0.6)


@pytest.mark.parametrize("size", SIZES, ids=name_of)
def test_idle(snap_compare: Any, still: None, size: tuple[int, int]) -> None:
    async def open_lab(pilot: Pilot[None]) -> None:
        await lab_of(pilot)

    assert snap_compare(GradtuiApp(), terminal_size=size, run_before=open_lab)


@pytest.mark.parametrize("theme", [DARK.name, LIGHT.name, "ansi-dark"])
@pytest.mark.parametrize("size", SIZES, ids=name_of)
def test_vanishing(
    snap_compare: Any, still: None, make_run: MakeRun, size: tuple[int, int], theme: str
) -> None:
    app = GradtuiApp(attach=make_run())
    app.theme = theme
    assert snap_compare(app, terminal_size=size, run_before=shown)


def test_without_colour(
    snap_compare: Any, still: None, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(GradtuiApp(attach=make_run()), terminal_size=(120, 36), run_before=shown)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("group", ("enter", "down")),
        ("options", ("o",)),
        ("value", ("enter", "down", "9", "9", "9", "9", "9", "9")),
        ("choice", ("enter", "enter")),
        ("presets", ("p", *"cure")),
        ("cures", ("c",)),
    ],
)
def test_dialogs(snap_compare: Any, still: None, name: str, keys: tuple[str, ...]) -> None:
    async def press(pilot: Pilot[None]) -> None:
        await lab_of(pilot)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()

    assert snap_compare(GradtuiApp(), terminal_size=(80, 24), run_before=press)


def test_save_names_the_experiment(snap_compare: Any, still: None, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)

    async def press(pilot: Pilot[None]) -> None:
        await lab_of(pilot)
        await pilot.press("s")
        await pilot.pause()

    assert snap_compare(GradtuiApp(), terminal_size=(80, 24), run_before=press)
