"""Test the rule for the norm of the whole gradient in scripts whose loss is not known."""

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


def dies(losses: np.ndarray, rows: list[int], silent: int) -> Evidence:
    """A recording of few rows of the gradient, of which the last ones are exactly 0."""
    norms = np.ones((len(rows), 2))
    norms[len(rows) - silent :] = 0.0
    return Evidence(
        layers=("0", "2"),
        kinds=("linear",) * 2,
        parameters=(100,) * 2,
        loss=Series.of(np.arange(1, len(losses) + 1), losses),
        grad_norm=Series.of(rows, norms),
        finished=True,
    )


def test_one_row_of_zeros_at_the_end_says_that_the_output_is_dead_where_the_loss_has_not_fallen() -> None:
    random = np.random.default_rng(0)
    stuck, falling = (9.0 * random.gamma(9.0, 1 / 9, 400) * np.linspace(1, end, 400) for end in (1.0, 0.05))
    (finding,) = diagnose(dies(stuck, [1, 2, 400], 1))
    assert (finding.code, finding.step) == ("no-gradient", 400)
    assert "At step 400, unlike at step 2," in finding.evidence
    # A batch whose margins are all kept, the mean of signs that cancel, and a number on both sides of 0 say nothing.
    assert diagnose(dies(falling, [1, 2, 400], 1)) == []
    assert diagnose(dies(random.normal(size=400), [1, 2, 400], 1)) == []
    assert "no-gradient" not in [one.code for one in diagnose(dies(stuck, [1, 2, 400], 0))]
