"""Wishes of viewers, obeyed or refused with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gradtui.runs.control import ControlReader, send
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter
from gradtui.training import controls as controls_module
from gradtui.training.controls import Controls
from gradtui.training.session import Session, build
from tests.support.trainings import small


class Desk:
    """Controls of a session, and what they wrote."""

    def __init__(self, folder: Path, session: Session) -> None:
        self.folder = folder
        (folder / "experiment.toml").write_text("")
        self.writer = RunWriter(folder, {})
        self.session = session
        self.controls = Controls(folder, session, self.writer)

    def wish(self, name: Any, **fields: Any) -> list[tuple[Any, ...]]:
        """Send it, look, and return what is new in the events: (event, step, wish)."""
        before = len(self.events())
        send(self.folder, name, **fields)
        self.controls.poll()
        return [(e["event"], e["step"], e.get("wish")) for e in self.events()[before:]]

    def events(self) -> list[Any]:
        self.writer.flush()
        return list(open_run(self.folder).events())


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(controls_module, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(controls_module, "PAUSED_SECONDS", 0.0)
    return Desk(tmp_path, build(small(optimizer__kind="rmsprop")))


def test_pause_step_and_resume(desk: Desk) -> None:
    desk.session.step = 7
    assert desk.controls.may_step()
    assert desk.wish("pause") == [("paused", 7, None), ("control", 7, "pause")]
    assert not desk.controls.may_step()
    assert desk.wish("pause") == []
    assert desk.wish("step") == [("control", 7, "step")]
    assert desk.controls.may_step()
    assert not desk.controls.may_step()
    assert desk.wish("resume") == [("resumed", 7, None), ("control", 7, "resume")]
    assert desk.controls.may_step()


def test_a_step_wished_while_it_runs_pauses_after_one(desk: Desk) -> None:
    assert desk.wish("step") == [("paused", 0, None), ("control", 0, "step")]
    assert desk.controls.may_step()
    assert not desk.controls.may_step()


def test_two_steps_wished_at_once_are_two(desk: Desk) -> None:
    desk.wish("pause")
    send(desk.folder, "step")
    desk.wish("step")
    assert [desk.controls.may_step() for _ in range(3)] == [True, True, False]


def test_stop_ends_a_pause(desk: Desk) -> None:
    desk.wish("pause")
    assert desk.wish("stop") == [("control", 0, "stop")]
    assert desk.controls.stopped
    assert not desk.controls.may_step()


def test_changes_take_effect_and_say_when(desk: Desk) -> None:
    changes = {"optimizer.lr": 0.02, "cures.clip_norm": 1.5, "optimizer.momentum": 0.8, "cures.l1": 1e-4}
    assert desk.wish("set", set=changes) == [("control", 0, "set")]
    assert desk.events()[-1]["set"] == changes
    exp = desk.session.exp
    assert (exp.optimizer.lr, exp.cures.clip_norm, exp.cures.l1) == (0.02, 1.5, 1e-4)
    assert desk.session.optimizer.param_groups[0]["momentum"] == 0.8
    assert desk.session.lr == 0.02


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"optimizer.lr": -1.0}, "optimizer.lr"),
        ({"optimizer.lr": "fast"}, "optimizer.lr"),
        ({"net.0.width": 3}, "while it trains"),
        ({"cures.clip_norm": 1.0, "run.steps": 3}, "run.steps"),
        ({"cures.clip": 1.0}, "cures.clip"),
        ({}, "no fields"),
        ([1], "no fields"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason_and_changes_nothing(
    desk: Desk, changes: Any, word: str
) -> None:
    before = desk.session.exp
    assert desk.wish("set", set=changes) == [("refused", 0, "set")]
    reason = desk.events()[-1]["reason"]
    assert word in reason
    assert "\n" not in reason
    assert desk.session.exp == before


def test_a_wish_that_is_unknown_is_refused(desk: Desk) -> None:
    assert desk.wish("dance") == [("refused", 0, "dance")]


def test_looking_costs_nothing_within_the_interval(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls_module, "POLL_SECONDS", 1000.0)
    desk.controls.poll()
    assert desk.wish("stop") == []
    assert not desk.controls.stopped


def test_a_resumed_run_does_not_hear_the_stop_that_ended_it(tmp_path: Path) -> None:
    send(tmp_path, "stop")
    writer = RunWriter(tmp_path, {})
    session = build(small())
    for resumed, stopped in ((True, False), (False, True)):
        controls = Controls(tmp_path, session, writer, reader=ControlReader(tmp_path, skip_old=resumed))
        controls.poll()
        assert controls.stopped == stopped
    writer.close()
