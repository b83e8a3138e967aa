"""No other user of a machine reads or controls a run that is not shared."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradtui import open_run
from gradtui.experiment import from_dict
from gradtui.runs.control import ControlReader, send
from gradtui.runs.errors import RunError
from gradtui.runs.folder import CONTROL_FILE, new_folder
from gradtui.runs.jsonl import encode_line
from gradtui.runs.label import Label, write_label
from gradtui.runs.meta import RunMeta, write_meta
from gradtui.training.launch import Trainer, create_run, start_trainer
from gradtui.ui.settings import settings_path, write_settings
from tests.support.command_line import gradtui
from tests.support.person_terminal import PersonTerminal, patched
from tests.support.studies import DEPTHS

NOBODY = 65534
QUICK = {"name": "quick", "run": {"steps": 40, "device": "cpu", "threads": 1}}
ENDLESS = {"name": "endless", "run": {"steps": 10_000_000, "device": "cpu", "threads": 1}}

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can make files of another user")


@pytest.fixture(params=[0o000, 0o002, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """Return the modes of a folder and of all that is in it."""
    paths = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode) for path in paths}


def expected(folder: Path, of_folders: int, of_files: int) -> dict[str, int]:
    paths = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder)): of_folders if path.is_dir() else of_files for path in paths}


def trained(root: Path, *, share: bool = False) -> Path:
    folder = create_run(from_dict(QUICK), root, share=share)
    assert start_trainer(folder).wait(120) == 0
    write_label(folder, Label(name="mine"))
    send(folder, "pause")
    return folder


@pytest.mark.long
def test_run_is_private_to_its_user_under_any_umask(tmp_path: Path, umask: int) -> None:
    folder = trained(tmp_path / "runs")
    assert {"control.jsonl", "trainer.log", "run.json", "events.jsonl", "checkpoints"} <= set(modes(folder))
    assert modes(folder) == expected(folder, 0o700, 0o600)
    assert stat.S_IMODE((tmp_path / "runs").stat().st_mode) == 0o700


@pytest.mark.long
def test_shared_run_is_readable_by_the_group_under_any_umask(tmp_path: Path, umask: int) -> None:
    folder = trained(tmp_path / "runs", share=True)
    assert modes(folder) == expected(folder, 0o750, 0o640)
    assert stat.S_IMODE((tmp_path / "runs").stat().st_mode) == 0o750


WATCHED = """
import sys, torch
torch.manual_seed(0)
model = torch.nn.Sequential(*[torch.nn.Linear(4, 4) for _ in range(3)])
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for step in range(30):
    loss = model(torch.randn(8, 4)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


@pytest.mark.long
def test_nothing_in_the_home_is_open_to_others_under_any_umask(
    home: Path, tmp_path: Path, umask: int
) -> None:
    """Every command and screen that writes there leaves it private, and the home itself to its user to change."""
    (tmp_path / "train.py").write_text(WATCHED)
    (tmp_path / "depths.toml").write_text(DEPTHS)
    crash = "from gradtui.ui.screens.lab.lab_screen import LabScreen\nLabScreen.action_edit = lambda: None"
    for command, keys in (
        (patched("", "learn", "1"), ("\x10", *"gradtui-light", "\r", "q")),
        (patched(crash), ("p",)),
    ):
        terminal = PersonTerminal(home / "deeper", command=command)
        try:
            terminal.until_text("─ Model ")
            for key in keys:
                terminal.press(key)
                terminal.stay(0.3)
            terminal.until_ended(10)
        finally:
            terminal.close()
    script = [sys.executable, str(tmp_path / "train.py")]
    for words in (
        ["run", "sigmoid-20", "--steps", "3"],
        ["study", str(tmp_path / "depths.toml"), "--quiet"],
        ["watch", "--try", "lr=x0.1", "--steps", "20", "--", *script],
    ):
        done = gradtui(home / "deeper", *words)
        assert done.returncode == 0, done.stderr
    found = modes(home)
    assert {Path(name).name for name in found} >= {"settings.toml", "crashes", "runs.jsonl", "trainer.log"}
    parents = {".", "deeper", "deeper/studies"}
    kinds = expected(home, 0o700, 0o600) | dict.fromkeys(parents, 0o755 & ~umask)
    assert found == kinds


def test_setting_shares_every_new_run(tmp_path: Path, umask: int) -> None:
    write_settings(settings_path(), {"share": True})
    assert stat.S_IMODE(settings_path().stat().st_mode) == 0o600
    assert stat.S_IMODE(new_folder(tmp_path, "a").stat().st_mode) == 0o750


@pytest.fixture
def training(tmp_path: Path) -> Iterator[tuple[Path, Trainer]]:
    folder = create_run(from_dict(ENDLESS), tmp_path / "runs")
    trainer = start_trainer(folder)
    try:
        deadline = time.monotonic() + 60
        while open_run(folder).steps < 5:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield folder, trainer
    finally:
        send(folder, "stop") if (folder / CONTROL_FILE).lstat().st_uid == os.getuid() else os.kill(
            trainer.pid, 9
        )
        trainer.wait(60)


def refused(folder: Path) -> list[str]:
    """Wait for refused commands, and return their reasons."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
        reasons = [event["reason"] for event in events if event["event"] == "refused"]
        if reasons:
            return reasons
        time.sleep(0.05)
    return []


def order(command: str) -> bytes:
    return encode_line({"wish": command, "id": command, "time": time.time()})


@pytest.mark.long
@as_root
def test_trainer_refuses_a_control_file_of_another_user(training: tuple[Path, Trainer]) -> None:
    folder, trainer = training
    forged = folder / "forged"
    forged.write_bytes(order("stop"))
    os.chown(forged, NOBODY, NOBODY)
    forged.replace(folder / CONTROL_FILE)
    assert refused(folder) == ["control.jsonl belongs to another user"]
    assert trainer.poll() is None


@pytest.mark.long
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666], ids=oct)
def test_trainer_refuses_a_control_file_that_others_can_write(
    training: tuple[Path, Trainer], mode: int
) -> None:
    folder, trainer = training
    path = folder / CONTROL_FILE
    path.chmod(mode)
    with path.open("ab") as file:
        file.write(order("stop"))
    assert refused(folder) == ["control.jsonl can be written by other users"]
    assert trainer.poll() is None
    path.chmod(0o600)


def test_flood_of_refused_commands_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / CONTROL_FILE
    reader = ControlReader(tmp_path)
    path.write_bytes(b"".join(encode_line({"wish": "stop", "id": str(n)}) for n in range(5000)))
    path.chmod(0o666)
    assert len(reader.poll()) == 20
    with path.open("ab") as file:
        file.write(encode_line({"wish": "stop", "id": "one more"}))
    assert reader.poll() == []


def test_run_of_an_older_gradtui_is_taken_up(tmp_path: Path) -> None:
    path = tmp_path / CONTROL_FILE
    path.touch()
    path.chmod(0o664)
    reader = ControlReader(tmp_path)
    send(tmp_path, "pause")
    assert [(command.name, command.refusal) for command in reader.poll()] == [("pause", "")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@as_root
def test_other_user_can_read_a_shared_run_and_not_control_it(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder != Path("/tmp"):
            folder.chmod(0o755)
    run = new_folder(tmp_path, "mine")
    write_meta(run, RunMeta.of_this_process(id=run.name, name="mine"))
    run.chmod(0o777)
    (run / "run.json").chmod(0o644)
    script = (
        "import os, sys; from pathlib import Path\n"
        "from gradtui.runs.control import send; from gradtui.runs.errors import RunError\n"
        "from gradtui.runs.meta import read_meta\n"
        f"os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "print(read_meta(Path(sys.argv[1])).name)\n"
        "try: send(Path(sys.argv[1]), 'stop')\n"
        "except RunError as error: print(error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(run)], capture_output=True, text=True, check=True
    )
    assert told.stdout == (f"mine\n{run.name}: belongs to another user, and only its owner can control it\n")
    assert not (run / CONTROL_FILE).exists()
    with pytest.raises(RunError):
        send(tmp_path / "gone", "stop")
