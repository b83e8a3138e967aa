"""Test the run monitor: findings do not flicker, recorded ones come first, and the time of a step is right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gradtui.diagnosis import LiveDiagnosis, RunMonitor
from gradtui.diagnosis.ended_runs import EndedRuns, note_findings
from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.judged import objection
from gradtui.diagnosis.monitor import CLEARING_STEPS, CLEARING_UPDATES, step_seconds
from gradtui.runs.folder import runs_root
from gradtui.runs.library import list_runs, needs_diagnosis
from gradtui.runs.reader import open_run
from gradtui.runs.summary import Summary
from gradtui.runs.writer import RunWriter
from tests.support.evidence import curve, evidence, live
from tests.support.studies import SCALARS, sigmoids, write_run

STARVED = evidence(layers=20, drop=-11.8, loss=curve(2.35, 2.30, steps=200), update=6e-7)
WELL = evidence(layers=20, drop=0.1, loss=curve(2.35, 1.0, steps=400))


def test_a_finding_is_announced_once_and_stays() -> None:
    diagnosis = LiveDiagnosis()
    announced, standing = [], []
    for step in range(1, 200, 7):
        update = diagnosis.update(live(STARVED, step))
        announced += [finding.code for finding in update.new]
        standing.append([finding.code for finding in update.findings])
    assert announced == ["vanishing"]
    first = standing.index(["vanishing"])
    assert standing[:first] == [[]] * first
    assert standing[first:] == [["vanishing"]] * (len(standing) - first)


def test_one_update_confirms_nothing() -> None:
    diagnosis = LiveDiagnosis()
    assert diagnosis.update(live(STARVED, 30)).findings == []
    assert diagnosis.update(live(STARVED, 30)).findings == []
    assert [finding.code for finding in diagnosis.update(live(STARVED, 31)).new] == ["vanishing"]


def test_a_finding_of_one_odd_update_is_never_shown() -> None:
    diagnosis = LiveDiagnosis()
    for step in range(20, 190, 10):
        update = diagnosis.update(live(STARVED if step == 100 else WELL, step))
        assert update.findings == []


def test_a_finding_is_kept_until_it_is_clearly_gone() -> None:
    diagnosis = LiveDiagnosis()
    for step in (30, 40):
        diagnosis.update(live(STARVED, step))
    kept = [bool(diagnosis.update(live(WELL, step)).findings) for step in range(41, 41 + 3 * CLEARING_STEPS)]
    assert kept.index(False) >= max(CLEARING_UPDATES, CLEARING_STEPS) - 1
    assert not any(kept[kept.index(False) :])
    # When it comes back, it is not announced a second time.
    for step in (150, 160, 170):
        update = diagnosis.update(live(STARVED, step))
        assert update.new == []
    assert [finding.code for finding in update.findings] == ["vanishing"]


def test_a_finding_that_hovers_about_a_threshold_does_not_flicker() -> None:
    diagnosis = LiveDiagnosis()
    for step in range(100, 160, 5):
        diagnosis.update(live(STARVED, step))
    kept = [bool(diagnosis.update(live(WELL, step)).findings) for step in range(160, 195)]
    assert all(kept)
    assert diagnosis.update(live(STARVED, 196)).new == []


def test_nonfinite_numbers_are_announced_at_once() -> None:
    broken = evidence(drop=1.6, loss=[28.0, np.nan], total=[60.0, np.nan])
    assert "nonfinite" in [finding.code for finding in LiveDiagnosis().update(live(broken, 2)).new]


def test_in_a_finished_run_the_findings_are_those_of_the_rules() -> None:
    diagnosis = LiveDiagnosis()
    assert [finding.code for finding in diagnosis.update(STARVED).new] == ["vanishing"]
    assert diagnosis.update(WELL).findings == []


def test_what_one_update_saw_is_pending_until_the_next() -> None:
    diagnosis = LiveDiagnosis()
    assert [finding.code for finding in diagnosis.update(live(STARVED, 30)).pending] == ["vanishing"]
    assert diagnosis.update(live(STARVED, 31)).pending == []


def test_clean_updates_count_only_at_different_steps_and_from_the_last_problem_on() -> None:
    diagnosis = LiveDiagnosis()
    counts = [diagnosis.update(live(WELL, step)).clean_updates for step in (30, 30, 31)]
    assert counts == [1, 1, 2]
    assert diagnosis.update(live(STARVED, 40)).clean_updates == 0
    assert diagnosis.update(live(WELL, 50)).clean_updates == 1


@pytest.fixture
def folder() -> Path:
    """A folder for one run, where a list of runs finds it."""
    folder = runs_root() / "20260101-000000-sigmoids"
    folder.mkdir(parents=True)
    return folder


def record(folder: Path, *findings: Finding) -> None:
    """Write findings as a trainer does."""
    writer = RunWriter(folder, {})
    for finding in findings:
        writer.event("finding", **finding.to_json())
    writer.close()


def diagnosed(folder: Path) -> RunMonitor:
    monitor = RunMonitor(folder)
    assert monitor.poll()
    assert monitor.waiting_since is not None
    monitor.diagnose()
    assert monitor.waiting_since is None
    return monitor


def codes(findings: tuple[Finding, ...] | None) -> tuple[str, ...]:
    return tuple(finding.code for finding in findings or ())


def test_of_an_ended_run_the_rules_say_what_holds_and_the_list_of_runs_learns_it(folder: Path) -> None:
    write_run(folder, sigmoids(), end="finished")
    record(folder, Finding("dead-units", "warning", 20, ("dense2",), "Half of them."))
    assert list_runs()[0].summary.findings == ("dead-units",)
    monitor = diagnosed(folder)
    assert codes(monitor.findings) == codes(monitor.current_findings) == ("vanishing",)
    assert note_findings(monitor.run, monitor.findings or ())
    [listed] = list_runs()
    assert listed.summary.findings == ("vanishing",)
    assert listed.summary.judgement.mark[0] == "✖"


def test_of_a_live_run_the_recorded_findings_are_shown_too_with_the_newest_figures(folder: Path) -> None:
    write_run(folder, sigmoids(), end=None)
    record(
        folder,
        Finding("vanishing", "warning", 20, ("dense2",), "As it was at step 20."),
        Finding("dead-units", "warning", 20, ("dense2",), "Half of them."),
    )
    monitor = diagnosed(folder)
    monitor.diagnose(finished=False)
    assert codes(monitor.findings) == list_runs()[0].summary.findings[::-1] == ("dead-units", "vanishing")
    assert list_runs()[0].summary.judgement.state == "problem"


def test_what_the_trainer_records_is_shown_at_once_even_while_a_diagnosis_takes_long(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(folder, sigmoids(), decades=0.0, learns=True, end=None)
    monkeypatch.setattr("gradtui.diagnosis.monitor.SECONDS_BETWEEN_DIAGNOSES", 1e6)
    monitor = diagnosed(folder)
    record(folder, Finding("dead-units", "warning", 20, ("dense2",), "Half of them."))
    assert monitor.poll()
    assert monitor.waiting_since is not None
    monitor.diagnose()
    assert codes(monitor.findings) == list_runs()[0].summary.findings == ("dead-units",)
    assert monitor.waiting_since is None


def test_the_list_of_runs_diagnoses_what_a_script_or_a_killed_trainer_did_not(folder: Path) -> None:
    write_run(folder, sigmoids(), end="finished")
    [listed] = list_runs()
    assert needs_diagnosis(listed)
    assert listed.summary.judgement.state == "checking"
    assert EndedRuns().diagnose([listed], seconds=60.0)
    [listed] = list_runs()
    assert not needs_diagnosis(listed)
    assert (listed.summary.findings, listed.summary.judgement.words) == (("vanishing",), "vanishing")


def test_recorded_findings_stand_in_the_order_of_the_registry(folder: Path) -> None:
    write_run(folder, sigmoids(), decades=0.0, learns=True, end=None)
    found = [Finding(code, "warning", 5, (), "") for code in ("of-another-version", "vanishing", "exploding")]
    record(folder, *found)
    assert codes(diagnosed(folder).findings) == ("exploding", "vanishing", "of-another-version")


def test_a_finding_that_no_longer_holds_is_taken_back(folder: Path) -> None:
    write_run(folder, sigmoids(), decades=0.0, learns=True, end=None)
    record(folder, Finding("dead-units", "warning", 20, ("dense2",), "Half of them."))
    writer = RunWriter(folder, {})
    writer.event("diagnosed", 40, codes=[], finished=False)
    writer.close()
    assert list_runs()[0].summary.findings == ()
    assert list_runs()[0].summary.judgement.state == "checking"
    assert diagnosed(folder).findings is None


def test_where_none_are_recorded_the_monitor_shows_its_own(folder: Path) -> None:
    write_run(folder, sigmoids(), end="finished")
    assert codes(diagnosed(folder).findings) == ("vanishing",)


def test_in_a_live_run_too_early_to_judge_the_findings_are_unknown(folder: Path) -> None:
    write_run(folder, sigmoids(), steps=5, end=None)
    assert diagnosed(folder).findings is None


def test_a_live_run_is_free_of_problems_only_after_two_clean_diagnoses(folder: Path) -> None:
    write_run(folder, sigmoids(), decades=0.0, learns=True, steps=40, end=None)
    monitor = diagnosed(folder)
    assert monitor.findings is None
    monitor.diagnose()
    assert monitor.findings is None, "the same steps confirm nothing"
    writer = RunWriter(folder, {"scalars": SCALARS})
    writer.append("scalars", 41, np.ones(len(SCALARS)))
    writer.close()
    assert monitor.poll()
    monitor.diagnose()
    assert monitor.findings == ()


@pytest.mark.parametrize(
    ("loss", "norm", "word"),
    [
        ([1.0, 0.9], [2.0, 3.0], ""),
        ([1.0, np.nan], [2.0, 3.0], "the loss is NaN"),
        ([1.0, 0.9], [2.0, np.inf], "the gradient norm is infinite"),
        ([1.0, 0.9], [2.0, 4e6], "the gradient norm is 2e6 times"),
        ([1.0, 0.9], [0.0, 4e6], ""),
    ],
)
def test_nothing_is_called_clean_over_nan_or_a_norm_far_above_its_start(
    loss: list[float], norm: list[float], word: str
) -> None:
    def summary(values: list[float]) -> Summary:
        column = np.array(values, np.float32)
        steps = np.arange(1, len(values) + 1)
        return Summary(steps, steps.astype(np.float64), column, column, column)

    curves = {"loss": summary(loss), "grad_norm": summary(norm)}
    said = objection(curves)
    assert said.startswith(word)
    assert bool(said) == bool(word)
    assert objection(curves, 1) == "", "at the first step all was well"


def test_the_findings_of_an_earlier_step_are_those_of_the_rules_and_those_begun_by_then(folder: Path) -> None:
    write_run(folder, sigmoids(), end="finished")
    record(folder, Finding("dead-units", "warning", 20, ("dense2",), "Half of them."))
    monitor = diagnosed(folder)
    assert codes(monitor.findings_at(40)) == ("vanishing",)
    assert codes(monitor.findings_at(3)) == ("vanishing",), "it has begun, though it could not be told yet"


def test_the_outcome_is_that_of_the_newest_step(folder: Path) -> None:
    write_run(folder, sigmoids(), end="finished", accuracy=0.8)
    outcome = diagnosed(folder).outcome
    assert outcome is not None
    assert (outcome.codes, outcome.step, outcome.accuracy) == (("vanishing",), 60, 0.8)
    assert outcome.seconds == pytest.approx(0.01)


def test_the_time_of_a_step_leaves_out_pauses_and_evaluations(folder: Path) -> None:
    """A pause of an hour, or an evaluation after every tenth step, is not a price of a cure."""
    write_run(folder, sigmoids(), steps=1, end=None)
    writer = RunWriter(folder, {"scalars": SCALARS})
    now = 1e9
    for step in range(2, 202):
        now += 0.01 + (2.0 if step % 10 == 0 else 0.0) + (3600.0 if step == 100 else 0.0)
        writer.append("scalars", step, np.ones(len(SCALARS)), time=now)
    writer.close()
    assert step_seconds(open_run(folder)) == pytest.approx(0.01)


def test_before_the_second_step_its_time_is_unknown(folder: Path) -> None:
    write_run(folder, sigmoids(), steps=1, end=None)
    assert np.isnan(step_seconds(open_run(folder)))
