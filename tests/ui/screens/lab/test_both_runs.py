"""Test the keys between two compared runs, and back to the list from which a run was opened."""

from __future__ import annotations

import pytest

from gradtui.experiment import resolve
from gradtui.experiment.cures import cure
from gradtui.runs.meta import Parent
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.runs.runs_screen import RunsScreen
from gradtui.ui.widgets.status_bar import StatusBar
from tests.support.lab import lab_of, no_standby, screen_text, until
from tests.ui.conftest import MakeRun

__all__ = ["no_standby"]

CURED = cure("relu").apply(resolve("sigmoid-20"))


async def test_one_key_shows_both_runs_then_each_of_them_alone(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = make_run(steps=100)
    fixed = make_run(CURED, steps=100, decades=0.3, parent=Parent(failing.name, 0, "relu"))
    app = GradtuiApp(attach=fixed)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.comparison.partner is not None)
        said: list[str] = []
        monkeypatch.setattr(StatusBar, "say", lambda self, notice: said.append(notice))
        for folder, words in (
            (failing, "the run without the cure, alone"),
            (fixed, "the run with the cure, alone"),
            (fixed, "both runs"),
            (failing, "the run without the cure, alone"),
        ):
            await pilot.press("F")
            await until(
                pilot, lambda folder=folder: lab.followed is not None and lab.followed.folder == folder
            )
            await until(pilot, lambda: lab.followed.data is not None)
            assert (lab.comparison.partner is None) == ("alone" in words)
            assert said[-1] == words


async def test_escape_leads_back_to_the_list_that_a_run_was_opened_from(make_run: MakeRun) -> None:
    make_run(steps=60)
    app = GradtuiApp(attach=make_run(steps=100))
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.followed is not None and lab.followed.data is not None)
        await pilot.press("escape")
        assert app.screen is lab, "a run that was opened here has no list to go back to"
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and "■ finished" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is lab and lab.followed.data is not None)
        assert "esc back" in screen_text(app)
        lab.cursor.go_to(5)
        await until(pilot, lambda: lab.cursor.in_the_past)
        await pilot.press("escape")
        await until(pilot, lambda: not lab.cursor.in_the_past)
        assert app.screen is lab, "first back to the newest step"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
