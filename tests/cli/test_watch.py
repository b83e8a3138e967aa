"""`gradtui watch` refuses what it cannot use in one line, and runs the command with its own options."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from gradtui.cli import main
from gradtui.monitor.launch.options import STARTUP, VARIABLE, LaunchOptions
from tests.support.command_line import gradtui


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "COMMAND"),
        (["--"], "COMMAND"),
        (["--budget", "0", "--", "true"], "--budget"),
        (["--budget", "nan", "--", "true"], "--budget"),
        (["--budget", "2", "--", "true"], "--budget"),
        (["--budget", "0.1", "--every-step", "--", "true"], "--every-step"),
        (["--layers", "(", "--", "true"], "--layers"),
        (["--fail-on", "sadness", "--", "true"], "--fail-on"),
        (["--no-such", "--", "true"], "--no-such"),
        (["--", "no-such-command-anywhere"], "no-such-command-anywhere"),
        (["--fail-on", "vanishing", "--", "no-such-command-anywhere"], "no-such-command-anywhere"),
        (["--", "/"], "/"),
    ],
)
def test_bad_input_is_one_line(words: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", *words]) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
    # They are Python's own again: a later write to a full disk must not end this process.
    assert {signal.getsignal(number) for number in (signal.SIGPIPE, signal.SIGXFSZ)} == {signal.SIG_IGN}


def test_the_command_keeps_its_own_options_and_its_exit_code(tmp_path: Path) -> None:
    code = "import sys; print(sys.argv[1:], sys.stdin.read()); sys.exit(4)"
    done = gradtui(
        tmp_path, "watch", "--name", "n", "--", sys.executable, "-c", code, "--name", "x", "--", "-h"
    )
    assert (done.returncode, done.stderr) == (4, "")
    assert done.stdout == "['--name', 'x', '--', '-h'] \n"


def test_the_environment_has_the_options_and_the_folder_once() -> None:
    inner = LaunchOptions(name="inner", notes=("b",))
    outer = LaunchOptions(name="outer", notes=("a",), budget=None)
    for before, path in (({}, []), ({"PYTHONPATH": ""}, []), ({"PYTHONPATH": "x::y"}, ["x", "", "y"])):
        once = outer.environment(before)
        twice = inner.environment(once)
        assert once["PYTHONPATH"].split(os.pathsep) == [str(STARTUP), *path]
        assert twice["PYTHONPATH"] == once["PYTHONPATH"]
        assert LaunchOptions.from_json(once[VARIABLE]) == outer
        assert LaunchOptions.from_json(twice[VARIABLE]) == LaunchOptions(name="inner", notes=("a", "b"))
        assert set(once) == {VARIABLE, "PYTHONPATH"}
