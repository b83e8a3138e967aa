"""The rules, on made-up runs of the shapes that SCIENCE.md measured."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gradtui.diagnosis import CODES, Evidence, Finding, Series, diagnose, remarks
from tests.support.evidence import CHANCE, curve, evidence, experiment, live

AT_CHANCE = curve(2.35, 2.31, 2.30)
LEARNED = curve(2.4, 1.0, 0.2)


def codes(made: Evidence, partner: Evidence | None = None) -> list[str]:
    return [finding.code for finding in diagnose(made, partner)]


def only(made: Evidence, partner: Evidence | None = None) -> Finding:
    (finding,) = diagnose(made, partner)
    return finding


class TestVanishing:
    @pytest.mark.parametrize(
        ("layers", "drop"),
        [(10, -7.8), (10, -5.7), (20, -4.7), (20, -7.4), (20, -11.8), (5, -3.4)],
    )
    def test_starved_nets_of_science(self, layers: int, drop: float) -> None:
        finding = only(evidence(layers=layers, drop=drop, loss=AT_CHANCE, update=6e-7))
        assert (finding.code, finding.severity, finding.step) == ("vanishing", "critical", 1)
        assert finding.layers[0] == "dense1"
        assert f"10^{drop:.1f}" in finding.evidence or drop > -4
        assert f"{-drop / (layers - 1):.2g} decades a layer" in finding.evidence
        assert "6.0e-07" in finding.evidence
        assert finding.cures

    def test_the_layers_named_are_those_a_hundred_times_weaker(self) -> None:
        finding = only(evidence(layers=11, drop=-5.05, loss=AT_CHANCE))
        assert finding.layers == tuple(f"dense{number}" for number in range(1, 8))

    @pytest.mark.parametrize("drop", [-0.9, -0.4, 0.0, 0.6, 0.9])
    def test_healthy_profiles_are_left_alone(self, drop: float) -> None:
        assert codes(evidence(drop=drop, loss=LEARNED)) == []
        assert remarks(evidence(drop=drop, loss=LEARNED)) == []

    def test_a_steep_slope_of_a_shallow_net_is_none(self) -> None:
        assert codes(evidence(layers=2, drop=-0.9, loss=curve(2.3, 2.0, 1.5))) == []

    def test_small_is_not_vanishing(self) -> None:
        assert "vanishing" not in codes(evidence(size=1e-20, loss=AT_CHANCE))

    def test_who_learns_is_well_whatever_the_profile(self) -> None:
        made = evidence(drop=-3.4, loss=LEARNED)
        assert codes(made) == []
        (remark,) = remarks(made)
        assert (remark.code, remark.severity) == ("vanishing", "info")

    def test_what_dies_or_saturates_later_is_its_consequence(self) -> None:
        alive = [0.0] * 10
        made = evidence(drop=-7.3, loss=AT_CHANCE, dead=[0.4] * 9 + [1.0], dead_at_start=alive)
        assert codes(made) == ["vanishing"]
        made = evidence(drop=-16.0, loss=AT_CHANCE, saturated=[1.0] * 10)
        values = made.saturated_fraction.values.copy()
        values[0] = 0.0
        made = dataclasses.replace(made, saturated_fraction=Series.of(made.saturated_fraction.steps, values))
        assert codes(made) == ["vanishing"]

    def test_a_gradient_that_arrives_at_last_makes_the_norm_jump(self) -> None:
        total = np.ones(120)
        total[100:] = 90.0
        assert codes(evidence(drop=-7.2, loss=curve(2.35, 2.0), total=total)) == ["vanishing"]

    def test_doubtful_profiles_are_given_time(self) -> None:
        made = evidence(drop=-2.6, loss=AT_CHANCE)
        assert codes(live(made, 50)) == []
        assert codes(live(made, 110)) == ["vanishing"]

    def test_slow_learning_is_a_warning(self) -> None:
        assert only(evidence(drop=-3.4, loss=curve(2.3, 1.6))).severity == "warning"

    def test_who_starved_once_and_learns_now_is_told_of_in_a_remark(self) -> None:
        made = evidence(layers=12, drop=(-2.7, 1.1), loss=curve(2.35, 2.3, 1.55))
        assert codes(made) == []
        assert [remark.code for remark in remarks(made)] == ["vanishing"]
        assert codes(evidence(layers=12, drop=-2.7, loss=curve(2.35, 2.3, 1.55))) == ["vanishing"]

    def test_what_began_uneven_may_still_come_to_starve(self) -> None:
        finding = only(evidence(layers=24, drop=(-1.2, -3.4), loss=AT_CHANCE))
        assert finding.code == "vanishing"
        assert finding.step > 1

    def test_where_no_layer_moves_a_doubtful_profile_is_not_to_blame(self) -> None:
        finding = only(evidence(layers=4, drop=-2.7, loss=AT_CHANCE, update=2e-6))
        assert finding.code == "not-learning"
        assert "too small" in finding.evidence
        assert codes(evidence(layers=10, drop=-7.8, loss=AT_CHANCE, update=2e-6)) == ["vanishing"]

    def test_units_that_died_in_training_are_the_cause_of_what_starves_since_then(self) -> None:
        made = evidence(
            layers=10, drop=(0.0, -8.0), loss=AT_CHANCE, dead=[0.6] * 10, dead_at_start=[0.1] * 10
        )
        assert codes(made) == ["dead-units", "vanishing"]

    def test_an_exact_zero_is_told_as_such(self) -> None:
        made = evidence(drop=-30.0, loss=AT_CHANCE)
        values = np.where(made.output_grad_rms.values < 1e-20, 0.0, made.output_grad_rms.values)
        made = dataclasses.replace(made, output_grad_rms=Series.of(made.output_grad_rms.steps, values))
        assert "exactly 0" in only(made).evidence

    def test_weights_that_a_penalty_ate(self) -> None:
        made = evidence(
            drop=(0.0, -10.0), loss=AT_CHANCE, experiment=experiment(cures__l2=1.0, net__activation="relu")
        )
        finding = only(made)
        assert finding.code == "vanishing"
        assert 20 < finding.step < 40
        assert finding.cures[0].set == {"cures.l2": 0.0}

    def test_without_output_gradients_the_parameters_stand_in(self) -> None:
        made = evidence(layers=20, drop=-11.8, loss=AT_CHANCE)
        made = dataclasses.replace(made, output_grad_rms=Series.none())
        finding = only(made)
        assert finding.code == "vanishing"
        assert finding.step == 1

    def test_an_average_over_an_image_is_no_vanishing(self) -> None:
        made = evidence(layers=6, drop=0.0, loss=AT_CHANCE)
        values = made.output_grad_rms.values.copy()
        values[:, :3] /= 10**2.5
        rms = Series.of(made.output_grad_rms.steps, values)
        flat = dataclasses.replace(made, output_grad_rms=rms)
        assert "vanishing" in codes(flat)
        assert "vanishing" not in codes(dataclasses.replace(flat, positions=(64, 64, 64, 1, 1, 1, 1)))

    def test_first_layers_of_branches_are_not_compared_with_the_path(self) -> None:
        made = evidence(layers=8, drop=0.0, loss=AT_CHANCE)
        values = made.output_grad_rms.values.copy()
        values[:, [0, 2, 4, 6]] /= 1000
        names = (
            "dense1.1",
            "dense1.2",
            "dense2.1",
            "dense2.2",
            "dense3.1",
            "dense3.2",
            "dense4.1",
            "dense4.2",
        )
        made = dataclasses.replace(
            made, output_grad_rms=Series.of(made.output_grad_rms.steps, values), layers=(*names, "output")
        )
        assert "vanishing" not in codes(made)
        steep = dataclasses.replace(evidence(layers=8, drop=-7.0, loss=AT_CHANCE), layers=made.layers)
        assert "1 decades a layer" in only(steep).evidence

    def test_rezeros_layers_get_the_gradient_times_a_number_of_their_own(self) -> None:
        exp = experiment(net__repeat=10, net__shortcut="rezero", net__activation="relu")
        assert codes(evidence(drop=-7.0, loss=curve(2.35, 2.3, steps=60), experiment=exp)) == []

    def test_a_gradient_that_comes_late_tells_nothing_of_the_start(self) -> None:
        made = evidence(drop=-7.0, loss=curve(2.35, 2.0, steps=400))
        values = made.output_grad_rms.values.copy()
        values[made.output_grad_rms.steps < 380] = 0.0
        rms = Series.of(made.output_grad_rms.steps, values)
        assert codes(dataclasses.replace(made, output_grad_rms=rms)) == []


class TestOverTime:
    def made(self, drop: float, loss: Any, kind: str = "rnn", **more: Any) -> Evidence:
        steps = len(loss)
        hidden = 1e-3 * 10 ** np.linspace(0, drop, 30)
        series = Series.of([1, steps], [hidden, hidden])
        exp = experiment(net__block=kind, data__source="adding", net__activation="tanh")
        return evidence(
            layers=1, loss=loss, kind=kind, hidden_grad=series, chance_loss=0.167, experiment=exp, **more
        )

    def test_a_plain_net_forgets(self) -> None:
        finding = only(self.made(-5.2, curve(0.3, 0.17, 0.17, steps=400)))
        assert finding.code == "vanishing"
        assert "lag 29" in finding.evidence
        assert finding.layers == ("rnn1",)
        assert finding.cures[0].set["net.0.block"] == "lstm"

    def test_who_learns_without_its_longest_lags_is_well(self) -> None:
        assert codes(self.made(-15.0, curve(0.3, 0.17, 0.1, steps=300))) == []

    def test_a_dead_layer_is_the_cause(self) -> None:
        made = self.made(-20.0, curve(0.3, 0.17, 0.17, steps=300), dead=[1.0])
        assert codes(made) == ["dead-units"]

    def test_two_and_a_half_decades_of_lag_are_not_enough(self) -> None:
        assert "vanishing" not in codes(self.made(-2.5, curve(0.3, 0.17, 0.17, steps=400)))

    def test_gates_are_given_time(self) -> None:
        made = self.made(-4.0, curve(0.3, 0.17, 0.17, 0.17, 0.003, steps=400), kind="lstm")
        for step in range(1, 320, 7):
            assert codes(live(made, step)) == []
        assert codes(made) == []

    def test_a_large_radius_explodes(self) -> None:
        finding = only(self.made(7.6, curve(0.3, 0.19, 0.18, steps=96)))
        assert finding.code == "exploding"
        assert "lag 29" in finding.evidence


class TestExploding:
    def test_a_steep_profile_that_does_not_learn(self) -> None:
        finding = only(evidence(layers=20, drop=2.6, loss=curve(2.5, 2.35)))
        assert (finding.code, finding.step, finding.severity) == ("exploding", 1, "critical")
        assert "398 times" in finding.evidence
        assert finding.layers == tuple(f"dense{number}" for number in range(1, 13))

    @pytest.mark.parametrize("end", [0.5, 1.15, 1.3])
    def test_held_it_is_a_remark(self, end: float) -> None:
        made = evidence(drop=1.6, loss=curve(28.0, 4.0, end))
        assert codes(made) == []
        assert [remark.severity for remark in remarks(made)] == ["info"]

    def test_a_doubtful_profile_of_who_has_begun_to_learn(self) -> None:
        assert codes(evidence(drop=1.1, loss=curve(2.3, 2.25, 1.75))) == []
        assert codes(evidence(drop=2.1, loss=curve(2.3, 2.25, 1.75))) == ["exploding"]

    def test_large_weights_make_large_losses_of_few_errors(self) -> None:
        right = Series.of(np.arange(1, 121), np.linspace(0.1, 0.85, 120))
        loss = curve(20_000.0, 400.0)
        assert codes(evidence(drop=4.4, loss=loss, accuracy_series=right)) == []
        assert codes(evidence(drop=4.4, loss=loss)) == ["exploding"]

    def test_not_a_number(self) -> None:
        loss = np.full(22, np.nan)
        loss[:2] = 28.0, 3e5
        made = evidence(drop=1.6, loss=loss, total=[60.0, 3e6, *[np.nan] * 20])
        broken = np.zeros((1, 11))
        broken[0, 6:] = 40.0
        nonfinite = Series.of([1, 3], np.concatenate([np.zeros((1, 11)), broken]))
        findings = diagnose(dataclasses.replace(made, nonfinite=nonfinite))
        assert [finding.code for finding in findings] == ["exploding", "nonfinite"]
        assert findings[0].step == 1
        assert findings[1].step == 3
        assert findings[1].layers == ("dense7", "dense8", "dense9", "dense10", "output")
        assert "dense7" in findings[1].evidence

    def test_the_gradient_broke_first(self) -> None:
        made = evidence(loss=curve(2.3, 2.0, steps=30))
        norms = made.grad_norm.values.copy()
        norms[12:, :4] = np.inf
        made = dataclasses.replace(made, grad_norm=Series.of(made.grad_norm.steps, norms))
        nonfinite = next(finding for finding in diagnose(made) if finding.code == "nonfinite")
        assert nonfinite.step == 13
        assert nonfinite.layers == ("dense1", "dense2", "dense3", "dense4")
        assert "dense4" in nonfinite.evidence

    def test_behind_a_loss_that_is_no_number_gradients_tell_nothing(self) -> None:
        made = evidence(drop=1.6, loss=[28.0, np.nan], total=[60.0, np.nan])
        norms = made.grad_norm.values.copy()
        norms[1] = np.nan
        made = dataclasses.replace(
            made,
            grad_norm=Series.of(made.grad_norm.steps, norms),
            nonfinite=Series.of([1], np.zeros((1, 11))),
        )
        nonfinite = diagnose(made)[-1]
        assert (nonfinite.code, nonfinite.step, nonfinite.layers) == ("nonfinite", 2, ())
        looked = dataclasses.replace(made, nonfinite=Series.of([1, 2], np.zeros((2, 11))))
        assert "every layer" in diagnose(looked)[-1].evidence

    def test_bad_data_is_not_an_explosion(self) -> None:
        loss = np.full(20, np.nan)
        assert codes(evidence(loss=loss, total=np.full(20, np.nan))) == ["nonfinite"]

    def test_loss_scaling_may_skip_a_step(self) -> None:
        made = evidence(loss=LEARNED, experiment=experiment(run__precision="fp16", net__activation="relu"))
        norms = made.grad_norm.values.copy()
        norms[[0, 1, 50]] = np.inf
        skipped = dataclasses.replace(made, grad_norm=Series.of(made.grad_norm.steps, norms))
        assert codes(skipped) == []
        assert "nonfinite" in codes(dataclasses.replace(skipped, experiment=experiment()))

    def test_a_loss_that_swings(self) -> None:
        loss = 2.5 + 20 * np.abs(np.sin(np.arange(120)))
        loss[:5] = 2.4
        steep = evidence(drop=2.6, loss=loss)
        assert codes(steep) == ["exploding", "unstable-loss"]
        # With an even gradient that did not grow it is the loss alone: the rate.
        (finding,) = diagnose(evidence(drop=0.0, loss=loss))
        assert finding.code == "unstable-loss"
        assert "1.5 times" in finding.evidence
        grown = np.linspace(1.0, 90.0, 120)
        assert codes(evidence(drop=0.0, loss=loss, total=grown)) == ["exploding", "unstable-loss"]

    def test_swings_that_have_calmed(self) -> None:
        loss = np.where(np.arange(120) < 60, 2.5 + 20 * np.abs(np.sin(np.arange(120))), 0.3)
        loss[:5] = 2.4
        assert codes(evidence(loss=loss)) == []
        assert codes(live(evidence(loss=loss, steps_planned=120), 61)) == []

    def test_out_of_hand(self) -> None:
        loss = np.concatenate([[2.3, 2.4], np.geomspace(1e18, 1e9, 118)])
        assert codes(live(evidence(loss=loss), 25)) == ["exploding"]
        assert only(live(evidence(loss=loss), 25)).step == 3
        # A net of weights too large begins there, and may come down.
        assert codes(live(evidence(loss=curve(1e5, 1e4, 300.0)), 25)) == []

    def test_noise_is_not_an_explosion(self) -> None:
        random = np.random.default_rng(0)
        for _ in range(20):
            noisy = curve(2.3, 0.6) * random.lognormal(0.0, 0.5, 120)
            norms = random.lognormal(0.0, 0.7, 120)
            assert codes(evidence(loss=noisy, total=norms)) == []

    def test_falling_from_high_is_slow_not_unstable(self) -> None:
        assert codes(evidence(drop=0.3, loss=curve(110.0, 20.0, 5.0))) == []
        assert codes(live(evidence(drop=1.6, loss=curve(110.0, 20.0, 2.0)), 90)) == []

    def test_it_blew_up_and_died(self) -> None:
        total = np.ones(120)
        total[4] = 1e9
        made = evidence(
            layers=3, loss=AT_CHANCE, total=total, dead=[1.0, 0.9, 1.0], dead_at_start=[0.1, 0.1, 0.1]
        )
        finding = only(made)
        assert finding.code == "exploding"
        assert finding.step == 5
        assert "dense1" in finding.evidence

    def test_a_spike(self) -> None:
        total, loss = np.ones(120), curve(2.3, 2.2)
        total[60] = 80.0
        hurt = np.where(np.arange(120) == 61, 9.0, loss)
        assert codes(evidence(loss=hurt, total=total)) == ["exploding"]
        assert codes(evidence(loss=LEARNED, total=total)) == []
        # The loss did not feel it: where a net leaves its plateau the gradient grows a hundredfold.
        assert "exploding" not in codes(evidence(loss=loss, total=total))
        # A norm that begins high and falls did not explode in the course of the run.
        falling = evidence(loss=curve(2.3, 1.7), total=curve(100.0, 1.0, 1.0))
        assert codes(falling) == []


class TestUnits:
    def test_dead_from_the_start(self) -> None:
        made = evidence(layers=3, drop=0.0, loss=AT_CHANCE, dead=[0.4, 0.9, 1.0])
        finding = only(made)
        assert (finding.code, finding.severity, finding.step) == ("dead-units", "critical", 1)
        assert finding.layers == ("dense2", "dense3")
        assert "100%" in finding.evidence
        assert finding.cures[0].name.startswith("leaky")

    def test_most_units_dead_though_it_learns(self) -> None:
        made = evidence(
            layers=3, loss=LEARNED, dead=[0.9, 0.85, 0.8], dead_at_start=[0.1, 0.1, 0.1],
        )  # fmt: skip
        finding = only(made)
        assert (finding.code, finding.severity) == ("dead-units", "warning")
        assert finding.step > 1
        assert finding.cures[0].name == "smaller learning rate"

    def test_what_is_dead_from_the_start_is_the_cause_of_a_loss_that_swings(self) -> None:
        loss = 2.5 + 20 * np.abs(np.sin(np.arange(120)))
        assert codes(evidence(layers=3, loss=loss, dead=[1.0, 1.0, 1.0])) == ["dead-units"]

    def test_half_of_a_deep_nets_units_are_silent_and_well(self) -> None:
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

    def test_saturated_and_learning_is_well(self) -> None:
        assert codes(evidence(layers=3, loss=curve(2.3, 1.6), saturated=[0.95] * 3)) == []

    def test_units_that_saturate_on_the_way_are_given_time(self) -> None:
        made = evidence(layers=3, loss=curve(2.35, 2.31, 2.30, steps=400), saturated=[0.95] * 3)
        values = made.saturated_fraction.values.copy()
        values[:5] = 0.0
        made = dataclasses.replace(made, saturated_fraction=Series.of(made.saturated_fraction.steps, values))
        assert codes(live(made, 200)) == []
        assert codes(live(made, 350)) == ["saturated"]

    def test_death_begins_where_it_begins_whatever_one_batch_shows(self) -> None:
        made = evidence(layers=3, loss=curve(2.35, 2.31, 2.30, steps=300), dead=[1.0, 0.2, 0.2])
        values = made.dead_fraction.values.copy()
        values[0, 0] = 0.1
        values[20, 0] = 0.97
        made = dataclasses.replace(made, dead_fraction=Series.of(made.dead_fraction.steps, values))
        assert only(made).step == made.dead_fraction.steps[1]

    def test_saturation_is_the_cause_of_vanishing(self) -> None:
        made = evidence(layers=3, drop=-6.0, loss=AT_CHANCE, saturated=[1.0] * 3)
        assert codes(made) == ["saturated", "vanishing"]


class TestLearning:
    def test_a_small_rate(self) -> None:
        finding = only(evidence(loss=curve(3.5, 3.4), update=3e-7))
        assert finding.code == "not-learning"
        assert "too small" in finding.evidence
        assert finding.cures[0].set["optimizer.lr"] > 0.1

    def test_a_large_rate(self) -> None:
        finding = only(evidence(loss=AT_CHANCE, update=0.3))
        assert finding.code == "not-learning"
        assert finding.cures[0].set["optimizer.lr"] < 0.1

    def test_coming_down_from_far_above_chance_is_on_its_way(self) -> None:
        assert codes(evidence(loss=curve(4.0, 2.2))) == []
        assert codes(evidence(loss=curve(4.0, 2.3, 2.28, 2.28, 2.28))) == ["not-learning"]

    def test_slow_is_not_nothing(self) -> None:
        assert codes(evidence(loss=curve(2.35, 2.1, steps=200))) == []
        assert codes(evidence(loss=curve(2.35, 2.26, steps=200))) == ["not-learning"]

    def test_a_plateau_may_have_ended_a_moment_ago(self) -> None:
        late = curve(*[2.31] * 9, 2.12, steps=400)
        assert codes(evidence(loss=late)) == []
        assert codes(evidence(loss=curve(*[2.31] * 10, steps=400))) == ["not-learning"]

    def test_better_answers_than_guesses_are_a_beginning(self) -> None:
        def answering(first: float, last: float) -> Evidence:
            right = Series.of(np.arange(1, 121), np.linspace(first, last, 120))
            return evidence(loss=curve(2.35, 2.25), accuracy_series=right)

        assert codes(answering(0.1, 0.45)) == []
        assert codes(answering(0.1, 0.16)) == ["not-learning"]
        # Luck at the start is none.
        assert codes(answering(0.4, 0.4)) == ["not-learning"]

    def test_a_fall_of_small_batches_must_be_clear(self) -> None:
        random = np.random.default_rng(1)
        for _ in range(20):
            noisy = CHANCE * random.lognormal(0.0, 0.08, 120)
            assert codes(evidence(loss=noisy)) == ["not-learning"]

    def test_a_brief_run_is_not_blamed(self) -> None:
        assert codes(evidence(loss=curve(2.35, 2.30, steps=60))) == []

    def test_overclipped(self) -> None:
        exp = experiment(cures__clip_norm=1e-4, net__activation="relu")
        made = evidence(
            loss=curve(3.5, 3.4),
            update=4e-7,
            total=np.full(120, 6.5),
            clipped=np.full(120, 1e-4),
            experiment=exp,
        )
        finding = only(made)
        assert finding.code == "overclipped"
        assert finding.cures[0].set == {
            "cures.clip_norm": 7.0 if finding.cures[0].name == "clip at 7" else 6.0
        }
        clipping_cures = dataclasses.replace(made, update_ratio=evidence(update=1e-3).update_ratio)
        assert "overclipped" not in codes(clipping_cures)

    def test_degradation_needs_a_shallower_partner(self) -> None:
        deep = evidence(layers=57, drop=-0.5, loss=curve(2.4, 1.9), accuracy=0.26)
        shallow = evidence(layers=5, drop=0.1, loss=LEARNED, accuracy=0.94)
        assert codes(deep) == []
        finding = only(deep, shallow)
        assert finding.code == "degradation"
        assert "0.260" in finding.evidence
        assert "0.940" in finding.evidence
        assert finding.cures[0].name == "residual shortcuts" or not finding.cures[0].set
        assert codes(shallow, deep) == []

    def test_between_seeds_accuracies_differ_too(self) -> None:
        deep = evidence(layers=21, drop=0.1, loss=LEARNED, accuracy=0.892)
        assert codes(deep, evidence(layers=5, loss=LEARNED, accuracy=0.936)) == []

    def test_a_deep_net_that_explodes_is_no_degradation(self) -> None:
        deep = evidence(layers=57, drop=4.5, loss=curve(2.9, 2.1), accuracy=0.2)
        assert codes(deep, evidence(layers=5, loss=LEARNED, accuracy=0.99)) == ["exploding"]

    def test_noisy_labels(self) -> None:
        finding = only(evidence(loss=curve(2.9, 2.25, 2.25, 2.25)))
        assert finding.code == "not-learning"
        assert "labels" in finding.evidence


class TestLost:
    def half(self) -> Any:
        return experiment(run__precision="fp16", run__loss_scale=1.0, net__repeat=10, net__init="torch")

    def zeroed(self, made: Evidence, layers: slice) -> Evidence:
        norms, rms = made.grad_norm.values.copy(), made.output_grad_rms.values.copy()
        norms[:, layers] = rms[:, layers] = 0.0
        return dataclasses.replace(
            made,
            grad_norm=Series.of(made.grad_norm.steps, norms),
            output_grad_rms=Series.of(made.output_grad_rms.steps, rms),
        )

    def test_underflow(self) -> None:
        made = evidence(drop=-7.8, size=1e-3, loss=AT_CHANCE, experiment=self.half())
        findings = diagnose(self.zeroed(made, slice(0, 4)))
        assert [finding.code for finding in findings] == ["underflow", "vanishing"]
        assert findings[0].layers == ("dense1", "dense2", "dense3", "dense4")
        assert findings[0].cures[0].set == {"run.loss_scale": 0.0}

    def test_underflow_in_most_of_the_steps(self) -> None:
        made = evidence(drop=-7.8, size=1e-3, loss=AT_CHANCE, experiment=self.half())
        norms = self.zeroed(made, slice(0, 4)).grad_norm.values
        norms[::3] = made.grad_norm.values[::3]
        made = dataclasses.replace(made, grad_norm=Series.of(made.grad_norm.steps, norms))
        assert codes(made) == ["underflow", "vanishing"]

    def test_weights_of_zero_cut_off_what_lies_before_them(self) -> None:
        finding = only(self.zeroed(evidence(layers=4, drop=0.0, loss=AT_CHANCE), slice(0, 3)))
        assert (finding.code, finding.layers) == ("no-gradient", ("dense1", "dense2", "dense3"))

    def test_float32_does_not_underflow_there(self) -> None:
        made = evidence(drop=-7.8, loss=AT_CHANCE)
        assert "underflow" not in codes(self.zeroed(made, slice(0, 4)))

    def test_a_layer_that_is_cut_off(self) -> None:
        finding = only(self.zeroed(evidence(loss=LEARNED), slice(3, 4)))
        assert (finding.code, finding.layers) == ("no-gradient", ("dense4",))

    def test_frozen_layers_are_meant_to_rest(self) -> None:
        exp = experiment(cures__pretrain={"kind": "autoencoder", "freeze": 2}, net__repeat=10)
        assert codes(self.zeroed(evidence(loss=LEARNED, experiment=exp), slice(0, 2))) == []

    def test_nothing_depends_on_the_parameters(self) -> None:
        finding = only(self.zeroed(evidence(loss=AT_CHANCE, update=1e-3), slice(None)))
        assert finding.code == "no-gradient"
        assert len(finding.layers) == 11


class TestLive:
    @pytest.mark.parametrize("step", [1, 2, 5, 10, 19])
    def test_nobody_cries_in_the_first_steps(self, step: int) -> None:
        sick = [
            evidence(layers=20, drop=-11.8, loss=AT_CHANCE),
            evidence(drop=2.6, loss=curve(2.5, 2.4)),
            evidence(layers=3, loss=AT_CHANCE, dead=[1.0] * 3),
            evidence(loss=curve(3.5, 3.4), update=1e-8),
        ]
        for made in sick:
            assert codes(live(made, step)) == []

    def test_a_starved_net_is_told_within_a_second(self) -> None:
        made = evidence(layers=20, drop=-11.8, loss=curve(2.35, 2.30, steps=500), steps=500, update=6e-7)
        assert codes(live(made, 25)) == ["vanishing"]

    def test_not_a_number_is_told_at_once(self) -> None:
        made = evidence(drop=1.6, loss=[28.0, np.nan, np.nan], total=[60.0, np.nan, np.nan])
        assert codes(live(made, 2)) == ["exploding", "nonfinite"]

    def test_what_adaptive_rates_move_is_given_time(self) -> None:
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

    def test_which_of_two_it_is_the_end_tells(self) -> None:
        deep = evidence(layers=57, drop=-0.5, loss=curve(2.35, 2.3, steps=200), accuracy=0.2)
        shallow = evidence(layers=5, loss=LEARNED, accuracy=0.94)
        assert codes(live(deep, 190)) == ["not-learning"]
        assert codes(live(deep, 190), shallow) == []
        assert codes(deep, shallow) == ["degradation"]

    def test_a_net_that_is_coming_down_is_left_in_peace(self) -> None:
        made = evidence(drop=1.6, loss=curve(28.0, 4.0, 0.8))
        for step in range(1, 121):
            assert codes(live(made, step)) == []

    def test_a_run_of_no_steps(self) -> None:
        assert diagnose(live(evidence(), 0)) == []
        assert remarks(live(evidence(), 0)) == []


class TestScripts:
    """Somebody's own training: no experiment, no known chance, perhaps no loss."""

    def script(self, **more: Any) -> Evidence:
        return evidence(experiment=None, chance_loss=math.nan, **more)

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

    def test_healthy(self) -> None:
        assert codes(self.script(drop=0.4, loss=LEARNED)) == []


def test_findings_stand_causes_first_and_as_json() -> None:
    finding = only(evidence(layers=20, drop=-11.8, loss=AT_CHANCE, experiment=experiment(net__repeat=20)))
    raw = finding.to_json()
    assert list(raw) == ["code", "severity", "step", "layers", "evidence", "cures"]
    assert list(raw["cures"][0]) == ["name", "set", "why"]
    assert raw["cures"][0]["set"] == {"net.0.activation": "relu", "net.0.init": "he"}
    assert CODES.index("exploding") < CODES.index("nonfinite")


def test_chance_is_the_loss_of_a_guess() -> None:
    assert pytest.approx(2.302585) == CHANCE


NUMBERS = st.one_of(
    st.floats(width=32), st.sampled_from([0.0, math.nan, math.inf, -math.inf, 1e-45, 3e38]), st.floats(0, 10)
)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), rows=st.integers(1, 60), layers=st.integers(0, 5), finished=st.booleans())
def test_no_numbers_break_it(data: st.DataObject, rows: int, layers: int, finished: bool) -> None:
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
