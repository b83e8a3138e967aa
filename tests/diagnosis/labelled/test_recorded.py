"""Test the rules on the numbers of real trainings of every label, at their end and step by step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gradtui.diagnosis import Evidence, Finding, Series, diagnose, remarks
from tests.diagnosis.labelled.cases import SEEDS, Case, cases
from tests.diagnosis.labelled.judging import judge
from tests.diagnosis.labelled.recorded import read

RECORDED = {case.recorded: case for case in cases() if case.recorded}


def partner_of(case: Case) -> Evidence | None:
    """Return the evidence of the recorded shallower net."""
    return read(f"{case.recorded}-partner") if case.partner else None


@pytest.mark.parametrize("name", RECORDED)
def test_the_first_finding_is_the_label_and_nothing_is_taken_back(name: str) -> None:
    case = RECORDED[name]
    judged = judge(case, SEEDS[0], read(name), partner_of(case))
    assert judged.right, judged.first
    assert judged.flickers == []
    assert judged.taken_back == []


def only(name: str) -> tuple[Evidence, Finding]:
    """A recorded run and its first finding."""
    evidence = read(name)
    return evidence, diagnose(evidence)[0]


@pytest.mark.parametrize("name", ["vanishing-sigmoid", "vanishing-late"])
def test_a_vanishing_finding_names_its_layers_and_the_step_at_which_it_began(name: str) -> None:
    evidence, finding = only(name)
    hidden = evidence.output_grad_rms.values[:, :-1]
    weaker = hidden < hidden[:, -1:] / 100
    first = int(np.flatnonzero(weaker[:, 0])[0])
    assert finding.step == evidence.output_grad_rms.steps[first]
    shown = first if first == 0 else -1
    assert finding.layers == tuple(np.array(evidence.layers[:-1])[weaker[shown]])
    assert finding.layers[0] == evidence.layers[0]


def test_a_nonfinite_finding_names_the_first_layer_and_step() -> None:
    evidence = read("exploding-gain")
    exploding, nonfinite = diagnose(evidence)[:2]
    step = int(evidence.loss.steps[~np.isfinite(evidence.loss.values)][0])
    row = evidence.nonfinite.values[evidence.nonfinite.steps == step][0]
    assert (exploding.code, exploding.step) == ("exploding", 1)
    assert (nonfinite.code, nonfinite.step) == ("nonfinite", step)
    assert nonfinite.layers == tuple(np.array(evidence.layers)[row > 0])
    assert nonfinite.layers[0] != evidence.layers[0], "the weights broke after it, and before the next step"


def test_dead_and_saturated_layers_are_distinguished_and_named() -> None:
    evidence, finding = only("dead-bias")
    assert finding.layers == tuple(np.array(evidence.layers)[evidence.dead_fraction.values[-1] >= 0.5])
    evidence, finding = only("saturated-bias")
    assert finding.layers == tuple(np.array(evidence.layers)[evidence.saturated_fraction.values[-1] >= 0.9])
    assert finding.step == 1


def test_a_wrong_rate_is_distinguished_from_a_vanishing_gradient() -> None:
    assert "the learning rate is too small" in only("not-learning-rate")[1].evidence
    assert [finding.code for finding in diagnose(read("vanishing-sigmoid"))] == ["vanishing"]


def test_degradation_is_found_only_beside_a_shallower_net() -> None:
    deep, shallow = read("degradation"), read("degradation-partner")
    assert diagnose(deep) == []
    assert diagnose(shallow, deep) == []
    assert [finding.code for finding in diagnose(deep, shallow)] == ["degradation"]


def test_a_small_gradient_is_not_a_vanishing_one() -> None:
    evidence = read("healthy-conv")
    smaller = {
        name: Series.of(series.steps, series.values * 1e-9)
        for name in ("grad_norm", "total_norm", "clipped_norm", "output_grad_rms")
        for series in [getattr(evidence, name)]
    }
    assert diagnose(replace(evidence, **smaller)) == []


@pytest.mark.parametrize(
    ("name", "code"),
    [("uneven-sigmoid", "vanishing"), ("uneven-clipped", "exploding"), ("healthy-conv", None)],
)
def test_an_uneven_gradient_of_a_net_that_learns_is_a_remark(name: str, code: str | None) -> None:
    assert [remark.code for remark in remarks(read(name))] == ([code] if code else [])
