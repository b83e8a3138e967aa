"""Every screen may be left, covered, resized or given another run at any moment, and no exception reaches the app."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.drivers.headless_driver import HeadlessDriver
from textual.geometry import Size
from textual.keys import _character_to_key
from textual.screen import Screen
from textual.widgets import Input, Label

from gradtui.experiment import resolve
from gradtui.runs.writer import RunWriter
from gradtui.study.engines.local import LocalEngine
from gradtui.study.presets import resolve as resolve_study
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.compare.compare_screen import CompareScreen
from gradtui.ui.screens.lab.lab_screen import LabScreen
from gradtui.ui.screens.layer.layer_screen import LayerScreen
from gradtui.ui.screens.presets_screen import PresetsScreen
from gradtui.ui.screens.runs.runs_screen import RunsScreen
from gradtui.ui.terminal.terminal_app import TerminalApp
from tests.support.fuzzing import fuzz
from tests.support.lab import no_standby
from tests.support.studies import CHANCE, SCALARS, Trainer, full_run, sigmoids, write_run

__all__ = ["no_standby"]

LIVE, WHOLE, FULL = "20260101-000002-live", "20260101-000001-whole", "20260101-000000-full"
SIZES = ((100, 30), (80, 24), (200, 50), (20, 5), (120, 36), (60, 60))
KEYS = (
    *"mMPbfiLNozT?1234ecsuUYCntWDXvydjklhgGxrSpAwE/+-&<>VFR[]",
    *("escape", "escape", "escape", "enter", "tab", "left", "right", "up", "down", "home", "end", "pageup", "space"),
)  # fmt: skip
Leave = Callable[[GradtuiApp, random.Random, Path], object]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a run that has every kind of file, one that is whole, and one that another process trains."""
    home = tmp_path_factory.mktemp("template")
    runs = home / "runs"
    runs.mkdir()
    full_run(runs / FULL, WHOLE)
    for name in (WHOLE, LIVE):
        (runs / name).mkdir()
        write_run(
            runs / name,
            sigmoids(name=name[16:], run__steps=100_000),
            end=None if name == LIVE else "finished",
        )
    return home


@contextlib.contextmanager
def growing(folder: Path) -> Iterator[None]:
    """Append steps to a run all the time, so that there is always something new to paint."""
    ended = threading.Event()

    def write() -> None:
        names = [f"dense{number}" for number in range(1, 14)]
        writer = RunWriter(folder, {"scalars": SCALARS, "grad_norm": names})
        step = 60
        while not ended.wait(0.005):
            step += 1
            writer.append("scalars", step, np.array([CHANCE / step, 0.5, 0.1, 1.0, 1.0]))
            writer.append("grad_norm", step, np.full(len(names), 1.0 / step))
        writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _press(app: GradtuiApp, rng: random.Random, home: Path) -> None:
    for key in rng.sample(KEYS, rng.choice((1, 1, 2, 5))):
        name = _character_to_key(key) if len(key) == 1 else key
        app.post_message(events.Key(name, key if len(key) == 1 else None))


def _resize(app: GradtuiApp, rng: random.Random, home: Path) -> None:
    size = Size(*rng.choice(SIZES))
    assert isinstance(app._driver, HeadlessDriver)
    app._driver._size = size
    app.post_message(events.Resize(size, size))


def _open_run(app: GradtuiApp, rng: random.Random, home: Path) -> None:
    if app.lab is not None and app.lab.is_mounted:
        app.lab.open_run(home / "runs" / rng.choice((LIVE, WHOLE, FULL)), adopt=True)


def _click(app: GradtuiApp, rng: random.Random, home: Path) -> None:
    _click_at(app, rng.randrange(app.size.width), rng.randrange(app.size.height))


def _click_at(app: TerminalApp, x: int, y: int) -> None:
    given: Any = {"x": x, "y": y, "delta_x": 0, "delta_y": 0, "button": 1, "shift": False, "meta": False}
    for kind in (events.MouseDown, events.MouseUp):
        app.post_message(kind(None, **given, ctrl=False, screen_x=x, screen_y=y))


def _push(app: GradtuiApp, rng: random.Random, home: Path) -> None:
    runs, lab = home / "runs", app.lab
    if lab is None or not lab.is_mounted:
        return
    show = app.push_screen
    ways: list[Callable[[], object]] = [
        lambda: show(CompareScreen([runs / LIVE, runs / WHOLE, runs / FULL])),
        lambda: show(RunsScreen(runs)),
        lambda: show(PresetsScreen()),
        lambda: lab.lists.studies(resolve_study("cures")),
        lab.action_try_all_cures,
        lab.action_repair,
        lambda: lab.followed is None or show(LayerScreen(lab.followed, 0)),
    ]
    rng.choice(ways)()


def _back(app: GradtuiApp, rng: random.Random, home: Path) -> None:
    if len(app.screen_stack) > 2:
        app.pop_screen()


ACTS: tuple[Leave, ...] = (_press, _press, _press, _resize, _open_run, _click, _push, _push, _back)


async def _wait(rng: random.Random) -> None:
    """Wait for some turns of the event loop, or for a moment in which threads may answer."""
    if rng.randrange(4) == 0:
        await asyncio.sleep(rng.random() * 0.3)
    else:
        for _ in range(int(rng.expovariate(1 / 30))):
            await asyncio.sleep(0)


async def _use(rng: random.Random, home: Path) -> list[str]:
    done: list[str] = []
    attach = home / "runs" / rng.choice((LIVE, LIVE, WHOLE)) if rng.randrange(4) else None
    app = GradtuiApp(resolve("sigmoid-20"), attach)
    # Without Pilot, which waits until everything is done before it presses a key.
    try:
        async with app.run_test(size=rng.choice(SIZES)):
            if rng.randrange(3):
                end = time.monotonic() + 10
                while not isinstance(app.screen, LabScreen) and time.monotonic() < end:
                    await asyncio.sleep(0.01)
            for _ in range(rng.choice((1, 3, 8, 20))):
                await _wait(rng)
                if not app.is_running or app._exit:
                    break
                act = rng.choice(ACTS)
                done.append(act.__name__)
                act(app, rng, home)
            await _wait(rng)
            app.exit()
            await _wait(rng)
    except Exception as error:
        return [f"{done}: {error!r}"]
    return [] if app.return_code == 0 else [f"{done}: ended with {app.return_code}"]


def attack(rng: random.Random, template: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Use the app in random ways, each at a random moment after the one before, and leave it at another one."""
    home = place / "home"
    shutil.copytree(template, home)
    monkeypatch.setenv("GRADTUI_HOME", str(home))
    monkeypatch.chdir(place)
    with growing(home / "runs" / LIVE):
        faults = asyncio.run(_use(rng, home))
    reports = [path.read_text() for path in home.glob("crashes/*")]
    return faults + reports


@pytest.fixture(autouse=True)
def fake_trainers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start trainers that write their whole run at once, instead of processes that import torch."""

    def start(folder: Path, *given: object) -> Any:
        trainer = Trainer(folder)
        trainer.train(learns=True)
        return trainer

    monkeypatch.setattr("gradtui.training.launch.start_trainer", start)
    monkeypatch.setattr(LocalEngine, "start", lambda self, folder: start(folder))


class Panes(Screen[None]):
    """A Panes screen has a key that needs its pane, which appears some turns of the event loop after the screen."""

    BINDINGS = [Binding("a", "use", priority=True)]
    AUTO_FOCUS = ""
    used = 0

    def compose(self) -> ComposeResult:
        yield Label("pane")

    async def on_mount(self) -> None:
        await asyncio.sleep(0.05)
        await self.mount(Input())

    def action_use(self) -> None:
        self.query_one(Input)
        self.used += 1


def _key(app: TerminalApp, key: str) -> None:
    app.post_message(events.Key(key, key))


async def test_keys_that_come_before_the_panes_of_a_screen_wait_for_them() -> None:
    app = TerminalApp()
    async with app.run_test():
        for _ in range(2):
            screen = Panes()
            app.push_screen(screen)
            for _ in range(3):
                _key(app, "a")
            end = time.monotonic() + 10
            while screen.used < 3 and time.monotonic() < end:
                await asyncio.sleep(0.01)
            assert screen.used == 3


async def test_click_on_what_was_just_removed_is_dropped() -> None:
    app = TerminalApp()
    async with app.run_test():
        await app.push_screen(screen := Panes())
        await asyncio.sleep(0.1)
        label = screen.query_one(Label)
        for turn in range(30):
            if turn == 3:
                label.remove()
            _click_at(app, label.region.x, label.region.y)
            await asyncio.sleep(0)
        assert app.is_running


@pytest.mark.long
def test_fuzz_leaving(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fuzz(lambda rng, place: attack(rng, template, place, monkeypatch), tmp_path)
