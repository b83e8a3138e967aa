"""Test commands of viewers, which are obeyed or refused with a reason."""

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


class SentCommands:
    """Controls of a session, and what they wrote."""

    def __init__(self, folder: Path, session: Session) -> None:
        self.folder = folder
        (folder / "experiment.toml").write_text("")
        self.writer = RunWriter(folder, {})
        self.session = session
        self.controls = Controls(folder, session, self.writer)

    def send(self, name: Any, **fields: Any) -> list[tuple[Any, ...]]:
        """Send a command, poll, and return the new events: (event, step, command)."""
        before = len(self.events())
        send(self.folder, name, **fields)
        self.controls.poll()
        return [(e["event"], e["step"], e.get("wish")) for e in self.events()[before:]]

    def events(self) -> list[Any]:
        self.writer.flush()
        return list(open_run(self.folder).events())


@pytest.fixture
def viewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SentCommands:
    monkeypatch.setattr(controls_module, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(controls_module, "PAUSED_SECONDS", 0.0)
    return SentCommands(tmp_path, build(small(optimizer__kind="rmsprop")))


def test_pause_step_and_resume(viewer: SentCommands) -> None:
    viewer.session.step = 7
    assert viewer.controls.may_step()
    assert viewer.send("pause") == [("paused", 7, None), ("control", 7, "pause")]
    assert not viewer.controls.may_step()
    assert viewer.send("pause") == []
    assert viewer.send("step") == [("control", 7, "step")]
    assert viewer.controls.may_step()
    assert not viewer.controls.may_step()
    assert viewer.send("resume") == [("resumed", 7, None), ("control", 7, "resume")]
    assert viewer.controls.may_step()


def test_step_command_while_running_pauses_after_one_step(viewer: SentCommands) -> None:
    assert viewer.send("step") == [("paused", 0, None), ("control", 0, "step")]
    assert viewer.controls.may_step()
    assert not viewer.controls.may_step()


def test_two_step_commands_at_once_take_two_steps(viewer: SentCommands) -> None:
    viewer.send("pause")
    send(viewer.folder, "step")
    viewer.send("step")
    assert [viewer.controls.may_step() for _ in range(3)] == [True, True, False]


def test_stop_ends_a_pause(viewer: SentCommands) -> None:
    viewer.send("pause")
    assert viewer.send("stop") == [("control", 0, "stop")]
    assert viewer.controls.stopped
    assert not viewer.controls.may_step()


def test_changes_take_effect_and_say_when(viewer: SentCommands) -> None:
    changes = {"optimizer.lr": 0.02, "cures.clip_norm": 1.5, "optimizer.momentum": 0.8, "cures.l1": 1e-4}
    assert viewer.send("set", set=changes) == [("control", 0, "set")]
    assert viewer.events()[-1]["set"] == changes
    exp = viewer.session.exp
    assert (exp.optimizer.lr, exp.cures.clip_norm, exp.cures.l1) == (0.02, 1.5, 1e-4)
    assert viewer.session.optimizer.param_groups[0]["momentum"] == 0.8
    assert viewer.session.lr == 0.02


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
def test_invalid_change_is_refused_with_the_reason(viewer: SentCommands, changes: Any, word: str) -> None:
    before = viewer.session.exp
    assert viewer.send("set", set=changes) == [("refused", 0, "set")]
    reason = viewer.events()[-1]["reason"]
    assert word in reason
    assert "\n" not in reason
    assert viewer.session.exp == before


def test_unknown_command_is_refused(viewer: SentCommands) -> None:
    assert viewer.send("dance") == [("refused", 0, "dance")]


def test_commands_are_not_read_within_the_interval(
    viewer: SentCommands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controls_module, "POLL_SECONDS", 1000.0)
    viewer.controls.poll()
    assert viewer.send("stop") == []
    assert not viewer.controls.stopped


def test_resumed_run_skips_the_stop_that_ended_it(tmp_path: Path) -> None:
    send(tmp_path, "stop")
    writer = RunWriter(tmp_path, {})
    session = build(small())
    for resumed, stopped in ((True, False), (False, True)):
        controls = Controls(tmp_path, session, writer, reader=ControlReader(tmp_path, skip_old=resumed))
        controls.poll()
        assert controls.stopped == stopped
    writer.close()
