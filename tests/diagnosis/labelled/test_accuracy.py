"""Test the diagnosis on all of the labelled set, trained: the label of each net is what the diagnosis finds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.diagnosis.labelled.cases import HALVES, cases
from tests.diagnosis.labelled.command import unconfirmed
from tests.diagnosis.labelled.judging import Judged, judged
from tests.diagnosis.labelled.table import report
from tests.diagnosis.labelled.trainings import Trainings

pytestmark = pytest.mark.long

RIGHT = 0.97
"""Of all runs of a half. What a training comes to differs by machine and version, most where it hangs by a thread."""
FLICKERING = 0.01


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainings]:
    """Return one trainer for all tests."""
    trainings = Trainings(tmp_path_factory.mktemp("labelled"))
    yield trainings
    trainings.close()


@pytest.fixture(scope="module")
def runs(trainings: Trainings) -> list[Judged]:
    """Every run of the set."""
    return list(judged(cases(), trainings))


def test_the_figures_of_the_trainings_confirm_the_labels(trainings: Trainings) -> None:
    wrong = unconfirmed(cases(), trainings)
    assert len(wrong) <= (1 - RIGHT) * len(cases()), wrong


@pytest.mark.parametrize("half", HALVES)
def test_the_diagnosis_is_right(runs: list[Judged], half: str) -> None:
    part = [run for run in runs if run.case.half == half]
    assert sum(run.right for run in part) >= RIGHT * len(part), report(part)


def test_healthy_nets_raise_no_alarm(runs: list[Judged]) -> None:
    alarmed = [run for run in runs if run.case.well and (run.findings or run.live)]
    assert not alarmed, report(alarmed)


def test_findings_do_not_flicker(runs: list[Judged]) -> None:
    flickering = [run for run in runs if run.flickers]
    assert len(flickering) <= FLICKERING * len(runs), report(flickering)
