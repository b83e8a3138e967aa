"""The norm of the whole gradient in scripts whose loss is not known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gradtui.diagnosis.evidence import Evidence, Series
from gradtui.diagnosis.rules import diagnose, remarks


def script(norms: np.ndarray) -> Evidence:
    rows = np.arange(1, len(norms) + 1)
    return Evidence(
        layers=("0", "2", "4"),
        kinds=("linear",) * 3,
        parameters=(100,) * 3,
        paths=((0, 1, 2),),
        loss=Series.none(),
        grad_norm=Series.of(rows, np.outer(norms, np.ones(3)) / 3**0.5),
        total_norm=Series.of(rows, norms),
        finished=True,
    )


def found(evidence: Evidence) -> list[tuple[str, str]]:
    return [(one.code, one.severity) for one in (*diagnose(evidence), *remarks(evidence))]


@pytest.mark.parametrize(
    ("decades", "says"),
    [(4, [("exploding", "warning")]), (2, []), (0, []), (-2, []), (-6, [("vanishing", "info")])],
)
def test_a_norm_that_runs_away_or_collapses_is_told_where_no_loss_is_known(
    decades: int, says: list[tuple[str, str]]
) -> None:
    evidence = script(0.3 * 10 ** np.linspace(0, decades * 1.2, 200))
    assert found(evidence) == says
    losses = Series.of(evidence.total_norm.steps, np.linspace(2.0, 0.1, 200))
    assert found(dataclasses.replace(evidence, loss=losses)) == []


def test_short_runs_and_single_peaks_are_left_in_peace() -> None:
    grown = 0.3 * 10 ** np.linspace(0, 5, 60)
    assert found(script(grown)) == []
    peaks = np.full(200, 0.3)
    peaks[100:110] = 3000.0
    assert ("exploding", "warning") not in found(script(peaks))
