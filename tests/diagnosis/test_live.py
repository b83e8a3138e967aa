"""Findings that neither flicker nor repeat themselves."""

from __future__ import annotations

import numpy as np

from gradtui.diagnosis import LiveDiagnosis
from gradtui.diagnosis.live import GONE, GONE_STEPS
from tests.support.evidence import curve, evidence, live

STARVED = evidence(layers=20, drop=-11.8, loss=curve(2.35, 2.30, steps=200), update=6e-7)
WELL = evidence(layers=20, drop=0.1, loss=curve(2.35, 1.0, steps=400))


def test_a_finding_is_announced_once_and_stays() -> None:
    diagnosis = LiveDiagnosis()
    announced, standing = [], []
    for step in range(1, 200, 7):
        look = diagnosis.update(live(STARVED, step))
        announced += [finding.code for finding in look.new]
        standing.append([finding.code for finding in look.findings])
    assert announced == ["vanishing"]
    first = standing.index(["vanishing"])
    assert standing[:first] == [[]] * first
    assert standing[first:] == [["vanishing"]] * (len(standing) - first)


def test_one_look_is_not_enough() -> None:
    diagnosis = LiveDiagnosis()
    assert diagnosis.update(live(STARVED, 30)).findings == []
    assert diagnosis.update(live(STARVED, 30)).findings == []
    assert [finding.code for finding in diagnosis.update(live(STARVED, 31)).new] == ["vanishing"]


def test_a_single_odd_look_is_never_told() -> None:
    diagnosis = LiveDiagnosis()
    for step in range(20, 190, 10):
        look = diagnosis.update(live(STARVED if step == 100 else WELL, step))
        assert look.findings == []


def test_it_is_kept_until_it_is_clearly_gone() -> None:
    diagnosis = LiveDiagnosis()
    for step in (30, 40):
        diagnosis.update(live(STARVED, step))
    kept = [bool(diagnosis.update(live(WELL, step)).findings) for step in range(41, 41 + 3 * GONE_STEPS)]
    assert kept.index(False) >= max(GONE, GONE_STEPS) - 1
    assert not any(kept[kept.index(False) :])
    # And when it comes back, nobody is told a second time.
    for step in (150, 160, 170):
        look = diagnosis.update(live(STARVED, step))
        assert look.new == []
    assert [finding.code for finding in look.findings] == ["vanishing"]


def test_what_hovers_about_a_threshold_does_not_flicker() -> None:
    diagnosis = LiveDiagnosis()
    for step in range(100, 160, 5):
        diagnosis.update(live(STARVED, step))
    kept = [bool(diagnosis.update(live(WELL, step)).findings) for step in range(160, 195)]
    assert all(kept)
    assert diagnosis.update(live(STARVED, 196)).new == []


def test_numbers_that_are_none_are_told_at_once() -> None:
    broken = evidence(drop=1.6, loss=[28.0, np.nan], total=[60.0, np.nan])
    assert "nonfinite" in [finding.code for finding in LiveDiagnosis().update(live(broken, 2)).new]


def test_of_a_finished_run_the_rules_alone_speak() -> None:
    diagnosis = LiveDiagnosis()
    assert [finding.code for finding in diagnosis.update(STARVED).new] == ["vanishing"]
    assert diagnosis.update(WELL).findings == []
