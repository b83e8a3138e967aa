"""Damaged run folders, studies and settings take down no screen; each is painted, answers, and is left by `q`."""

from __future__ import annotations

import asyncio
import random
import shutil
from pathlib import Path

import pytest
from textual.app import ComposeResult
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.widgets import Input

from gradtui.runs.meta import read_meta
from gradtui.study.plan import plan
from gradtui.study.spec import loads
from gradtui.study.study_folder import StudyIndex, write_study
from gradtui.ui.terminal.terminal_app import TerminalApp
from gradtui.ui.widgets.choice_list import ChoiceList
from tests.support.bounded_screen import use_app
from tests.support.damage import damage_at_random
from tests.support.fuzzing import faults_of_case, fuzz, warm
from tests.support.hostile_text import KINDS
from tests.support.studies import DEPTHS, full_run, sigmoids, write_run

DAMAGED, WHOLE = "20260101-000000-damaged", "20260101-000001-whole"
PLACES = {
    "lab": "mMPbfiLNozT?4123ecsUYC/ntW\t><",
    "layer": "\r",
    "runs": "r",
    "studies": "S",
    "presets": "p",
    "compare": "r",
}
KEYS = (
    "\x1b[A",
    "\x1b[B",
    "\x1b[C",
    "\x1b[D",
    "\x1b[5~",
    "\x1b[6~",
    "\x1b[H",
    "\x1b[F",
    "\r",
    "\x1b",
    "\t",
    "?",
    *"jklhgGcsmMnNvVdtTfFlLzoPby/+-012",
)
"""What may be pressed on any screen; none of these starts a training."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a run that has every kind of file, another one, and a study of three runs."""
    home = tmp_path_factory.mktemp("template")
    runs = home / "runs"
    runs.mkdir()
    full_run(runs / DAMAGED, WHOLE)
    (runs / WHOLE).mkdir()
    write_run(runs / WHOLE, sigmoids(name="whole"))
    spec = loads(DEPTHS)
    folder = home / "studies" / "depths"
    write_study(folder, spec)
    index = StudyIndex(folder)
    for number, member in enumerate(plan(spec)):
        run = runs / f"20260101-00001{number}-depths"
        run.mkdir()
        write_run(run, member.experiment, learns=True)
        index.add(member, run)
    (home / "config.toml").write_text('theme = "textual-dark"\n')
    return home


def attack(rng: random.Random, template: Path, place: Path) -> list[str]:
    """Damage some files of a home, open a screen on it, and press keys."""
    home = place / "home"
    shutil.copytree(template, home, symlinks=True)
    chosen = [path for path in home.rglob("*") if DAMAGED in str(path) or rng.randrange(6) == 0]
    done = []
    for path in rng.sample(chosen, min(len(chosen), rng.choice((1, 1, 2, 5)))):
        if path.is_symlink() or not path.parent.is_dir():
            continue
        done.append(f"{path.relative_to(home)}: {damage_at_random(path, rng)}")
    words = rng.choice((["attach", DAMAGED], ["attach", DAMAGED], ["attach", WHOLE], []))
    where = rng.choice(list(PLACES))
    keys = [rng.choice(PLACES[where])]
    if where == "compare":
        keys += ["\x1b[B", "m", "\x1b[B", "m", "C"]
    keys += [rng.choice(KEYS) for _ in range(rng.choice((2, 5, 8)))]
    if rng.randrange(4) == 0:
        keys += [rng.choice(list(KINDS.values()))]
    size = rng.choice(((100, 30), (80, 24), (200, 50), (20, 5), (120, 36)))
    return [f"{'; '.join(done)} {words} {keys} {size}: {fault}" for fault in use_app(words, keys, home, size)]


def test_damaged_home_takes_down_no_screen(template: Path, tmp_path: Path) -> None:
    assert [
        fault
        for seed in range(1)
        for fault in faults_of_case(lambda rng, place: attack(rng, template, place), seed, tmp_path)
    ] == []


class Slow(Screen[None]):
    """A Slow screen is left while it is made, and then looks for a part that it never got."""

    def __init__(self, leave: str) -> None:
        super().__init__()
        self.leave = leave

    async def on_mount(self) -> None:
        if self.leave == "app":
            self.app.exit()
        elif self.leave == "screen":
            self.app.pop_screen()
        await asyncio.sleep(0.1)
        self.query_one(Input)


@pytest.mark.parametrize("leave", ["app", "screen", ""])
def test_screen_that_is_left_while_it_is_made_is_no_crash(leave: str) -> None:
    async def body() -> None:
        app = TerminalApp()
        async with app.run_test() as pilot:
            app.push_screen(Slow(leave))
            del pilot
            await asyncio.sleep(0.4)
        assert app.return_code in (None, 0)

    if leave:
        asyncio.run(body())
    else:
        with pytest.raises(NoMatches):
            asyncio.run(body())


@pytest.mark.parametrize("key", ["pageup", "pagedown", "home", "end"])
def test_list_without_room_takes_keys_for_a_page(key: str) -> None:
    class Small(TerminalApp):
        CSS = "ChoiceList { height: 0; border: none; }"

        def compose(self) -> ComposeResult:
            yield ChoiceList("one", "two")

    async def body() -> None:
        app = Small()
        async with app.run_test() as pilot:
            app.query_one(ChoiceList).focus()
            await pilot.press(key)
            assert app.is_running

    asyncio.run(body())


@pytest.mark.long
def test_fuzz_screens(template: Path, tmp_path: Path) -> None:
    warm(
        "gradtui.ui.app",
        "gradtui.ui.screens.lab.lab_screen",
        "gradtui.ui.screens.runs.runs_screen",
        "gradtui.diagnosis",
    )
    assert read_meta(template / "runs" / WHOLE).name == "whole"
    fuzz(lambda rng, place: attack(rng, template, place), tmp_path)
