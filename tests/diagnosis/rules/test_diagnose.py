"""Test the diagnosis as a whole: live runs, scripts, the order of the findings, and any numbers."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gradtui.diagnosis import CODES, Evidence, Series, diagnose, remarks
from tests.support.evidence import AT_CHANCE, CHANCE, LEARNED, codes, curve, evidence, experiment, live, only


class TestLive:
    @pytest.mark.parametrize("step", [1, 2, 5, 10, 19])
    def test_there_are_no_findings_in_the_first_steps(self, step: int) -> None:
        failing = [
            evidence(layers=20, drop=-11.8, loss=AT_CHANCE),
            evidence(drop=2.6, loss=curve(2.5, 2.4)),
            evidence(layers=3, loss=AT_CHANCE, dead=[1.0] * 3),
            evidence(loss=curve(3.5, 3.4), update=1e-8),
        ]
        for made in failing:
            assert codes(live(made, step)) == []

    def test_a_vanishing_gradient_is_found_within_a_second(self) -> None:
        made = evidence(layers=20, drop=-11.8, loss=curve(2.35, 2.30, steps=500), steps=500, update=6e-7)
        assert codes(live(made, 25)) == ["vanishing"]

    def test_a_loss_of_nan_is_found_at_once(self) -> None:
        made = evidence(drop=1.6, loss=[28.0, np.nan, np.nan], total=[60.0, np.nan, np.nan])
        assert codes(live(made, 2)) == ["exploding", "nonfinite"]

    def test_layers_that_adaptive_rates_move_are_given_time(self) -> None:
        def adaptive(**more: Any) -> Evidence:
            exp = experiment(optimizer__kind="adam", optimizer__lr=0.002, net__repeat=16, **more)
            return evidence(layers=16, drop=-3.7, loss=curve(2.35, 2.3, steps=400), experiment=exp)

        assert codes(live(adaptive(), 150)) == []
        assert codes(live(adaptive(), 330)) == ["vanishing"]
        # What a penalty moves is not learning.
        assert codes(live(adaptive(cures__l2=0.01), 150)) == ["vanishing"]
        # And SGD's steps are as small as its gradient.
        assert codes(live(evidence(layers=16, drop=-3.7, loss=AT_CHANCE), 25)) == ["vanishing"]

    def test_a_steep_start_without_harm_is_given_a_third_of_the_run(self) -> None:
        made = evidence(drop=1.6, loss=curve(2.4, 2.35, 2.33, steps=400))
        assert codes(live(made, 130)) == []
        assert codes(live(made, 150)) == ["exploding"]

    def test_with_a_partner_only_the_end_is_judged(self) -> None:
        deep = evidence(layers=57, drop=-0.5, loss=curve(2.35, 2.3, steps=200), accuracy=0.2)
        shallow = evidence(layers=5, loss=LEARNED, accuracy=0.94)
        assert codes(live(deep, 190)) == ["not-learning"]
        assert codes(live(deep, 190), shallow) == []
        assert codes(deep, shallow) == ["degradation"]

    def test_a_net_whose_loss_is_falling_has_no_finding(self) -> None:
        made = evidence(drop=1.6, loss=curve(28.0, 4.0, 0.8))
        for step in range(1, 121):
            assert codes(live(made, step)) == []

    def test_a_run_without_steps_has_no_findings(self) -> None:
        assert diagnose(live(evidence(), 0)) == []
        assert remarks(live(evidence(), 0)) == []


class TestScripts:
    """The diagnosis of a script's run: no experiment, no known chance loss, perhaps no loss at all."""

    def script(self, **more: Any) -> Evidence:
        made = evidence(experiment=None, chance_loss=math.nan, **more)
        return dataclasses.replace(made, paths=(tuple(range(len(made.layers))),))

    def test_vanishing_with_reasons_and_no_changes(self) -> None:
        finding = only(self.script(layers=20, drop=-11.8, loss=AT_CHANCE))
        assert finding.code == "vanishing"
        assert finding.cures
        assert all(cure.set == {} and cure.why for cure in finding.cures)

    def test_learning_is_measured_from_where_it_began(self) -> None:
        assert codes(self.script(drop=-3.5, loss=curve(9.0, 3.0))) == []

    def test_without_a_loss_it_is_only_a_warning(self) -> None:
        made = dataclasses.replace(self.script(drop=-8.0, loss=AT_CHANCE), loss=Series.none())
        assert only(made).severity == "warning"

    def test_where_no_path_is_known_layers_are_not_compared(self) -> None:
        made = dataclasses.replace(self.script(layers=20, drop=-11.8, loss=AT_CHANCE), paths=())
        assert "vanishing" not in codes(made)

    def test_a_healthy_script_has_no_findings(self) -> None:
        assert codes(self.script(drop=0.4, loss=LEARNED)) == []


def test_findings_come_causes_first_and_as_json() -> None:
    finding = only(evidence(layers=20, drop=-11.8, loss=AT_CHANCE, experiment=experiment(net__repeat=20)))
    raw = finding.to_json()
    assert list(raw) == ["code", "severity", "step", "layers", "evidence", "cures"]
    assert list(raw["cures"][0]) == ["name", "set", "why", "code"]
    assert raw["cures"][0]["set"]["net.0.shortcut"] == "identity"
    assert {"net.0.activation": "relu", "net.0.init": "he"} in [cure["set"] for cure in raw["cures"]]
    assert CODES.index("exploding") < CODES.index("nonfinite")


def test_the_chance_loss_is_that_of_guessing() -> None:
    assert pytest.approx(2.302585) == CHANCE


NUMBERS = st.one_of(
    st.floats(width=32), st.sampled_from([0.0, math.nan, math.inf, -math.inf, 1e-45, 3e38]), st.floats(0, 10)
)


@settings(max_examples=50, deadline=None)
@given(data=st.data(), rows=st.integers(1, 60), layers=st.integers(0, 5), finished=st.booleans())
def test_no_numbers_break_the_rules(data: st.DataObject, rows: int, layers: int, finished: bool) -> None:
    def series(columns: int | None = None) -> Series:
        count = data.draw(st.sampled_from([0, 1, rows]))
        shape = (count,) if columns is None else (count, columns)
        return Series.of(
            np.arange(1, count + 1), data.draw(arrays.arrays(np.float64, shape, elements=NUMBERS))
        )

    measures = (
        "grad_norm", "output_grad_rms", "update_ratio", "dead_fraction", "saturated_fraction", "nonfinite"
    )  # fmt: skip
    made = evidence(
        layers=1,
        loss=[1.0],
        finished=finished,
        experiment=data.draw(st.sampled_from([None, experiment(), experiment(run__precision="fp16")])),
        chance_loss=data.draw(st.sampled_from([math.nan, 2.3, 0.0])),
    )
    made = dataclasses.replace(
        made,
        layers=(*(f"dense{index}" for index in range(layers)), "output"),
        kinds=(*(("dense",) * layers), "output"),
        parameters=(10,) * (layers + 1),
        loss=series(),
        accuracy=series(),
        total_norm=series(),
        clipped_norm=series(),
        hidden_grad=series(data.draw(st.integers(1, 4))),
        **{name: series(layers + 1) for name in measures},
    )
    for finding in [*diagnose(made), *diagnose(made, made), *remarks(made)]:
        assert finding.code in CODES
        assert finding.evidence
        assert "\n" not in finding.evidence


def test_the_evidence_up_to_a_step_is_that_of_a_run_that_ended_there() -> None:
    loss = np.r_[np.full(60, 2.3), np.full(60, np.nan)]
    run = evidence(loss=loss, steps=120)
    assert [finding.code for finding in diagnose(run)][:1] != []
    before = run.upto(60)
    assert before.step == 60
    assert len(before.loss) == 60
    assert np.isfinite(before.loss.values).all()
    assert before.layers == run.layers
    assert not before.finished
    assert not [finding for finding in diagnose(before) if finding.code == "nonfinite"]
