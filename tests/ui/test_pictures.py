"""Test every screen at four sizes, and one of them in three themes, against reviewed pictures."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot

from gradtui.experiment.cures import cure
from gradtui.runs.folder import new_folder, runs_root
from gradtui.runs.label import Label, write_label
from gradtui.runs.meta import Parent
from gradtui.study.cure_study import cure_study
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.compare.compare_screen import CompareScreen
from gradtui.ui.screens.layer.layer_screen import LayerScreen
from gradtui.ui.screens.study.cures_screen import CuresScreen
from gradtui.ui.theme import DARK, LIGHT
from gradtui.ui.widgets.waterfall import Waterfall
from tests.support.lab import lab_of, no_standby, screen_text, until
from tests.support.pictures import TextFile, picture, styled, text_of
from tests.support.studies import Launcher, failing_run, sigmoids, write_run
from tests.support.study_screens import profiled
from tests.ui.conftest import MakeRun

__all__ = ["no_standby"]

SIZES = [(80, 24), (120, 36)]
LARGE = [(200, 50), (240, 70)]
FIXED = {"decades": 0.3, "learns": True}
THEMES = [DARK.name, LIGHT.name, "ansi-dark"]

Prepare = Callable[[Pilot[None]], Awaitable[None]]


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cursor that blinks, no names that hold the date or a folder of this machine, no clock, two cores."""
    monkeypatch.setattr("textual.widgets.Input.cursor_blink", False)
    monkeypatch.setattr("gradtui.runs.folder.time.strftime", lambda form: "20260101-120000")
    monkeypatch.setattr("gradtui.words.ago", lambda seconds: "now")
    monkeypatch.setattr("gradtui.study.estimate.cores", lambda: 2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADTUI_HOME", "home")


async def settled(pilot: Pilot[None], calm: int = 3) -> None:
    """Wait until what was looked for is seen and the picture has stood still for a while."""
    app, before, still = pilot.app, "", 0
    assert isinstance(app, GradtuiApp)
    while still < calm:
        await pilot.pause(0.06)
        followed = [app.lab.followed] if app.lab is not None and app.lab.followed is not None else []
        waiting = False
        if isinstance(app.screen, CompareScreen):
            followed += [entry.followed for entry in app.screen.entries]
            waiting = bool(app.screen._fresh)
        seen = not waiting and all(
            one.data is not None and one.data.request == one.request for one in followed
        )
        now = text_of(app)
        still = still + 1 if seen and now == before else 0
        before = now


async def _idle(pilot: Pilot[None]) -> None:
    await until(pilot, lambda: bool(pilot.app.screen.query("ProfileChart")))
    await settled(pilot, 8)


async def _watching(pilot: Pilot[None]) -> None:
    lab = await lab_of(pilot)
    await until(pilot, lambda: bool(lab.query(Waterfall)) and lab.followed.findings is not None)
    await pilot.press("2")
    await settled(pilot)


async def _travelled(pilot: Pilot[None]) -> None:
    await _watching(pilot)
    await pilot.press("right", "right", "right", "plus", "right_square_bracket")
    lab = await lab_of(pilot)
    lab.cursor.go_to(150)
    await until(pilot, lambda: "looking at step 150" in screen_text(pilot.app))
    await settled(pilot)


async def _layer(pilot: Pilot[None]) -> None:
    await _watching(pilot)
    await pilot.press("home", "right", "right", "enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, LayerScreen))
    await until(pilot, lambda: "layer 3 of 21" in screen_text(pilot.app))
    await settled(pilot)


async def _twin(pilot: Pilot[None]) -> None:
    failing, cured = failing_run(), cure("relu").apply(sigmoids())
    parent = Parent(failing.name, 0, "relu")
    twin = write_run(new_folder(failing.parent, cured.name), cured, parent=parent, **FIXED)
    lab = await lab_of(pilot)
    lab.open_run(twin, adopt=True, against=failing)
    await until(pilot, lambda: "vanishing gone" in screen_text(pilot.app))
    await pilot.press("2")
    await settled(pilot)


async def _trials(pilot: Pilot[None]) -> None:
    launcher = Launcher(lambda trainer: trainer.train(**(FIXED if trainer.cure else {})))
    await lab_of(pilot)
    pilot.app.push_screen(
        CuresScreen(cure_study(failing_run(), ["relu", "elu", "batch-norm"], start=launcher))
    )
    await until(pilot, lambda: "done: 3 of 3 fix it" in screen_text(pilot.app))
    await settled(pilot)


def _keys(*keys: str) -> Prepare:
    async def press(pilot: Pilot[None]) -> None:
        await lab_of(pilot)
        await pilot.pause(0.4)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.1)
        await settled(pilot)

    return press


def _then(first: Prepare, *keys: str) -> Prepare:
    async def both(pilot: Pilot[None]) -> None:
        await first(pilot)
        await _keys(*keys)(pilot)

    return both


async def _compared(pilot: Pilot[None]) -> None:
    """The run on the screen beside a copy of itself that has another name."""
    await _watching(pilot)
    (run,) = runs_root().iterdir()
    shutil.copytree(run, run.with_name(f"{run.name}-b"))
    write_label(run.with_name(f"{run.name}-b"), Label("its copy"))
    await pilot.press("r")
    await until(pilot, lambda: "its copy" in screen_text(pilot.app))
    await pilot.press("asterisk", "C")
    await until(pilot, lambda: screen_text(pilot.app).count("▲ vanishing") == 2)
    await settled(pilot, 12)


async def _studies(pilot: Pilot[None]) -> None:
    await lab_of(pilot)
    await pilot.press("S")
    await until(pilot, lambda: "time-lags" in screen_text(pilot.app))
    await settled(pilot)


async def _study(pilot: Pilot[None]) -> None:
    await _studies(pilot)
    await pilot.press("enter")
    await until(pilot, lambda: "space starts" in screen_text(pilot.app))
    await settled(pilot)


async def _multiples(pilot: Pilot[None]) -> None:
    await profiled(pilot)
    await pilot.press("down", "down")
    await settled(pilot)


OFTEN = {
    *(
        "idle",
        "watching",
        "findings",
        "curves",
        "presets",
        "runs",
        "compare",
        "study",
        "keys",
        "twin",
        "trials",
    ),
    *("layer", "cures"),
}
"""The screens that every run of the tests compares with their pictures."""

# name: (whether a run is shown, what is done before the picture is taken)
SCREENS: dict[str, tuple[bool, Prepare]] = {
    "idle": (False, _idle),
    "watching": (True, _watching),
    "travelled": (True, _travelled),
    "curves": (True, _then(_watching, "3", "y", "v")),
    "findings": (True, _then(_watching, "4")),
    "layer": (True, _layer),
    "net": (True, _then(_watching, "1", "N")),
    "group": (False, _keys("enter", "down")),
    "options": (False, _keys("o", "down", "down")),
    "presets": (False, _keys("p", *"cure")),
    "cures": (True, _then(_watching, "c")),
    "runs": (True, _then(_watching, "r")),
    "compare": (True, _compared),
    "studies": (False, _studies),
    "study": (False, _study),
    "study-gradients": (False, _multiples),
    "find": (True, _then(_watching, "slash", *"dense1")),
    "keys": (True, _then(_watching, "question_mark")),
    "save": (False, _keys("s")),
    "log": (True, _then(_watching, "L")),
    "twin": (False, _twin),
    "trials": (False, _trials),
}


@pytest.fixture
def stored(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """The pictures on disk, one file each; ``pytest --snapshot-update`` writes them anew."""
    return snapshot.use_extension(TextFile)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in OFTEN else pytest.mark.long) for name in SCREENS]
)
async def test_the_screen_is_the_reviewed_picture(
    name: str, make_run: MakeRun, stored: SnapshotAssertion
) -> None:
    await _compare(name, make_run, stored, SIZES)


@pytest.mark.long
@pytest.mark.parametrize("name", SCREENS)
async def test_the_large_screen_is_the_reviewed_picture(
    name: str, make_run: MakeRun, stored: SnapshotAssertion
) -> None:
    await _compare(name, make_run, stored, LARGE)


async def _compare(
    name: str, make_run: MakeRun, stored: SnapshotAssertion, sizes: Sequence[tuple[int, int]]
) -> None:
    """Compare the pictures of one app, which is resized and given other themes as a terminal would do it too."""
    shows_run, prepare = SCREENS[name]
    app = GradtuiApp(attach=make_run(steps=300) if shows_run else None)
    async with app.run_test(size=SIZES[1]) as pilot:
        await prepare(pilot)
        for size in sizes:
            await pilot.resize_terminal(*size)
            await settled(pilot)
            looks = {}
            # A theme changes colours and no character, whatever the size: one size in all themes is enough.
            for theme in THEMES if size == SIZES[1] else THEMES[:1]:
                app.theme = theme
                app.clear_notifications()
                await settled(pilot, 1)
                looks[theme] = styled(app)
            app.theme = THEMES[0]
            assert picture(looks) == stored(name=f"{size[0]}x{size[1]}")


@pytest.mark.parametrize("mode", ["no colour", "ascii"])
async def test_without_colour_and_without_unicode(
    mode: str, make_run: MakeRun, stored: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mode == "no colour":
        monkeypatch.setenv("NO_COLOR", "1")
    app = GradtuiApp(attach=make_run(steps=300))
    app.ascii = mode == "ascii"
    async with app.run_test(size=SIZES[1]) as pilot:
        await _travelled(pilot)
        for size in SIZES[:1] + LARGE[:1]:
            await pilot.resize_terminal(*size)
            await settled(pilot)
            await until(pilot, lambda: "no values yet" not in screen_text(app))
            assert picture({mode: styled(app)}) == stored(name=f"{size[0]}x{size[1]}")
