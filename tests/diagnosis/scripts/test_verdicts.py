"""Test the whole set of script trainings: healthy ones have no finding, and the faults of failing ones are named."""

from __future__ import annotations

import pytest

from tests.diagnosis.scripts.judging import Judged, judge
from tests.diagnosis.scripts.registry import BROKE
from tests.diagnosis.scripts.set import TRAININGS

pytestmark = pytest.mark.long

NAMED = {"loss": 0.95, "line": 0.9}
"""The share of the failing trainings whose fault must be named, with the loss logged and with one line only."""
KNOWN_ALARMS = frozenset({"growing_returns"})
"""Healthy trainings with an alarm that no rule takes away yet: a loss of one term that grows with the targets."""


def judged(mode: str, *, fixed: bool = False) -> list[Judged]:
    chosen = [training for training in TRAININGS.values() if training.codes or not fixed]
    return [judge(training, logs=mode == "loss", fixed=fixed) for training in chosen]


def wrong(results: list[Judged]) -> str:
    return "\n".join(result.line for result in results if not result.right)


def test_the_set_is_balanced_and_its_verdicts_are_codes_that_exist() -> None:
    failing = [training for training in TRAININGS.values() if training.codes]
    assert len(TRAININGS) >= 100
    assert abs(len(failing) - len(TRAININGS) / 2) < 5
    assert set(BROKE) <= set().union(*(training.codes for training in failing))


@pytest.mark.parametrize("mode", ["loss", "line"])
def test_healthy_scripts_raise_no_alarm_and_failing_ones_are_named(mode: str) -> None:
    results = judged(mode)
    healthy, failing = [r for r in results if r.healthy], [r for r in results if not r.healthy]
    assert all(result.as_expected for result in healthy), [r.line for r in healthy if not r.as_expected]
    alarmed = {result.training.name for result in healthy if not result.right}
    assert alarmed <= KNOWN_ALARMS, wrong(healthy)
    assert sum(result.right for result in failing) >= NAMED[mode] * len(failing), wrong(failing)


def test_scripts_without_their_fault_raise_no_alarm() -> None:
    results = judged("loss", fixed=True)
    assert all(result.right and result.as_expected for result in results), wrong(results)
