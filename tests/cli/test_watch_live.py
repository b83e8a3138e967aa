"""Test `gradtui watch --live` on a terminal: the screens, the output, Ctrl-C, leaving, and the exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradtui.cli import main
from tests.support.person_terminal import AS_BEFORE, PersonTerminal


def test_without_a_terminal_one_line_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    touched = tmp_path / "touched"
    assert main(["watch", "--live", "--", "touch", str(touched)]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith("gradtui: --live: the screens need a terminal")
    assert said.err.count("\n") == 1
    assert not touched.exists(), "the command is not run"


def test_it_goes_not_together_with_trials(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "--live", "--try", "lr=x0.1", "--", "true"]) == 2
    assert "--live: not together with --try" in capfd.readouterr().err


def test_ctrl_c_reaches_the_command_and_its_exit_code_passes_through(tmp_path: Path) -> None:
    (tmp_path / "inner.sh").write_text("trap 'echo caught; exit 1' INT\nwhile :; do sleep 0.1; done\n")
    (tmp_path / "outer.sh").write_text(
        "trap 'exit 7' INT\n"
        r"printf '\033[31mred\033[0m \007bell\n10%%\r50%%\r90%% done\n'"
        f"\nsh {tmp_path}/inner.sh\nexit 1\n"
    )
    terminal = PersonTerminal(tmp_path, "watch", "--live", "--", "sh", str(tmp_path / "outer.sh"))
    terminal.until_text("90% done")
    screen = terminal.screen.text
    assert "red " in screen
    assert "50%" not in screen, "a line that was written over is shown in its last state"
    assert "[31m" not in screen
    terminal.press("\x03")
    terminal.until_text("caught")
    terminal.until_text("it ended with exit code 7")
    terminal.press("q")
    assert terminal.until_ended(20) == 7
    assert terminal.modes == AS_BEFORE


@pytest.mark.long
def test_leaving_leaves_the_command_running_and_prints_the_rest(tmp_path: Path) -> None:
    script = "echo one; while [ ! -e go ]; do sleep 0.1; done; echo two; exit 5"
    command = ["sh", "-c", f"cd {tmp_path} && {script}"]
    terminal = PersonTerminal(tmp_path, "watch", "--live", "--", *command)
    terminal.until_text("one")
    terminal.press("q")
    terminal.until_text("the command goes on")
    (tmp_path / "go").touch()
    terminal.until_text("two")
    assert terminal.until_ended(20) == 5
