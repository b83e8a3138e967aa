"""No command and no screen changes what is behind symbolic links that somebody has put into the folders of gradtui."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gradtui.ui.settings import settings_path
from tests.support.command_line import environment, gradtui
from tests.support.person_terminal import PersonTerminal, patched
from tests.support.run_folders import make
from tests.support.studies import DEPTHS
from tests.support.watched_command import Folder

pytestmark = pytest.mark.long

NOBODY = 65534
RESUMED = """
import sys, torch, gradtui
torch.manual_seed(0)
model = torch.nn.Sequential(*[torch.nn.Linear(4, 4) for _ in range(3)])
optimizer = torch.optim.SGD(model.parameters(), 0.1)
watch = gradtui.watch(model, optimizer, resume="given")
for _ in range(20):
    print("a line of output")
    loss = model(torch.randn(8, 4)).square().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    watch.log(loss=loss)
"""
LESSON = """
lesson = "short"
title = "Short"
[[step]]
title = "One"
text = "Text."
experiment = "sigmoid-20"
question = { kind = "choice", ask = "?", hint = "!", choices = [{ text = "a", right = true }, { text = "b" }] }
"""
CRASH = """
from gradtui.ui.screens.lab.lab_screen import LabScreen
def action_edit(self, way):
    raise ValueError
LabScreen.action_edit = action_edit
"""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of somebody's precious files, which are the same after the test."""
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


def contents(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return the content, the mode and the time of change of every file in a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    about = {path: path.stat() for path in files}
    return {str(path): (path.read_bytes(), about[path].st_mode, about[path].st_mtime_ns) for path in files}


def replace_all_by_links(run: Path, outside: Path) -> None:
    """Move every file of a run folder outside, and leave a link to it, so that the run can still be read."""
    for path in [path for path in run.rglob("*") if path.is_file()]:
        target = outside / path.relative_to(run)
        target.parent.mkdir(exist_ok=True)
        shutil.move(path, target)
        path.symlink_to(target)


def press(terminal: PersonTerminal, *keys: str) -> None:
    for key in keys:
        terminal.press(key)
        terminal.stay(0.3)


def test_run_folder_full_of_links(home: Path, outside: Path, tmp_path: Path) -> None:
    trained = gradtui(home, "run", "sigmoid-20", "--steps", "20", "--set", "run.checkpoint_every=10")
    assert trained.returncode == 0, trained.stderr
    [run] = (home / "runs").glob("*-sigmoid-20")
    for name in ("label.json", "trainer.log"):
        (run / name).write_text("{}")
    # The lock is the first file that a resumed training opens; without it, the others are reached.
    (run / "trainer.lock").unlink()
    replace_all_by_links(run, outside)
    before = contents(outside)

    assert gradtui(home, "diagnose", run.name).returncode == 0
    assert gradtui(home, "report", run.name, str(tmp_path / "page.html")).returncode == 0
    assert gradtui(home, "export", run.name, "--to", "csv", str(tmp_path / "out")).returncode == 0
    fork = gradtui(home, "run", "--from", run.name, "--steps", "22")
    assert fork.returncode == 0, fork.stderr
    for link, code in (("trainer.log", 2), ("events.jsonl", 1), ("scalars.f32", 1)):
        resumed = gradtui(home, "run", "--resume", run.name, "--steps", "40")
        assert resumed.returncode == code, link
        assert "symbolic link" in resumed.stderr, resumed.stderr
        # The next one is reached when this one is an ordinary file.
        (run / link).unlink()
        shutil.copy(outside / link, run / link)
    terminal = PersonTerminal(home, "attach", run.name)
    try:
        terminal.until_text("sigmoid-20")
        press(terminal, " ", "x", "\x1b", "r", "n", *"name\r", "#", *"tag\r", "i", *"note\r", "q", "q")
        assert terminal.until_ended(10) == 0
    finally:
        terminal.close()
    assert contents(outside) == before


def test_watched_script_that_resumes_a_run_full_of_links(home: Path, outside: Path, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    script = folder.write(RESUMED)

    def train() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(script)],
            env=environment(home),
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )

    train()
    [run] = (path for path in (home / "runs").iterdir() if path.name[0] != ".")
    replace_all_by_links(run, outside)
    before = contents(outside)
    told = train()
    assert contents(outside) == before, told.stderr


def test_links_in_the_home(home: Path, outside: Path, tmp_path: Path) -> None:
    for number in range(60):
        make(home / "runs", f"20260101-0000{number:02}-run", started=1e9 + number)
        (outside / f"report{number:02}.txt").write_text("precious")
    (outside / "20200101-000000-1.txt").write_text("named like a report of gradtui")
    for name in ("study.toml", "runs.jsonl", "keeper.json", "heartbeat", "lessons.json", "settings.toml"):
        (outside / name).write_text("")
    study = home / "studies" / "depths"
    study.mkdir(parents=True)
    for name in ("study.toml", "runs.jsonl", "keeper.json", "heartbeat"):
        (study / name).symlink_to(outside / name)
    for name in ("lessons.json", "settings.toml"):
        (home / name).symlink_to(outside / name)
    # Links of one's own settings are followed; this one is somebody else's.
    os.lchown(settings_path(), NOBODY, NOBODY)
    for name in ("crashes", "cache"):
        (home / name).symlink_to(outside)
    (home / "runs" / ".trash").symlink_to(outside)
    before = contents(outside)

    assert gradtui(home, "runs").returncode == 0
    (tmp_path / "depths.toml").write_text(DEPTHS)
    (tmp_path / "lesson.toml").write_text(LESSON)
    refused = gradtui(home, "study", str(tmp_path / "depths.toml"), "--quiet")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "symbolic link" in refused.stderr
    for command, keys in (
        (patched("", "learn", str(tmp_path / "lesson.toml")), ("E", "\r", "q")),
        (patched(CRASH), ("l", "p")),
        (patched(""), ("\x10", *"gradtui-light", "\r", "r", "d", "y", "\x1b", "q", "q")),
    ):
        terminal = PersonTerminal(home, command=command)
        try:
            terminal.until_text("─ Model ")
            terminal.stay(0.5)
            press(terminal, *keys)
            assert terminal.until_ended(10) == (1 if keys[-1] == "p" else 0)
        finally:
            terminal.close()
    assert contents(outside) == before
    assert json.loads((home / "lessons.json").read_text()) == {"short": [1]}
    assert settings_path().read_text().endswith('theme = "gradtui-light"\n')


def test_checkpoint_that_has_no_end_is_not_copied(home: Path, tmp_path: Path) -> None:
    trained = gradtui(home, "run", "sigmoid-20", "--steps", "10", "--set", "run.checkpoint_every=10")
    assert trained.returncode == 0, trained.stderr
    [run] = (home / "runs").glob("*-sigmoid-20")
    [checkpoint] = (run / "checkpoints").iterdir()
    checkpoint.unlink()
    os.mkfifo(checkpoint)
    # Forked into another folder of runs, which may be on another disk.
    refused = gradtui(home, "run", "--from", run.name, "--steps", "12")
    assert refused.returncode == 2, refused.stderr
    checkpoint.unlink()
    checkpoint.symlink_to("/dev/zero")
    refused = gradtui(home, "run", "--from", run.name, "--steps", "12")
    assert refused.returncode == 2, refused.stderr
    assert refused.stderr.count("\n") == 1
