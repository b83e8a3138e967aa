"""Test the time that trainings are expected to take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gradtui.experiment import resolve
from gradtui.runs.library import list_runs
from gradtui.study.estimate import slowness, training_seconds
from gradtui.words import about
from tests.support.studies import failing_run, sigmoids


@pytest.mark.parametrize(
    ("preset", "milliseconds"),
    [("plain-5", 4), ("sigmoid-20", 5.7), ("plain-57", 18), ("adding-lstm", 12), ("resnet-20", 73)],
)
def test_a_step_is_expected_within_a_factor_of_two_of_what_was_measured(
    preset: str, milliseconds: float
) -> None:
    experiment = resolve(preset)
    expected = 1000 * training_seconds(experiment) / experiment.run.steps
    assert milliseconds / 2 < expected < milliseconds * 2


def test_the_machine_is_as_much_slower_as_its_ended_runs_took_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert slowness(tmp_path) == 1.0
    experiment = sigmoids()
    failing_run(experiment)
    (info,) = list_runs()
    took = 4.0 * training_seconds(experiment)
    slow = replace(info, summary=replace(info.summary, seconds=took))
    monkeypatch.setattr("gradtui.study.estimate.list_runs", lambda runs: [slow])
    assert slowness(tmp_path) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (3, "under 10 s"),
        (38, "about 40 s"),
        (57, "about 1 min"),
        (130, "about 2 min"),
        (3400, "about 1 h"),
        (90_000, "about 1 d"),
    ],
)
def test_an_estimate_has_one_digit_and_the_largest_unit_that_fits(seconds: float, said: str) -> None:
    assert about(seconds) == said
