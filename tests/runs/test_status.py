"""Test the status of a run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gradtui.runs import process
from gradtui.runs.errors import RunError
from gradtui.runs.events import EventLog
from gradtui.runs.status import RunStatus, current_status, read_status
from gradtui.runs.writer import RunWriter
from tests.support.run_folders import columns_of, describe

PRETRAINING = {"event": "phase", "phase": "pretraining", "layer": 1, "layers": 3, "epoch": 0, "epochs": 5}
TRAINING = {"event": "phase", "phase": "training"}


def status_of(folder: Path, *events: dict, steps: int = 0, **meta: Any) -> RunStatus:
    writer = RunWriter(folder, columns_of(describe(folder, **meta)))
    for step in range(1, steps + 1):
        writer.append("scalars", step, [1, 2, 3])
    for event in events:
        writer.event(**event)
    writer.close()
    return read_status(folder)


def nobody() -> dict[str, Any]:
    """A process that is gone."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return {"pid": child.pid, "pid_started": 1}


@pytest.mark.parametrize(
    ("events", "steps", "expected"),
    [
        ([], 0, RunStatus("starting")),
        ([], 3, RunStatus("running", step=3)),
        ([{"event": "phase", "phase": "importing"}], 0, RunStatus("starting", "importing")),
        ([{"event": "phase", "phase": "building"}], 0, RunStatus("starting", "building")),
        ([PRETRAINING], 0, RunStatus("running", "pretraining")),
        ([TRAINING], 0, RunStatus("running", "training")),
        ([TRAINING, {"event": "paused"}], 3, RunStatus("paused", "training", 3)),
        ([TRAINING, {"event": "end", "status": "finished"}], 3, RunStatus("finished", "training", 3)),
        ([{"event": "end", "status": "stopped"}], 3, RunStatus("stopped", "", 3)),
        (
            [{"event": "end", "status": "diverged", "reason": "loss nan"}],
            3,
            RunStatus("diverged", "", 3, "loss nan"),
        ),
        (
            [{"event": "end", "status": "failed", "reason": "no memory"}],
            0,
            RunStatus("failed", "", 0, "no memory"),
        ),
        ([{"event": "end", "status": "melted"}], 0, RunStatus("failed")),
    ],
)
def test_status_follows_from_the_events(
    tmp_path: Path, events: list[dict], steps: int, expected: RunStatus
) -> None:
    got = status_of(tmp_path, *events, steps=steps)
    assert got == expected
    assert got.live == (expected.state in ("starting", "running", "paused"))


@pytest.mark.parametrize(
    ("events", "steps", "reason"),
    [
        ([TRAINING], 7, "died at step 7"),
        ([{"event": "phase", "phase": "building"}], 0, "died while building"),
        ([], 0, "died before its first step"),
        ([TRAINING, {"event": "paused"}], 2, "died at step 2"),
    ],
)
def test_run_without_end_event_and_process_has_died(
    tmp_path: Path, events: list[dict], steps: int, reason: str
) -> None:
    got = status_of(tmp_path, *events, steps=steps, **nobody())
    assert (got.state, got.step, got.reason, got.live) == ("died", steps, reason, False)


def test_run_with_end_event_and_no_process_has_ended(tmp_path: Path) -> None:
    end = {"event": "end", "status": "finished"}
    assert status_of(tmp_path, TRAINING, end, steps=3, **nobody()).state == "finished"


def test_reused_pid_does_not_make_a_run_live(tmp_path: Path) -> None:
    started = process.start_ticks(os.getpid())
    if started is None:
        pytest.skip("no /proc")
    assert status_of(tmp_path, TRAINING, pid_started=started - 5).state == "died"


@pytest.mark.parametrize("elsewhere", [{"host": "far away"}, {"machine": "another boot"}, {"pid": 0}])
def test_heartbeat_decides_on_another_machine(tmp_path: Path, elsewhere: dict[str, Any]) -> None:
    assert status_of(tmp_path, TRAINING, **elsewhere).state == "running"
    old = time.time() - 31
    os.utime(tmp_path / "heartbeat", (old, old))
    assert read_status(tmp_path).state == "died"
    (tmp_path / "heartbeat").unlink()
    assert read_status(tmp_path).state == "running"
    os.utime(tmp_path / "run.json", (old, old))
    assert read_status(tmp_path).state == "died"


def test_run_without_a_trainer_is_starting_for_a_minute_and_then_failed(tmp_path: Path) -> None:
    (tmp_path / "experiment.toml").write_text("")
    assert read_status(tmp_path) == RunStatus("starting")
    old = time.time() - 61
    os.utime(tmp_path, (old, old))
    assert read_status(tmp_path) == RunStatus("failed", reason="the trainer never started")


def test_end_event_written_during_the_check_is_seen(tmp_path: Path) -> None:
    meta = describe(tmp_path, **nobody())
    log = EventLog(tmp_path)
    log.poll()
    writer = RunWriter(tmp_path, {})
    writer.event("end", status="finished")
    writer.close()
    assert current_status(tmp_path, meta, log, 5).state == "finished"


def test_a_corrupt_run_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunError, match=r"run\.json"):
        read_status(tmp_path)


def test_the_last_step_is_that_of_the_table_that_went_furthest(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, columns_of(describe(tmp_path)))
    writer.append("scalars", 8, [1, 2, 3])
    writer.append("grad_norm", 9, [1, 2, 3])
    writer.close()
    with (tmp_path / "grad_norm.f32").open("ab") as file:
        file.write(b"torn")
    assert read_status(tmp_path).step == 9


def test_listing_runs_and_sending_commands_need_no_numpy() -> None:
    code = (
        "import sys\n"
        "from gradtui.runs import control, folder, library, meta, status\n"
        "library.list_runs()\n"
        "print([name for name in ('numpy', 'torch', 'textual') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"
