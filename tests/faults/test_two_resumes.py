"""Of several processes that resume one run in the same moment, exactly one trains, and the others say so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from gradtui.runs.run_lock import LOCK_FILE, RunTaken, lock_run, unlock_run
from tests.support.command_line import environment, gradtui, start

SMALL = ["--set", "run.device=cpu", "--set", "run.threads=1", "--set", "net.0.repeat=2", "--quiet"]


def stopped_run(home: Path, steps: int = 20) -> Path:
    result = gradtui(home, "run", "sigmoid-20", *SMALL, "--steps", str(steps))
    assert result.returncode == 0, result.stderr
    (run,) = (home / "runs").iterdir()
    return run


def counted(run: Path) -> Counter[str]:
    return Counter(json.loads(line)["event"] for line in (run / "events.jsonl").read_text().splitlines())


@pytest.mark.long
def test_one_of_two_resumes_trains(tmp_path: Path) -> None:
    run = stopped_run(tmp_path)
    before = counted(run)
    words = ["run", "--resume", run.name, "--steps", "60", "--quiet"]
    processes = [start(tmp_path, *words) for _ in range(3)]
    results = [(*process.communicate(timeout=120), process.returncode) for process in processes]
    assert sorted(code for _, _, code in results) == [0, 2, 2], results
    for stdout, stderr, code in results:
        if code == 2:
            assert stdout == ""
            assert stderr.count("\n") == 1
            # A slow machine may let one begin when another has ended.
            assert (
                f"{run.name}: is being trained; gradtui attach" in stderr
                or "has already taken 60 steps" in stderr
            )
    after = counted(run)
    assert after["end"] == before["end"] + 1
    assert after["resumed_from"] == 1


@pytest.mark.long
def test_two_trainers_of_one_folder(tmp_path: Path) -> None:
    """Trainers that know nothing of each other, as two apps would start them."""
    run = stopped_run(tmp_path)
    experiment = (run / "experiment.toml").read_text()
    (run / "experiment.toml").write_text(experiment.replace("steps = 20", "steps = 50"))
    assert "steps = 50" in (run / "experiment.toml").read_text()
    trainers = [
        subprocess.Popen(
            [sys.executable, "-m", "gradtui.training", str(run)],
            env=environment(tmp_path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [trainer.communicate(timeout=120)[1] for trainer in trainers]
    codes = [trainer.returncode for trainer in trainers]
    if codes != [0, 0]:
        assert sorted(codes) == [0, 2]
        assert "is being trained" in said[codes.index(2)]
    assert counted(run)["resumed_from"] == codes.count(0)


def test_killed_trainer_leaves_no_lock(tmp_path: Path) -> None:
    process = start(tmp_path, "run", "sigmoid-20", *SMALL, "--steps", "100000")
    events = None
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (events and '"phase":"training"' in events.read_text()):
        events = next(iter(tmp_path.glob("runs/*/events.jsonl")), None)
        time.sleep(0.05)
    assert events is not None
    run = events.parent
    with pytest.raises(RunTaken, match="is being trained"):
        lock_run(run)
    os.kill(json.loads((run / "run.json").read_text())["pid"], signal.SIGKILL)
    process.communicate(timeout=60)
    lock = lock_run(run)
    assert lock is not None
    unlock_run(lock)


def test_lock_is_not_taken_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "victim").write_text("x")
    (tmp_path / "run" / LOCK_FILE).symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic link"):
        lock_run(tmp_path / "run")


def test_lock_is_the_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    unlock_run(lock_run(tmp_path / "run"))
    assert (tmp_path / "run" / LOCK_FILE).stat().st_mode & 0o777 == 0o600
