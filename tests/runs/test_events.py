"""Test the log of events of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradtui.runs.events import EventLog, RunPhase, rollback_step
from gradtui.runs.writer import RunWriter


def log_of(folder: Path, *events: dict) -> EventLog:
    writer = RunWriter(folder, {})
    for event in events:
        writer.event(**event)
    writer.close()
    log = EventLog(folder)
    log.poll()
    return log


def test_unknown_events_are_kept_and_other_lines_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(
        b'{"event":"comet","time":1,"step":3,"tail":[1]}\n'
        b'{"time":1}\n{"event":7}\nrubbish\n{"event":"phase","phase":"training"}\n{"event":"tor'
    )
    log = EventLog(tmp_path)
    assert log.poll()
    assert [event["event"] for event in log.entries] == ["comet", "phase"]
    assert log.entries[0]["tail"] == [1]
    assert not log.poll()


def test_writer_removes_a_torn_last_line(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(b'{"event":"paused","time":1}\n{"event":"tor')
    log = log_of(tmp_path, {"event": "resumed"})
    assert [event["event"] for event in log.entries] == ["paused", "resumed"]


@pytest.mark.parametrize(
    ("events", "run_phase"),
    [
        ([], RunPhase()),
        ([{"event": "phase", "phase": "building"}], RunPhase("building")),
        ([{"event": "phase", "phase": "training"}, {"event": "paused"}], RunPhase("training", paused=True)),
        (
            [{"event": "paused"}, {"event": "phase", "phase": "evaluating"}],
            RunPhase("evaluating", paused=True),
        ),
        ([{"event": "paused"}, {"event": "resumed"}], RunPhase()),
        (
            [{"event": "paused"}, {"event": "end", "status": "stopped", "reason": "by hand"}],
            RunPhase(end="stopped", reason="by hand"),
        ),
        ([{"event": "end", "reason": None}], RunPhase(end="finished")),
        # Resumed after its end.
        (
            [{"event": "end", "status": "stopped"}, {"event": "phase", "phase": "importing"}],
            RunPhase("importing"),
        ),
    ],
)
def test_the_run_phase_follows_from_the_events(
    tmp_path: Path, events: list[dict], run_phase: RunPhase
) -> None:
    assert log_of(tmp_path, *events).run_phase == run_phase


def test_events_after_the_step_of_a_rollback_do_not_count(tmp_path: Path) -> None:
    log_of(
        tmp_path,
        {"event": "evaluation", "step": 100, "test_loss": 1},
        {"event": "evaluation", "step": 200, "test_loss": 2},
        {"event": "finding", "step": 50, "code": "vanishing", "severity": "warning"},
        {"event": "finding", "step": 150, "code": "vanishing", "severity": "critical"},
        {"event": "finding", "step": 160, "code": "nonfinite"},
        {"event": "control", "step": 170, "wish": "set"},
    )
    RunWriter(tmp_path, {}, resume_at=120).close()
    log = log_of(tmp_path, {"event": "evaluation", "step": 200, "test_loss": 3})
    assert [(event["step"], event["test_loss"]) for event in log.evaluations] == [(100, 1), (200, 3)]
    assert [(finding["code"], finding["step"]) for finding in log.findings()] == [("vanishing", 50)]
    assert len(log.entries) == 8


def test_the_newest_finding_of_each_code_counts(tmp_path: Path) -> None:
    log = log_of(
        tmp_path,
        {"event": "finding", "step": 1, "code": "vanishing", "evidence": "a"},
        {"event": "finding", "step": 2, "code": "saturated", "evidence": "b"},
        {"event": "finding", "step": 3, "code": "vanishing", "evidence": "c"},
    )
    assert [(finding["code"], finding["evidence"]) for finding in log.findings()] == [
        ("vanishing", "c"),
        ("saturated", "b"),
    ]


@pytest.mark.parametrize(
    ("events", "step"),
    [
        ([], None),
        ([("broke", 90, 50)], 50),
        ([("broke", 90, None)], None),
        ([("broke", 90, 50), ("recovered", 200, None)], None),
        ([("broke", 90, 50), ("recovered", 200, None), ("broke", 300, 275)], 275),
        ([("broke", 90, 50), ("rewound", 40, None)], None),
        ([("broke", 90, 50), ("rewound", 90, None)], 50),
    ],
)
def test_rollback_step_counts_until_the_run_recovers_or_is_rolled_back(
    events: list[tuple[str, int, int | None]], step: int | None
) -> None:
    told = [{"event": kind, "step": at, "rewind": back} for kind, at, back in events]
    assert rollback_step(told) == step
