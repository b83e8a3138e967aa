"""Test the repair in rounds in the lab: each round is shown, its run opens, and esc stops it."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from gradtui.experiment import load
from gradtui.runs.control import ControlReader
from gradtui.study.live_repair import LiveRepair
from gradtui.ui.app import GradtuiApp
from gradtui.ui.screens.study.repair_screen import RepairScreen
from tests.support.lab import lab_of, no_standby, screen_text, until
from tests.support.studies import Launcher, Trainer, failing_run, fixes, sigmoids

__all__ = ["no_standby"]


def learns_with_relu(trainer: Trainer) -> None:
    """Train every other activation in vain."""
    relu = trainer.experiment.net[0].activation == "relu"
    trainer.train(decades=0.3, learns=True) if relu else trainer.train()


def numbers(app: GradtuiApp) -> list[str]:
    """Return the numbers of the rounds on the screen."""
    return [line[3] for line in screen_text(app).splitlines() if line[3:4].isdigit() and line[4] == " "]


async def shown(pilot: Pilot[None], repair: LiveRepair) -> tuple[RepairScreen, list[Path | None]]:
    """Return the screen over the lab, and a list of what it returns."""
    answers: list[Path | None] = []
    await lab_of(pilot)
    screen = RepairScreen(repair)
    pilot.app.push_screen(screen, answers.append)
    await until(pilot, lambda: "s · space starts" in screen_text(pilot.app))
    await pilot.press("space")
    return screen, answers


async def test_each_round_is_shown_and_the_best_one_is_chosen_saved_and_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    failing = failing_run()
    launcher = Launcher(learns_with_relu)
    repair = LiveRepair(sigmoids(), failing, start=launcher, trial_seconds=0)
    app = GradtuiApp()
    async with app.run_test(size=(100, 36)) as pilot:
        screen, answers = await shown(pilot, repair)
        await until(pilot, lambda: "Fixed after 3 rounds" in screen_text(app))
        await until(pilot, lambda: numbers(app) == ["0", "1", "2", "3"])
        text = screen_text(app)
        assert "unchanged" in text
        assert "vanishing" in text
        # The run on the screen was round 0; the others are runs with a parent each.
        assert len(launcher.started) == 3
        assert launcher.started[0].parent is not None
        assert launcher.started[0].parent.run == failing.name
        assert screen.at == 3
        assert "why: " in text
        assert "change: net.0." in text
        await pilot.press("up")
        await until(pilot, lambda: "found: vanishing. " in screen_text(app))
        await pilot.press("down", "s")
        await pilot.pause()
        await pilot.press("enter")
        file = tmp_path / "sigmoids.toml"
        await until(pilot, file.exists)
        assert load(file).net == launcher.started[2].experiment.net
        await pilot.press("enter")
        await until(pilot, lambda: answers == [launcher.started[2].folder])


async def test_the_fixes_are_tried_first_and_what_came_of_it_is_said() -> None:
    repair = LiveRepair(sigmoids(), failing_run(), start=Launcher(fixes))
    app = GradtuiApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(pilot, repair)
        await until(pilot, lambda: "Fixed after 1 round" in screen_text(app))
        assert "4 cures were tried for a few steps each" in screen_text(app)
        assert "tried 60 steps: loss 2.268 → " in screen_text(app)


async def test_esc_stops_the_training_and_a_second_esc_leads_back() -> None:
    launcher = Launcher()
    repair = LiveRepair(sigmoids(), failing_run(), start=launcher, trial_seconds=0)
    app = GradtuiApp()
    async with app.run_test(size=(100, 36)) as pilot:
        _, answers = await shown(pilot, repair)
        await until(pilot, lambda: "round 1: step 0/60" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "◌ stopping" in screen_text(app))
        reader = ControlReader(launcher.started[0].folder)
        await until(pilot, lambda: [command.name for command in reader.poll()] == ["stop"])
        launcher.started[0].train(steps=20, end="stopped")
        await until(
            pilot,
            lambda: (
                "Stopped after 1 round (the best was round 0); still found: vanishing." in screen_text(app)
            ),
        )
        assert len(launcher.started) == 1
        await pilot.press("escape")
        await until(pilot, lambda: answers == [None])


async def test_a_run_that_was_stopped_early_is_trained_anew_first() -> None:
    launcher = Launcher(fixes)
    stopped = failing_run(steps=10, end="stopped")
    app = GradtuiApp()
    async with app.run_test(size=(100, 36)) as pilot:
        await shown(pilot, LiveRepair(sigmoids(), stopped, start=launcher, trial_seconds=0))
        await until(pilot, lambda: "Fixed after 1 round" in screen_text(app))
        assert launcher.started[0].experiment.net == sigmoids().net


async def test_the_key_of_the_lab_repairs_the_run_without_the_cure_and_leads_back() -> None:
    launcher = Launcher(fixes)
    failing = failing_run()
    app = GradtuiApp(attach=failing)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "fix in rounds" in screen_text(app))
        repair = LiveRepair(sigmoids(), failing, start=launcher, trial_seconds=0)
        lab.comparison.repaired = repair
        lab.comparison.show_repair()
        await until(pilot, lambda: "○ 3 rounds of under 10 s · space starts" in screen_text(app))
        assert not launcher.started
        await pilot.press("space")
        await until(pilot, lambda: "Fixed after 1 round" in screen_text(app))
        await pilot.press("enter")
        await until(
            pilot, lambda: lab.followed is not None and lab.followed.folder == launcher.started[0].folder
        )
        assert lab.comparison.partner is not None
        assert lab.comparison.partner.folder == failing
        await pilot.press("escape")
        await until(pilot, lambda: "Fixed after 1 round" in screen_text(app))
