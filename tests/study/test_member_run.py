"""Runs whose machine is lost: begun again in their own folder, but not for ever, and not by somebody who stops."""

from __future__ import annotations

import pytest

from gradtui.report.study_page import print_study
from gradtui.study.engines import LOST
from gradtui.study.member_run import RETRIES
from tests.support.studies import TWO_SEEDS, Launcher, relu_heals, settled, study


def test_one_is_begun_again_in_its_folder_and_its_row_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    launcher = Launcher()
    running = study(TWO_SEEDS, launcher, jobs=4)
    settled(running)
    lost = launcher.started[1]
    lost.train(steps=20, end=None)
    lost.code = LOST
    settled(running)
    assert [trainer.folder for trainer in launcher.started[4:]] == [lost.folder]
    row = running.state.rows[1]
    assert row.live
    assert row.reason == "retried: its machine was lost"
    for trainer in launcher.running:
        relu_heals(trainer)
    state = settled(running)
    assert state.status == "finished"
    assert [row.reason for row in state.rows] == ["", "retried: its machine was lost", "", ""]
    print_study(state)
    said = [line for line in capsys.readouterr().out.splitlines() if "retried" in line]
    assert len(said) == 1
    assert state.rows[1].name in said[0]


def test_one_that_is_lost_again_and_again_is_given_up_and_the_others_go_on() -> None:
    launcher = Launcher()
    running = study(TWO_SEEDS, launcher, jobs=1)
    settled(running)
    first = launcher.started[0].folder
    for _ in range(RETRIES + 1):
        [trainer] = launcher.running
        assert trainer.folder == first
        trainer.code = LOST
        settled(running)
    row = running.state.rows[0]
    assert (row.state, row.reason) == (
        "failed",
        f"each of the {RETRIES + 1} machines that it was on was lost",
    )
    assert [trainer.folder == first for trainer in launcher.running] == [False]


def test_who_was_told_to_stop_is_not_begun_again() -> None:
    launcher = Launcher()
    running = study(TWO_SEEDS, launcher)
    settled(running)
    running.stop()
    for trainer in launcher.started:
        trainer.code = LOST
    state = settled(running)
    assert state.status == "stopped"
    assert len(launcher.started) == 2
    assert [row.reason for row in state.rows] == ["its machine was lost"] * 2 + ["not begun"] * 2


def test_a_trainer_that_went_without_a_word_has_died_however_fresh_its_run_is() -> None:
    """Its heart, on another machine, is believed to beat for half a minute."""
    launcher = Launcher()
    running = study(TWO_SEEDS, launcher, jobs=4)
    settled(running)
    for trainer in launcher.started:
        trainer.train(steps=20, end=None)
        trainer.code = 1
    state = settled(running)
    assert {row.state for row in state.rows} == {"died"}
    assert state.status == "failed"
