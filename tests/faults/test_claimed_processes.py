"""Test that a run with another program's process, or with a heartbeat in the future, is not live forever."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from gradtui.runs.folder import HEARTBEAT_FILE
from gradtui.runs.process import host_name, machine
from gradtui.runs.status import read_status
from tests.support.run_folders import make

HERE: dict[str, Any] = {"host": host_name(), "machine": machine()}
ELSEWHERE: dict[str, Any] = {"host": "elsewhere", "machine": "another boot"}


@pytest.mark.parametrize(
    ("who", "heartbeat", "state"),
    [
        ({**HERE, "pid": 1, "pid_started": None}, -60.0, "died"),
        ({**HERE, "pid": 1, "pid_started": 123_456_789_012}, 0.0, "died"),
        ({**HERE, "pid": 2**40, "pid_started": 5}, 0.0, "died"),
        ({**ELSEWHERE, "pid": os.getpid()}, -60.0, "died"),
        ({**ELSEWHERE, "pid": os.getpid()}, 10 * 365 * 86_400.0, "died"),
        ({**ELSEWHERE, "pid": 1}, 0.0, "running"),
        (HERE, -60.0, "running"),
    ],
    ids=["pid 1", "pid 1 of another time", "no pid", "silent", "of the future", "heard", "this process"],
)
def test_state_of_a_run_that_claims(
    who: dict[str, Any], heartbeat: float, state: str, tmp_path: Path
) -> None:
    run = make(tmp_path, "run", started=1e9, end=None, **who)
    with (run / "events.jsonl").open("a") as file:
        file.write('{"event": "phase", "phase": "training", "time": 1e9}\n')
    for name in ("run.json", HEARTBEAT_FILE):
        (run / name).touch()
        os.utime(run / name, (time.time() + heartbeat,) * 2)
    assert read_status(run).state == state
