"""A disk that fails in mid-run is named as the reason; the run never looks as if its process had been killed."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradtui.runs.folder import RESERVE_FILE
from gradtui.runs.reader import open_run
from gradtui.runs.reserve import keep_reserve
from gradtui.runs.writer import RunWriter
from tests.support.command_line import GRADTUI, environment, start
from tests.support.run_folders import columns_of, describe

SMALL = ["--set", "net.0.width=16", "--set", "run.device=cpu", "--set", "run.checkpoint_every=0"]
ENDLESS = ["run", "--steps", "1000000", *SMALL]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a small disk here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path) -> None:
    with (disk / "other").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 1024)
        except OSError:
            pass


def test_end_is_written_where_no_byte_is_left(small_disk: Path) -> None:
    folder = small_disk / "run"
    meta = describe(folder)
    keep_reserve(folder)
    writer = RunWriter(folder, columns_of(meta))
    writer.append("scalars", 1, [1, 2, 3])
    writer.flush()
    events = folder / "events.jsonl"
    # The last block of the events has no room either.
    line = b'{"event":"phase","time":1,"phase":"training","text":"%s"}\n'
    events.write_bytes(line % (b"x" * (4096 - len(line) + 2)))
    assert events.stat().st_size == 4096
    fill(small_disk)
    for step in range(2, 3000):
        writer.append("scalars", step, [1, 2, 3])
    writer.flush()
    assert writer.error is not None
    writer.end("failed", "the disk is full")
    assert (open_run(folder).status.state, open_run(folder).status.reason) == ("failed", "the disk is full")
    assert not (folder / RESERVE_FILE).exists()


def test_room_is_given_back_at_the_end(tmp_path: Path) -> None:
    describe(tmp_path / "run")
    keep_reserve(tmp_path / "run")
    writer = RunWriter(tmp_path / "run", {})
    assert (tmp_path / "run" / RESERVE_FILE).stat().st_blocks * 512 >= 8192
    writer.end("finished", "")
    assert not (tmp_path / "run" / RESERVE_FILE).exists()


@pytest.mark.long
def test_full_disk_ends_a_run_with_its_reason(small_disk: Path) -> None:
    result = subprocess.run(
        [*GRADTUI, *ENDLESS],
        env=environment(small_disk),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr == "gradtui: the training failed: the run cannot be recorded: the disk is full\n"
    assert open_run(next((small_disk / "runs").glob("2*"))).status.state == "failed"


def trained_folder(home: Path) -> Path:
    """Return the folder of the run of a home, once it has been trained for a step."""
    end = time.monotonic() + 60
    while not list(home.glob("runs/*/scalars.f32")):
        assert time.monotonic() < end
        time.sleep(0.05)
    [folder] = home.glob("runs/2*")
    return folder


@pytest.mark.long
@pytest.mark.parametrize("how", ["removed", "moved", "replaced by a file"])
def test_folder_that_is_gone_ends_a_run_with_its_reason(how: str, tmp_path: Path) -> None:
    process = start(tmp_path, *ENDLESS)
    folder = trained_folder(tmp_path)
    if how == "moved":
        folder.rename(tmp_path / "elsewhere")
    else:
        # The trainer may make a file while they are removed.
        while folder.exists():
            shutil.rmtree(folder, ignore_errors=True)
    if how == "replaced by a file":
        folder.write_text("")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(stderr.splitlines()) == 1
    assert stderr.startswith("gradtui: the training failed: ")
    assert "no such folder" in stderr
    if how == "moved":
        status = open_run(tmp_path / "elsewhere").status
        assert status.state == "failed"
        assert status.reason == f"its folder was moved to {tmp_path / 'elsewhere'} during the training"


@pytest.mark.long
def test_disk_that_becomes_read_only_ends_a_run_with_its_reason(tmp_path: Path) -> None:
    process = start(tmp_path, *ENDLESS)
    folder = trained_folder(tmp_path)
    # Another mount over the folder: what is opened from now on is read-only, for every user.
    for options in (["--bind", str(folder), str(folder)], ["-o", "remount,bind,ro", str(folder)]):
        if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
            process.kill()
            pytest.skip("may not mount anything here")
    try:
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 1
        assert stderr.startswith("gradtui: the training failed: ")
        assert "the disk is read-only" in stderr or "its disk is read-only" in stderr
        assert len(stderr.splitlines()) == 1
        status = open_run(folder).status
        assert status.state == "died"
        assert status.reason == f"died at step {status.step}; its disk is read-only"
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
    resumed = start(
        tmp_path, "run", "--resume", folder.name, "--steps", str(open_run(folder).steps + 20), "--quiet"
    )
    assert resumed.wait(60) == 0, "where it can be written again, it is resumed"


@pytest.mark.long
def test_file_that_may_not_grow_ends_a_run_with_its_reason(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    result = subprocess.run(
        [*GRADTUI, *ENDLESS],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=limit,
    )
    assert result.returncode == 1
    reason = "a file has reached the size limit"
    assert result.stderr == f"gradtui: the training failed: the run cannot be recorded: {reason}\n"


SCRIPT = """
import torch, gradtui
model = torch.nn.Sequential(*[torch.nn.Linear(16, 16) for _ in range(20)])
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
probe = gradtui.watch(model, optimizer, budget=1.0)
for step in range(4000):
    loss = model(torch.randn(4, 16)).square().mean()
    loss.backward(); optimizer.step(); optimizer.zero_grad()
    probe.log(loss=loss)
print("trained")
"""


@pytest.mark.long
def test_watched_script_on_a_full_disk_did_not_die(small_disk: Path) -> None:
    (small_disk / "other").write_bytes(b"x" * 300_000)
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        env=environment(small_disk),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "trained\n")
    status = open_run(next((small_disk / "runs").glob("2*"))).status
    assert status.state == "stopped"
    assert "no longer recorded" in status.reason
    assert "No space left on device" in status.reason
