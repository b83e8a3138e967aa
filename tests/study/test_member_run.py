"""Test runs whose machine is lost: they restart in their folder, unless too often or they were stopped."""

from __future__ import annotations

import pytest

from gradtui.report.study_page import print_study
from gradtui.study.engines import LOST
from gradtui.study.member_run import RETRIES
from tests.support.studies import TWO_SEEDS, Launcher, relu_fixes, settled, study


def test_run_whose_machine_is_lost_restarts_in_its_folder_and_its_row_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
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
        relu_fixes(trainer)
    state = settled(running)
    assert state.status == "finished"
    assert [row.reason for row in state.rows] == ["", "retried: its machine was lost", "", ""]
    print_study(state)
    said = [line for line in capsys.readouterr().out.splitlines() if "retried" in line]
    assert len(said) == 1
    assert state.rows[1].name in said[0]


def test_run_that_loses_many_machines_fails_and_the_others_continue() -> None:
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
        f"each of the {RETRIES + 1} machines on which it ran was lost",
    )
    assert [trainer.folder == first for trainer in launcher.running] == [False]


def test_stopped_run_whose_machine_is_lost_is_not_restarted() -> None:
    launcher = Launcher()
    running = study(TWO_SEEDS, launcher)
    settled(running)
    running.stop()
    for trainer in launcher.started:
        trainer.code = LOST
    state = settled(running)
    assert state.status == "stopped"
    assert len(launcher.started) == 2
    assert [row.reason for row in state.rows] == ["its machine was lost"] * 2 + ["not started"] * 2


def test_trainer_that_exits_without_an_end_leaves_a_run_that_died() -> None:
    """The heartbeat of a run on another machine counts as fresh for half a minute."""
    launcher = Launcher()
    running = study(TWO_SEEDS, launcher, jobs=4)
    settled(running)
    for trainer in launcher.started:
        trainer.train(steps=20, end=None)
        trainer.code = 1
    state = settled(running)
    assert {row.state for row in state.rows} == {"died"}
    assert state.status == "failed"
