"""Test the rules for dead and saturated units, on made-up runs of the shapes of RECIPES.md."""

from __future__ import annotations

import dataclasses

import numpy as np

from gradtui.diagnosis import Series
from tests.support.evidence import AT_CHANCE, LEARNED, codes, curve, evidence, experiment, live, only


class TestUnits:
    def test_units_dead_from_the_start_are_critical(self) -> None:
        made = evidence(layers=3, drop=0.0, loss=AT_CHANCE, dead=[0.4, 0.9, 1.0])
        finding = only(made)
        assert (finding.code, finding.severity, finding.step) == ("dead-units", "critical", 1)
        assert finding.layers == ("dense2", "dense3")
        assert "100%" in finding.evidence
        assert finding.cures[0].name.startswith("leaky")

    def test_most_units_dead_in_a_net_that_learns_are_a_warning(self) -> None:
        made = evidence(
            layers=3, loss=LEARNED, dead=[0.9, 0.85, 0.8], dead_at_start=[0.1, 0.1, 0.1],
        )  # fmt: skip
        finding = only(made)
        assert (finding.code, finding.severity) == ("dead-units", "warning")
        assert finding.step > 1
        assert finding.cures[0].name == "smaller learning rate"

    def test_units_dead_from_the_start_are_the_cause_of_a_loss_that_swings(self) -> None:
        loss = 2.5 + 20 * np.abs(np.sin(np.arange(120)))
        assert codes(evidence(layers=3, loss=loss, dead=[1.0, 1.0, 1.0])) == ["dead-units"]

    def test_half_of_a_deep_nets_units_may_be_silent(self) -> None:
        assert codes(evidence(layers=6, loss=LEARNED, dead=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6])) == []

    def test_a_small_batch_shows_no_death(self) -> None:
        made = evidence(
            layers=3, loss=LEARNED, dead=[0.7, 0.7, 0.7], experiment=experiment(data__batch_size=1)
        )
        assert codes(made) == []

    def test_sigmoids_saturate_they_do_not_die(self) -> None:
        made = evidence(layers=3, loss=AT_CHANCE, dead=[1.0] * 3, saturated=[1.0] * 3)
        assert codes(made) == ["saturated"]
        assert only(made).layers == ("dense1", "dense2", "dense3")

    def test_saturated_units_of_a_net_that_learns_are_no_finding(self) -> None:
        assert codes(evidence(layers=3, loss=curve(2.3, 1.6), saturated=[0.95] * 3)) == []

    def test_units_that_saturate_on_the_way_are_given_time(self) -> None:
        made = evidence(layers=3, loss=curve(2.35, 2.31, 2.30, steps=400), saturated=[0.95] * 3)
        values = made.saturated_fraction.values.copy()
        values[:5] = 0.0
        made = dataclasses.replace(made, saturated_fraction=Series.of(made.saturated_fraction.steps, values))
        assert codes(live(made, 200)) == []
        assert codes(live(made, 350)) == ["saturated"]

    def test_the_step_of_death_ignores_one_odd_batch(self) -> None:
        made = evidence(layers=3, loss=curve(2.35, 2.31, 2.30, steps=300), dead=[1.0, 0.2, 0.2])
        values = made.dead_fraction.values.copy()
        values[0, 0] = 0.1
        values[20, 0] = 0.97
        made = dataclasses.replace(made, dead_fraction=Series.of(made.dead_fraction.steps, values))
        assert only(made).step == made.dead_fraction.steps[1]

    def test_saturation_is_the_cause_of_vanishing(self) -> None:
        made = evidence(layers=3, drop=-6.0, loss=AT_CHANCE, saturated=[1.0] * 3)
        assert codes(made) == ["saturated", "vanishing"]
