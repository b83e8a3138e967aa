"""Test `gradtui watch --live` on a terminal: screens, output, Ctrl-C, leaving, exit code; and the alert of `attach`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import gradtui
from gradtui.cli import main
from gradtui.diagnosis.monitor import diagnose_run
from gradtui.runs.folder import SETTINGS_FILE
from gradtui.runs.library import list_runs
from tests.support.person_terminal import AS_BEFORE, PersonTerminal, wait_for


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
    terminal.until_text("the command continues")
    (tmp_path / "go").touch()
    terminal.until_text("two")
    assert terminal.until_ended(20) == 5


BREAKS = """
import os, sys, time, torch, gradtui
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), 0.05)
probe = gradtui.watch(model, optimizer, name="breaks", runs=sys.argv[1])
x = torch.randn(64, 8)
while not os.path.exists(sys.argv[3]):
    optimizer.zero_grad()
    loss = (model(x) - x[:, :1]).square().mean()
    loss.backward()
    optimizer.step()
    probe.log(loss=loss)
    if os.path.exists(sys.argv[2]):
        optimizer.param_groups[0]["lr"] = 1e4
    time.sleep(0.01)
"""


def bells(terminal: PersonTerminal) -> int:
    """Return how often the bell was rung: its sign also ends the sequences that set titles and the like."""
    return re.sub("\x1b\\][^\x07\x1b]*\x07", "", terminal.seen).count("\x07")


@pytest.mark.long
def test_a_finding_that_begins_in_a_real_training_rings_the_bell_once(tmp_path: Path) -> None:
    script, runs, go, stop = (tmp_path / name for name in ("train.py", "runs", "go", "stop"))
    script.write_text(BREAKS)
    (tmp_path / SETTINGS_FILE).write_text("alerts = true\n")
    training = subprocess.Popen([sys.executable, str(script), *map(str, (runs, go, stop))])
    try:
        wait_for(lambda: runs.exists() and any(run.steps > 50 for run in list_runs(runs)), 60, "50 steps")
        (found,) = list_runs(runs)
        terminal = PersonTerminal(tmp_path, "attach", str(found.run))
        terminal.until_text("no problems", 60)
        assert bells(terminal) == 0
        go.touch()
        terminal.until(lambda _: "\x1b]9;" in terminal.seen, 60, "the notification")
        told = terminal.seen.split("\x1b]9;")[1].partition("\x07")[0]
        assert told.startswith(found.run.name)
        (run,) = map(gradtui.open_run, [found.run])
        assert told.split(": ")[1] in [one.code for one in diagnose_run(run).findings]
        terminal.until_text(told.split(": ")[2][:20])
        terminal.press("q")
        assert terminal.until_ended(20) == 0
        assert bells(terminal) == terminal.seen.count("\x1b]9;") >= 1
    finally:
        stop.touch()
        training.wait(60)
