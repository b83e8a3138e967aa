"""Test commands from viewers to a trainer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gradtui.runs.control import ControlReader, StepControl, send
from gradtui.runs.errors import RunError


def test_commands_arrive_once_and_in_order(tmp_path: Path) -> None:
    reader = ControlReader(tmp_path)
    assert reader.poll() == []
    send(tmp_path, "pause")
    identity = send(tmp_path, "set", set={"optimizer.lr": 0.01})
    commands = reader.poll()
    assert [command.name for command in commands] == ["pause", "set"]
    assert commands[1].fields == {"set": {"optimizer.lr": 0.01}}
    assert commands[1].id == identity
    assert commands[0].time > 1e9
    assert reader.poll() == []


def test_command_from_before_the_trainer_is_obeyed_unless_it_is_skipped(tmp_path: Path) -> None:
    send(tmp_path, "stop")
    assert [command.name for command in ControlReader(tmp_path).poll()] == ["stop"]
    resumed = ControlReader(tmp_path, skip_old=True)
    assert resumed.poll() == []
    send(tmp_path, "pause")
    assert [command.name for command in resumed.poll()] == ["pause"]


def test_torn_command_is_lost_and_the_others_arrive(tmp_path: Path) -> None:
    send(tmp_path, "pause")
    with (tmp_path / "control.jsonl").open("ab") as file:
        file.write(b'{"wish":"st')
    send(tmp_path, "resume")
    assert [command.name for command in ControlReader(tmp_path).poll()] == ["pause", "resume"]


def test_lines_that_are_no_commands_are_skipped(tmp_path: Path) -> None:
    lines = b'[]\n{}\n{"wish":3,"id":"a"}\n{"wish":"stop"}\n\xff\n{"wish":"stop","id":"b","time":"late"}\n'
    (tmp_path / "control.jsonl").write_bytes(lines)
    commands = ControlReader(tmp_path).poll()
    assert [(command.name, command.id, command.time) for command in commands] == [("stop", "b", 0.0)]


def test_command_is_obeyed_once_even_if_the_file_is_cut(tmp_path: Path) -> None:
    send(tmp_path, "step")
    first = (tmp_path / "control.jsonl").read_bytes()
    send(tmp_path, "stop")
    reader = ControlReader(tmp_path)
    assert len(reader.poll()) == 2
    (tmp_path / "control.jsonl").write_bytes(first)
    assert reader.poll() == []


def test_commands_of_several_viewers_at_once_all_arrive(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gradtui.runs.control import send\n"
        "for n in range(200): send(Path(sys.argv[1]), 'set', set={'who': sys.argv[2], 'n': n})"
    )
    reader, heard = ControlReader(tmp_path), []
    viewers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), who]) for who in "ab"]
    while any(viewer.poll() is None for viewer in viewers):
        heard += reader.poll()
    heard += reader.poll()
    assert [viewer.returncode for viewer in viewers] == [0, 0]
    for who in "ab":
        numbers = [command.fields["set"]["n"] for command in heard if command.fields["set"]["who"] == who]
        assert numbers == list(range(200))


def test_missing_folder_raises_one_line_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        send(tmp_path / "gone", "stop")
    assert str(caught.value) == f"{tmp_path / 'gone' / 'control.jsonl'}: No such file or directory"
    assert ControlReader(tmp_path / "gone").poll() == []


def test_step_commands_count_once_each_and_resume_drops_the_rest() -> None:
    control = StepControl()
    assert control.may_step()
    assert [name for name, _ in control.apply("step")] == ["paused", "control"]
    assert control.apply("step") == [("control", {"wish": "step"})]
    assert control.apply("pause") == []
    assert [control.may_step() for _ in range(3)] == [True, True, False]
    control.apply("step")
    assert [name for name, _ in control.apply("resume")] == ["resumed", "control"]
    assert control.apply("resume") == []
    control.apply("pause")
    assert not control.may_step()
    assert control.apply("stop") == [("control", {"wish": "stop"})]
    assert control.stopped
    assert not control.may_step()
