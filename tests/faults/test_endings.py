"""Test that at every end of the app the terminal is restored, the trainer continues, and the run is whole."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gradtui.experiment import set_fields
from gradtui.runs.reader import open_run
from gradtui.training.launch import Trainer, create_run, start_trainer
from tests.support.person_terminal import ALTERNATE, PersonTerminal, patched, wait_for
from tests.support.trainings import small

pytestmark = pytest.mark.long

ENDS_IN = 3.5
"""Seconds within which the app has to be gone: two, and what a busy machine may add."""
LAB = "from gradtui.ui.screens.lab.lab_screen import LabScreen\n"
SECRET = "secretvalue"


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Trainer]]:
    """A home with a run that trains as long as these tests need it, and its trainer."""
    home = tmp_path_factory.mktemp("endings")
    endless = set_fields(small(), {"run.steps": 10_000_000, "name": SECRET})
    folder = create_run(endless, home / "runs")
    trainer = start_trainer(folder)
    try:
        wait_for(lambda: (folder / "scalars.f32").exists(), 60, "a first step")
        yield home, trainer
    finally:
        trainer.terminate()
        trainer.wait(30)


@pytest.fixture
def lab(training: tuple[Path, Trainer]) -> Iterator[PersonTerminal]:
    """The lab that follows the run."""
    terminal = PersonTerminal(training[0], "attach")
    try:
        terminal.until_text("step ")
        yield terminal
    finally:
        terminal.close()


def assert_trains_on(training: tuple[Path, Trainer]) -> None:
    home, trainer = training
    folder = next((home / "runs").glob("2*"))
    assert trainer.poll() is None
    before = open_run(folder).steps
    wait_for(lambda: open_run(folder).steps > before, 10, "a further step")
    steps, losses = open_run(folder).scalars("loss")
    assert list(steps) == list(range(1, len(losses) + 1))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_signal_leaves_the_terminal_as_it_was(
    number: signal.Signals, lab: PersonTerminal, training: tuple[Path, Trainer]
) -> None:
    assert ALTERNATE in lab.modes
    assert lab.attributes() != lab.before
    os.kill(lab.process.pid, number)
    assert lab.until_ended(ENDS_IN) == 128 + number
    assert lab.faults() == []
    assert "Traceback" not in lab.seen
    assert f"still training: gradtui attach {next((training[0] / 'runs').glob('2*')).name}" in lab.screen.text
    assert_trains_on(training)


def test_terminal_that_goes_away_ends_the_app(lab: PersonTerminal, training: tuple[Path, Trainer]) -> None:
    lab.hang_up()
    assert lab.process.wait(ENDS_IN) == 128 + signal.SIGHUP
    assert_trains_on(training)


def test_terminal_that_goes_away_without_a_signal(training: tuple[Path, Trainer]) -> None:
    # `trap "" HUP` in a shell: the app would read the end of its terminal forever, at full speed.
    ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    terminal = PersonTerminal(training[0], command=patched(ignoring, "attach"))
    try:
        terminal.until_text("step ")
        terminal.hang_up()
        assert terminal.process.wait(ENDS_IN) == 128 + signal.SIGHUP
    finally:
        terminal.close()


CRASHES = {
    "an action": "def action_edit(self, way):\n    treasure = ['{secret}'] * 10**6\n    raise ValueError(treasure)\n"
    "LabScreen.action_edit = action_edit",
    "a thread": "def action_edit(self, way):\n    def work():\n        {{}}['{secret}']\n"
    "    self.run_worker(work, thread=True)\nLabScreen.action_edit = action_edit",
    "painting": "from gradtui.ui.screens.lab.headline import Headline\ndef action_edit(self, way):\n"
    "    def render(self, *a, **k):\n        raise RuntimeError('{secret}')\n"
    "    for pane in self.query('*'):\n        type(pane).render_line = render\n    self.refresh(layout=True)\n"
    "LabScreen.action_edit = action_edit",
}


@pytest.mark.parametrize("place", CRASHES)
def test_crash_prints_one_line_and_writes_a_report(place: str, training: tuple[Path, Trainer]) -> None:
    home = training[0]
    shutil.rmtree(home / "crashes", ignore_errors=True)
    patch = LAB + CRASHES[place].replace("{secret}", SECRET).replace("{{}}", "{}")
    terminal = PersonTerminal(home, command=patched(patch, "attach"), size=(150, 30))
    try:
        terminal.until_text("step ")
        terminal.press("p")
        assert terminal.until_ended(ENDS_IN) == 1
        faults, lines = terminal.faults(), [line.strip() for line in terminal.screen.lines() if line.strip()]
    finally:
        terminal.close()
    assert faults == []
    reports = list((home / "crashes").iterdir())
    assert len(reports) == 1
    assert stat.S_IMODE(reports[0].stat().st_mode) == 0o600
    joined = "".join(lines)
    assert joined.startswith("gradtui crashed")
    assert str(reports[0]) in joined.replace(" ", "") or str(reports[0]) in joined
    report = reports[0].read_text()
    assert SECRET not in report
    assert str(home) not in report
    for expected in ("action_edit" if place == "an action" else "Error", "textual ", "Key p on LabScreen"):
        assert expected in report
    assert_trains_on(training)


def test_app_that_answers_nothing_ends_by_a_signal(training: tuple[Path, Trainer]) -> None:
    hanging = (
        LAB + "import os\ndef action_edit(self, way):\n    os.read(os.pipe()[0], 1)\n"
        "LabScreen.action_edit = action_edit"
    )
    terminal = PersonTerminal(training[0], command=patched(hanging, "attach"))
    try:
        terminal.until_text("step ")
        terminal.press("p")
        terminal.stay(0.5)
        os.kill(terminal.process.pid, signal.SIGTERM)
        assert terminal.until_ended(ENDS_IN) == 128 + signal.SIGTERM
        assert terminal.faults() == []
    finally:
        terminal.close()


def test_shell_gets_the_terminal_and_gives_it_back(training: tuple[Path, Trainer]) -> None:
    # Without its editor, which sets the line's modes for itself.
    shell = PersonTerminal(training[0], command=["bash", "--norc", "--noprofile", "--noediting", "-i"])
    try:
        shell.press(f"PS1='PROM''PT> '; {sys.executable} -m gradtui attach\n")
        shell.until_text("step ")
        app = psutil.Process(shell.process.pid).children()[0]
        threads = app.num_threads()
        for stop in ("ctrl+z", "ctrl+z", "SIGTSTP", "SIGSTOP", "SIGSTOP"):
            if stop == "ctrl+z":
                shell.press("\x1a")
            else:
                app.send_signal(getattr(signal, stop))
            if stop == "SIGSTOP":
                # Nothing can be set right before; it is when the app goes on.
                wait_for(lambda: app.status() == psutil.STATUS_STOPPED, 5, "the stop")
                shell.stay(0.3)
            else:
                shell.until_text("PROMPT>")
                assert shell.faults() == [], stop
            shell.press("clear; fg\n")
            shell.until_text("─ Model ")
            assert ALTERNATE in shell.modes
            # Each thread that read the terminal before has ended: two would share out the keys.
            assert app.num_threads() <= threads + 2
        shell.press("q")
        shell.until_text("PROMPT>")
        assert shell.faults() == []
        shell.press("echo do''ne\n")
        shell.until_text("done")
    finally:
        shell.close()
    assert_trains_on(training)


def test_command_without_a_shell_is_not_stopped(lab: PersonTerminal) -> None:
    lab.press("\x1a")
    lab.until_text("there is no shell")
    assert ALTERNATE in lab.modes
    lab.press("q")
    assert lab.until_ended(5) == 0
    assert lab.faults() == []
