"""Layers without a gradient are no disease; layers whose gradient is NaN are."""

from __future__ import annotations

import numpy as np

from gradtui.diagnosis import diagnose
from gradtui.diagnosis.absent import without_absent
from gradtui.diagnosis.evidence import Evidence, Series

STEPS = np.arange(1, 61)


def evidence(norms: np.ndarray, total: np.ndarray) -> Evidence:
    return Evidence(
        layers=("frozen", "a", "b", "out"),
        kinds=("linear",) * 4,
        parameters=(10, 20, 30, 40),
        loss=Series.of(STEPS, np.linspace(2, 0.5, 60)),
        grad_norm=Series.of(STEPS, norms),
        total_norm=Series.of(STEPS, total),
        finished=True,
    )


def test_what_never_has_a_gradient_is_left_out_and_gaps_are_bridged() -> None:
    norms = np.tile([np.nan, 1.0, 2.0, 3.0], (60, 1)) * np.linspace(1, 2, 60)[:, None]
    gap = norms.copy()
    gap[1::2, 1] = np.nan
    gap[0, 2] = np.nan
    seen = without_absent(evidence(gap, np.ones(60)))
    assert seen.layers == ("a", "b", "out")
    assert seen.parameters == (20, 30, 40)
    np.testing.assert_array_equal(seen.grad_norm.values[1::2, 0], norms[0::2, 1])
    assert seen.grad_norm.values[0, 1] == norms[1, 2]
    assert diagnose(seen) == []
    assert "nonfinite" in [finding.code for finding in diagnose(evidence(gap, np.ones(60)))]


def test_where_the_whole_is_no_number_neither_is_a_layer() -> None:
    norms = np.tile([np.nan, 1.0, 2.0, 3.0], (60, 1))
    norms[30:, 2] = np.nan
    total = np.where(np.arange(60) < 30, 1.0, np.nan)
    (found,) = [f for f in diagnose(without_absent(evidence(norms, total))) if f.code == "nonfinite"]
    assert found.step == 31
