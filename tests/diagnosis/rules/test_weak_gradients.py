"""Test the rules for gradients that become too small, on made-up runs of the shapes of RECIPES.md."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from gradtui.diagnosis import Evidence, Series, diagnose, remarks
from gradtui.words import ratio
from tests.support.evidence import AT_CHANCE, LEARNED, codes, curve, evidence, experiment, live, only


class TestVanishing:
    @pytest.mark.parametrize(
        ("layers", "drop"),
        [(10, -7.8), (10, -5.7), (20, -4.7), (20, -7.4), (20, -11.8), (5, -3.4)],
    )
    def test_measured_profiles_of_failing_nets_are_vanishing(self, layers: int, drop: float) -> None:
        finding = only(evidence(layers=layers, drop=drop, loss=AT_CHANCE, update=6e-7))
        assert (finding.code, finding.severity, finding.step) == ("vanishing", "critical", 1)
        assert finding.layers[0] == "dense1"
        assert ratio(drop) in finding.evidence or drop > -4
        assert f"each layer multiplies it by about {10 ** (drop / (layers - 1)):.3g}" in finding.evidence
        assert "6e-7" in finding.evidence
        assert finding.cures

    def test_the_layers_named_are_those_a_hundred_times_weaker(self) -> None:
        finding = only(evidence(layers=11, drop=-5.05, loss=AT_CHANCE))
        assert finding.layers == tuple(f"dense{number}" for number in range(1, 8))

    @pytest.mark.parametrize("drop", [-0.9, -0.4, 0.0, 0.6, 0.9])
    def test_healthy_profiles_have_no_finding(self, drop: float) -> None:
        assert codes(evidence(drop=drop, loss=LEARNED)) == []
        assert remarks(evidence(drop=drop, loss=LEARNED)) == []

    def test_a_steep_slope_of_a_shallow_net_is_none(self) -> None:
        assert codes(evidence(layers=2, drop=-0.9, loss=curve(2.3, 2.0, 1.5))) == []

    def test_small_even_gradient_is_not_vanishing(self) -> None:
        assert "vanishing" not in codes(evidence(size=1e-20, loss=AT_CHANCE))

    def test_net_that_learns_is_healthy_with_any_profile(self) -> None:
        made = evidence(drop=-3.4, loss=LEARNED)
        assert codes(made) == []
        (remark,) = remarks(made)
        assert (remark.code, remark.severity) == ("vanishing", "info")

    def test_units_that_die_or_saturate_later_are_its_consequence(self) -> None:
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

    def test_a_net_whose_gradient_vanished_once_and_that_learns_now_gets_a_remark(self) -> None:
        made = evidence(layers=12, drop=(-2.7, 1.1), loss=curve(2.35, 2.3, 1.55))
        assert codes(made) == []
        assert [remark.code for remark in remarks(made)] == ["vanishing"]
        assert codes(evidence(layers=12, drop=-2.7, loss=curve(2.35, 2.3, 1.55))) == ["vanishing"]

    def test_the_gradient_of_a_net_that_began_uneven_may_vanish_later(self) -> None:
        finding = only(evidence(layers=24, drop=(-1.2, -3.4), loss=AT_CHANCE))
        assert finding.code == "vanishing"
        assert finding.step > 1

    def test_where_no_layer_moves_a_doubtful_profile_is_not_to_blame(self) -> None:
        finding = only(evidence(layers=4, drop=-2.7, loss=AT_CHANCE, update=2e-6))
        assert finding.code == "not-learning"
        assert "too small" in finding.evidence
        assert codes(evidence(layers=10, drop=-7.8, loss=AT_CHANCE, update=2e-6)) == ["vanishing"]

    def test_units_that_died_in_training_are_the_cause_of_gradients_that_vanish_since_then(self) -> None:
        made = evidence(
            layers=10, drop=(0.0, -8.0), loss=AT_CHANCE, dead=[0.6] * 10, dead_at_start=[0.1] * 10
        )
        assert codes(made) == ["dead-units", "vanishing"]

    def test_an_exact_zero_is_named_as_such(self) -> None:
        made = evidence(drop=-30.0, loss=AT_CHANCE)
        values = np.where(made.output_grad_rms.values < 1e-20, 0.0, made.output_grad_rms.values)
        made = dataclasses.replace(made, output_grad_rms=Series.of(made.output_grad_rms.steps, values))
        assert "exactly 0" in only(made).evidence

    def test_weights_shrunk_by_a_penalty_make_the_gradient_vanish_late(self) -> None:
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
        assert "each layer multiplies it by about 0.1." in only(steep).evidence

    def test_layers_of_rezero_blocks_are_not_compared(self) -> None:
        exp = experiment(net__repeat=10, net__shortcut="rezero", net__activation="relu")
        assert codes(evidence(drop=-7.0, loss=curve(2.35, 2.3, steps=60), experiment=exp)) == []

    def test_a_gradient_that_comes_late_says_nothing_about_the_start(self) -> None:
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

    def test_the_gradient_of_a_plain_recurrent_net_vanishes_over_time(self) -> None:
        finding = only(self.made(-5.2, curve(0.3, 0.17, 0.17, steps=400)))
        assert finding.code == "vanishing"
        # A gradient is told with the step at which it was measured: the headline tells that of another one.
        assert finding.evidence.startswith("At step 1 the gradient 29 steps back in time was 6e-6 times")
        assert "newest samples" not in finding.evidence
        assert finding.layers == ("rnn1",)
        assert [cure.set["net.0.block"] for cure in finding.cures[:3]] == ["gru", "lstm", "gru"]

    def test_a_net_that_learns_without_its_longest_lags_is_healthy(self) -> None:
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

    def test_a_large_spectral_radius_explodes(self) -> None:
        finding = only(self.made(7.6, curve(0.3, 0.19, 0.18, steps=96)))
        assert finding.code == "exploding"
        assert "29 steps back" in finding.evidence


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

    def test_a_gradient_below_fp16_underflows(self) -> None:
        made = evidence(drop=-7.8, size=1e-3, loss=AT_CHANCE, experiment=self.half())
        findings = diagnose(self.zeroed(made, slice(0, 4)))
        assert [finding.code for finding in findings] == ["underflow", "vanishing"]
        assert findings[0].layers == ("dense1", "dense2", "dense3", "dense4")
        assert findings[0].cures[0].set["run.loss_scale"] == 0.0
        assert {"run.loss_scale": 0.0} in [cure.set for cure in findings[0].cures]

    def test_underflow_in_most_of_the_steps(self) -> None:
        made = evidence(drop=-7.8, size=1e-3, loss=AT_CHANCE, experiment=self.half())
        norms = self.zeroed(made, slice(0, 4)).grad_norm.values
        norms[::3] = made.grad_norm.values[::3]
        made = dataclasses.replace(made, grad_norm=Series.of(made.grad_norm.steps, norms))
        assert codes(made) == ["underflow", "vanishing"]

    def test_weights_of_zero_cut_off_what_lies_before_them(self) -> None:
        finding = only(self.zeroed(evidence(layers=4, drop=0.0, loss=AT_CHANCE), slice(0, 3)))
        assert (finding.code, finding.layers) == ("no-gradient", ("dense1", "dense2", "dense3"))

    def test_float32_gradients_do_not_underflow(self) -> None:
        made = evidence(drop=-7.8, loss=AT_CHANCE)
        assert "underflow" not in codes(self.zeroed(made, slice(0, 4)))

    def test_a_layer_that_is_cut_off_has_no_gradient(self) -> None:
        finding = only(self.zeroed(evidence(loss=LEARNED), slice(3, 4)))
        assert (finding.code, finding.layers) == ("no-gradient", ("dense4",))

    def test_frozen_layers_are_no_finding(self) -> None:
        exp = experiment(cures__pretrain={"kind": "autoencoder", "freeze": 2}, net__repeat=10)
        assert codes(self.zeroed(evidence(loss=LEARNED, experiment=exp), slice(0, 2))) == []

    def test_where_nothing_depends_on_the_parameters_no_layer_has_a_gradient(self) -> None:
        finding = only(self.zeroed(evidence(loss=AT_CHANCE, update=1e-3), slice(None)))
        assert finding.code == "no-gradient"
        assert len(finding.layers) == 11
