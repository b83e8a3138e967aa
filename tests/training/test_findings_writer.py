"""Test that the diagnosis of a run is written to its events."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradtui.diagnosis import RunMonitor, diagnose, evidence_of
from gradtui.experiment import set_fields
from tests.support.trainings import small, trained

STARVED = {
    "data.source": "digits",
    "data.batch_size": 32,
    "net.0.activation": "sigmoid",
    "net.0.repeat": 14,
    "optimizer.lr": 0.01,
    "run.steps": 60,
    "run.eval_every": 15,
}


def test_findings_at_the_end_are_those_of_the_rules(tmp_path: Path) -> None:
    run, _ = trained(tmp_path / "run", set_fields(small(), STARVED))
    found = {str(event["code"]): event for event in run.findings}
    expected = {finding.code: finding for finding in diagnose(evidence_of(run))}
    assert "vanishing" in found
    assert set(expected) <= set(found)
    assert found["vanishing"]["layers"] == list(expected["vanishing"].layers)
    assert found["vanishing"]["cures"]


def test_run_monitor_shows_the_codes_that_the_trainer_recorded(tmp_path: Path) -> None:
    run, _ = trained(tmp_path / "run", set_fields(small(), STARVED))
    monitor = RunMonitor(run)
    monitor.poll()
    monitor.diagnose()
    assert {finding.code for finding in monitor.findings or ()} == {event["code"] for event in run.findings}


def test_healthy_run_has_no_findings(tmp_path: Path) -> None:
    run, _ = trained(tmp_path / "run", small(run__steps=300, run__eval_every=50, optimizer__momentum=0.9))
    assert run.findings == []


def test_failing_diagnosis_does_not_end_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(run: object) -> None:
        raise ZeroDivisionError("in the rules")

    monkeypatch.setattr("gradtui.diagnosis.monitor.evidence_of", broken)
    _, ending = trained(tmp_path / "run", small())
    assert ending == ("finished", "")
    assert "in the rules" in capsys.readouterr().err
