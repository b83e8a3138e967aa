"""A log of any length is read once, within a bound, and then followed at its end."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from gradtui.importing.tensorboard import _whole_records
from gradtui.runs import events as events_module
from gradtui.runs.events import EventLog
from gradtui.runs.jsonl import FIRST_BYTES, LAST_BYTES, MOST_BYTES
from gradtui.runs.library import Library
from tests.support.bounded_command import run_command
from tests.support.run_folders import make

COUNT = 300_000


def line(number: int, kind: str = "evaluation", **fields: object) -> str:
    figures = {"train_loss": 1.0, "train_accuracy": 0.5, "test_loss": 1.0, "test_accuracy": 0.5}
    event = {
        "event": kind,
        "time": 1e9 + number,
        "step": number,
        **(figures if kind == "evaluation" else fields),
    }
    return json.dumps({**event, **fields}) + "\n"


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 300,000 events, 40 MB, with a finding at its beginning and one at its end."""
    run = make(tmp_path_factory.mktemp("home") / "runs", "20260101-000000-long", started=1e9)
    with (run / "events.jsonl").open("w") as file:
        file.write(line(0, "finding", code="vanishing", severity="critical"))
        file.writelines(line(number) for number in range(1, COUNT))
        file.write(line(COUNT, "finding", code="exploding", severity="critical"))
        file.write(line(COUNT, "end", status="finished"))
    return run


def test_both_ends_of_a_long_log_are_read(long_run: Path) -> None:
    size = (long_run / "events.jsonl").stat().st_size
    assert size > 5 * MOST_BYTES
    log = EventLog(long_run)
    assert log.poll()
    assert [event["code"] for event in log.findings()] == ["vanishing", "exploding"]
    assert log.run_phase.end == "finished"
    average = size / COUNT
    assert len(log.entries) == pytest.approx((FIRST_BYTES + LAST_BYTES) / average, rel=0.05)
    steps = [event["step"] for event in log.entries]
    assert steps[:3] == [0, 1, 2]
    assert steps == sorted(steps)
    assert not log.poll()
    with (long_run / "events.jsonl").open("a") as file:
        file.write(line(COUNT + 1, "finding", code="spikes", severity="info"))
        file.write('{"event": "evalu')
    assert log.poll(), "what is appended is read"
    assert [event["code"] for event in log.findings()][-1] == "spikes"
    with (long_run / "events.jsonl").open("a") as file:
        file.write(line(COUNT + 2, "end", status="stopped").removeprefix('{"event": "evalu'))
    log.poll()


@pytest.mark.parametrize("words", [["diagnose", "20260101-000000-long"], ["runs"]], ids=" ".join)
def test_a_long_log_is_no_burden(long_run: Path, words: list[str]) -> None:
    outcome = run_command(words, long_run.parent.parent)
    assert (outcome.fault, outcome.code) == ("", 0)
    assert "a test" in outcome.stdout or words[0] == "diagnose"


def test_a_log_that_is_followed_is_kept_within_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "MOST_EVENTS", 100)
    run = make(tmp_path, "run", started=1e9, end=None)
    log = EventLog(run)
    for begin in range(0, 1000, 50):
        with (run / "events.jsonl").open("a") as file:
            file.writelines(line(number) for number in range(begin, begin + 49))
            file.write(line(begin + 49, "finding", code=f"code{begin // 500}", severity="info"))
        log.poll()
        assert len(log.entries) <= 150
        assert len(log.evaluations) <= 150
    assert [event["code"] for event in log.findings()] == ["code0", "code1"]
    assert log.entries[-1]["step"] == 999


def test_a_line_that_never_ends_is_passed_over(tmp_path: Path) -> None:
    run = make(tmp_path, "run", started=1e9)
    with (run / "events.jsonl").open("a") as file:
        file.write('{"event": "' + "x" * 3 * MOST_BYTES)
    log = EventLog(run)
    log.poll()
    assert log.run_phase.end == "finished"
    with (run / "events.jsonl").open("a") as file:
        file.write('"}\n' + line(50, "finding", code="vanishing", severity="critical"))
    log.poll()
    assert [event["code"] for event in log.findings()] == ["vanishing"]


def test_hole_in_a_file_of_tensorboard_holds_no_records(tmp_path: Path) -> None:
    file = tmp_path / "events.out.tfevents.1"
    # Without right checksums, since only the lengths matter here.
    file.write_bytes(2 * ((5).to_bytes(8, "little") + b"head" + b"event" + b"tail"))
    os.truncate(file, 4_000_000_000)
    assert _whole_records(file) == 2


def test_list_that_does_not_change_is_looked_at_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of runs that have ended, a tenth is looked at in each round, no file is opened, and every change is seen."""
    for number in range(40):
        make(tmp_path, f"run{number:02}", started=1e9 + number)
    library = Library(tmp_path)
    listed = library.read()
    looked_at: list[str] = []
    stat = os.stat

    def noting(path: str | Path, *rest: Any, **options: Any) -> os.stat_result:
        looked_at.append(os.path.basename(os.path.dirname(path)))
        return stat(path, *rest, **options)

    monkeypatch.setattr(os, "stat", noting)
    monkeypatch.setattr(os, "open", lambda *_, **__: pytest.fail("a file was opened"))
    seen: set[str] = set()
    for _ in range(10):
        looked_at.clear()
        assert library.read(hastily=True) is listed
        part = {name for name in looked_at if name.startswith("run")}
        assert len(part) == 4
        seen |= part
    assert len(seen) == 40
